"""The report of a session and sessions side by side: one truth for page, print and JSON."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring.handover import handover
from monitoring.models import Image
from monitoring.services import (
    NewImage,
    add_image,
    add_tag,
    change_image,
    create_monitor,
    start_monitor,
    stop_monitor,
)
from sessions_app.models import Session, SessionEvent
from sessions_app.services import append, mark, set_notes
from tests.monitoring.test_timeline import START, past, put, steady  # noqa: F401
from tests.pictures import picture


def told(session: Session) -> dict:
    return handover(Session.objects.for_messages().get(pk=session.pk))


def test_a_report_counts_what_came_and_what_is_left(past):  # noqa: F811
    put(past, steady(3600))
    Session.objects.filter(pk=past.pk).update(total_counter=1800, image_count=1790, size_bytes=1800)
    counts = told(past)["counts"]
    assert counts == {
        "captured": 1800, "kept": 1790, "gone": 10, "late": 0, "size_bytes": 1800, "per_minute": 30.0,
    }  # fmt: skip


def test_the_rate_adds_up_and_names_the_busiest_time(past):  # noqa: F811
    put(past, [*steady(1800), *[2400 + n / 10 for n in range(100)]])
    rate = told(past)["rate"]
    assert rate["bucket_s"] == 60 and sum(rate["counts"]) == 1000
    assert rate["busiest"] == {"from": "2026-03-01T08:40:00.000Z", "count": 100}


def test_gaps_are_measured_against_the_expected_interval(past):  # noqa: F811
    put(past, steady(3600, (600, 1200)))
    append(past, "server_restarted", at=START + timedelta(seconds=700))
    gaps = told(past)["gaps"]
    assert (gaps["count"], gaps["total_s"], gaps["expected_interval_s"]) == (1, 600.0, 2.0)
    assert gaps["running_frac"] == pytest.approx(5 / 6, abs=0.001) and gaps["expected_pictures"] == 1800
    assert gaps["longest"][0]["cause"] == "server"


def test_doubtful_pictures_are_listed_and_reviews_counted(past, monkeypatch):  # noqa: F811
    monkeypatch.setattr("monitoring.handover.DOUBTFUL_MAX", 2)
    put(past, [1.0, 2.0, 3.0, 4.0, 5.0])
    Session.objects.filter(pk=past.pk).update(image_count=5)
    images = list(Image.objects.filter(session=past).order_by("received_at"))
    for image, review in zip(images, ["doubtful", "doubtful", "doubtful", "accepted"], strict=False):
        Image.objects.filter(pk=image.pk).update(review=review)
    found = told(past)
    assert found["reviews"] == {"accepted": 1, "rejected": 0, "doubtful": 3, "unreviewed": 1}
    assert found["doubtful"]["count"] == 3
    assert [image["key"] for image in found["doubtful"]["images"]] == [images[2].key, images[1].key]


def test_who_did_what_is_counted_from_the_journal(monitor, session):
    image = Image.objects.get(key=add_image(NewImage(data=picture(1), monitor=monitor)).key)
    add_tag(image, label="dent", x=0.1, y=0.1, w=0.2, h=0.2, by="bob")
    add_tag(image, label="dent", x=0.3, y=0.1, w=0.2, h=0.2, by="bob")
    change_image(image, label="bad", by="bob")
    mark(session, label="spill", by="ann")
    set_notes(session, "see lamp 2", by="ann")
    stop_monitor(monitor, by="ann")
    found = told(session)
    people = {entry["by"]: entry["acts"] for entry in found["people"]["entries"]}
    assert people["bob"] == {"tags_changed": 2, "image_changed": 1}
    assert people["ann"] == {"marker": 1, "notes_changed": 1, "started": 1, "stopped": 1}
    assert not found["people"]["is_part"] and found["notes"]["text"] == "see lamp 2"
    assert [event["kind"] for event in found["events"]["entries"]] == [
        "started", "marker", "notes_changed", "stopped",
    ]  # fmt: skip


def test_of_a_very_long_journal_not_every_act_is_counted_and_the_report_says_so(session, monkeypatch):
    monkeypatch.setattr("monitoring.handover.ACTS_READ", 3)
    for number in range(5):
        mark(session, label=str(number), by="ann")
    SessionEvent.objects.bulk_create(
        SessionEvent(session=session, organisation=session.organisation, seq=100 + n, kind="images_added")
        for n in range(9)
    )
    people = told(session)["people"]
    assert people["entries"] == [{"by": "ann", "acts": {"marker": 3}}] and people["is_part"]


def test_page_and_json_tell_the_same(client, viewer, past):  # noqa: F811
    put(past, steady(3600, (600, 1200)))
    client.force_login(viewer)
    data = client.get(f"/api/v1/sessions/{past.key}/report/").json()
    page = client.get(f"/sessions/{past.key}/report/")
    assert page.status_code == 200
    shown = page.context["report"]
    assert {**shown, "at": ""} == {**data, "at": ""}
    html = page.content.decode()
    for gap in data["gaps"]["longest"]:
        assert f'datetime="{gap["from"]}"' in html
    assert data["from"] == "2026-03-01T08:00:00.000Z"


def test_a_report_asks_no_more_for_many_pictures_than_for_one(past):  # noqa: F811
    counted = []
    for offsets in ([1.0], steady(2000, (100, 300), (500, 800))):
        put(past, offsets)
        with CaptureQueriesContext(connection) as queries:
            told(past)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 24


def test_an_empty_session_that_runs_has_a_report(client, viewer, session):
    client.force_login(viewer)
    data = client.get(f"/api/v1/sessions/{session.key}/report/").json()
    assert data["is_open"] and data["counts"]["captured"] == 0 and data["doubtful"]["count"] == 0
    assert client.get(f"/sessions/{session.key}/report/").status_code == 200


# -- side by side ------------------------------------------------------------------------------------------


@pytest.fixture
def pair(organisation, past) -> list[Session]:  # noqa: F811
    """The hour of `past` with a gap, and half an hour of another monitor a day later."""
    put(past, steady(3600, (600, 1200)))
    other = create_monitor(organisation, slug="cam-2", expected_interval_s=2.0, by="test")
    second = start_monitor(other, by="bob")
    for number in range(3):
        add_image(NewImage(data=picture(number), monitor=other, label="dent"))
    stop_monitor(other, by="bob", reason="belt torn")
    later = START + timedelta(days=1, seconds=30)
    for number, image in enumerate(Image.objects.filter(session=second).order_by("pk")):
        Image.objects.filter(pk=image.pk).update(received_at=later + timedelta(seconds=number))
    second.minutes.all().delete()
    second.minutes.create(minute=int(later.timestamp()) // 60, count=3)
    Session.objects.filter(pk=second.pk).update(started_at=later, stopped_at=later + timedelta(minutes=30))
    return [past, second]


def address(*sessions: Session) -> str:
    return "?" + "&".join(f"s={session.key}" for session in sessions)


def test_sessions_are_aligned_from_their_starts(client, viewer, pair):
    client.force_login(viewer)
    data = client.get(f"/api/v1/sessions/compare/{address(*pair)}").json()
    first, second = data["sessions"]
    assert data["longest_s"] == 3600 and data["bucket_s"] == 15
    assert (len(first["counts"]), len(second["counts"])) == (240, 120)
    assert second["counts"][0] == 3 and sum(second["counts"]) == 3
    assert first["gaps"]["longest"] == [{"after_s": 600.0, "lasted_s": 600.0, "cause": "camera"}]
    assert second["session"]["end_reason"] == "belt torn"
    assert {row["label"]: row["counts"] for row in data["labels"]} == {"OK": [1501, 0], "dent": [0, 3]}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_order_is_the_one_that_was_asked_for(client, viewer, pair, order):
    client.force_login(viewer)
    wanted = [pair[number] for number in order]
    data = client.get(f"/api/v1/sessions/compare/{address(*wanted)}").json()
    assert [column["session"]["key"] for column in data["sessions"]] == [row.key for row in wanted]
    page = client.get(f"/compare/{address(*wanted)}")
    assert page.status_code == 200 and page.context["told"]["labels"] == data["labels"]


def test_what_cannot_be_compared_is_refused(client, viewer, pair, stranger):
    client.force_login(viewer)
    url = "/api/v1/sessions/compare/"
    for query in ("", address(pair[0]), address(pair[0], pair[0]), address(*pair, *pair, pair[0])):
        answer = client.get(url + query)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_comparison"), query
    assert client.get(f"{url}{address(*pair)}&x=1").status_code == 400
    assert client.get(f"{url}{address(pair[0])}&s=se_none").status_code == 404
    assert client.get(f"{url}{address(pair[0])}&s=%00").status_code == 400
    assert client.get(f"/compare/{address(pair[0])}").status_code == 200  # says how to choose
    client.force_login(stranger)
    assert client.get(url + address(*pair)).status_code == 404
    assert client.get(f"/compare/{address(*pair)}").status_code == 404


def test_ticks_of_the_history_last_from_page_to_page(client, viewer, pair):
    client.force_login(viewer)
    picks = f"{pair[0].key},se_{'0' * 26},junk"
    page = client.get(f"/sessions/?pick={picks}")
    html = page.content.decode()
    assert page.context["picks"] == [pair[0].key, f"se_{'0' * 26}"]
    assert f'<input type="hidden" name="s" value="se_{"0" * 26}">' in html
    assert html.count(" checked>") == 1


def test_the_page_offers_every_format_of_export(client, viewer, session):
    from monitoring.exports import FORMATS
    from monitoring.pages import EXPORTS

    assert {name for name, _ in EXPORTS} == set(FORMATS)
    client.force_login(viewer)
    html = client.get(f"/sessions/{session.key}/").content.decode()
    for name in FORMATS:
        assert f'href="/api/v1/sessions/{session.key}/export/?format={name}"' in html
