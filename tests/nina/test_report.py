"""The night in figures, its pages, and nights that are imported from a file."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from monitoring.nina import store
from monitoring.nina.models import Rig, RigEvent, RigGap
from monitoring.nina.nights import bounds_of, night_of
from monitoring.nina.report import night_report, session_report
from sessions_app.models import Session
from tests.nina.night import FOLDER
from tests.nina.player import Player


@pytest.fixture
def night(rig, script) -> Session:
    """The finished session of the recorded night."""
    player = Player(rig, script)
    player.rebuild()
    player.play(len(script.frames))
    return Session.objects.order_by("started_at").last()


def bearer(token: str) -> dict:
    return {"headers": {"Authorization": f"Bearer {token}"}}


def test_the_report_counts_per_target_filter_and_exposure(night):
    report = session_report(night)
    frames = {
        (target["name"], row["filter"], row["exposure_s"]): row["count"]
        for target in report["targets"]
        for row in target["frames"]
    }
    assert frames == {
        ("NGC 7331", "L", 120): 6,
        ("NGC 7331", "R", 120): 3,
        ("NGC 7331", "G", 120): 3,
        ("NGC 7331", "B", 120): 3,
        ("IC 1805", "Ha", 300): 17,
        ("NGC 2244", "L", 180): 5,
        ("NGC 2244", "R", 180): 2,
        ("NGC 2244", "G", 180): 2,
        ("NGC 2244", "B", 180): 2,
        ("NGC 2244", "Ha", 180): 4,
    }
    assert (report["total_images"], report["total_exposure_s"]) == (47, 9600)
    assert (report["flats"], report["darks"]) == (5, 4)  # one dark was saved after the end
    assert report["guiding"]["worst_arcsec"] == 1.0 and 0.5 < report["guiding"]["mean_arcsec"] < 1
    per_target = {target["name"]: target["guiding"] for target in report["targets"]}
    assert max(each["worst_arcsec"] for each in per_target.values()) == 1.0
    assert per_target["IC 1805"] != per_target["NGC 2244"]
    projects = {target["name"]: target["project"] for target in report["targets"]}
    assert projects["IC 1805"] == "Heart narrowband"


def test_the_report_tells_what_went_wrong_and_when(night):
    report = session_report(night)
    assert [failure["what"] for failure in report["failures"]] == [
        "plate solving failed",
        "autofocus failed",
        "a picture could not be saved",
        "a step of the sequence failed",
    ]
    kinds = [span["kind"] for span in report["timeline"]]
    assert kinds.count("flip") == 1 and kinds.count("paused") == 1 and kinds.count("unsafe") == 2
    focus = [span["label"] for span in report["timeline"] if span["kind"] == "autofocus"]
    assert focus == ["autofocus", "autofocus", "autofocus failed", "autofocus"]
    paused = next(span for span in report["timeline"] if span["kind"] == "paused")
    assert (paused["from"], paused["to"]) == ("2025-11-14T19:56:52.180Z", "2025-11-14T21:45:00.350Z")
    # 20:56:52 to 21:20:05 and 21:24:40 to 22:41:13
    assert report["unsafe_s"] == pytest.approx(1393 + 4592, abs=2)
    assert report["session"]["duration_s"] == 39444


def lose_connection(rig, begin: datetime, end: datetime, clock) -> None:
    """By the clock of this server."""
    for status, moment in (("connected", begin), ("disconnected", begin), ("connected", end)):
        clock.move_to(moment)
        store.set_link(rig.pk, status=status)


def gaps_in(report: dict) -> list[tuple[str, str | None]]:
    spans = [span for span in report["timeline"] if span["kind"] == "gap"]
    assert {span["label"] for span in spans} <= {"connection lost"}
    return [(span["from"], span["to"]) for span in spans]


def test_a_time_without_connection_is_in_the_timeline_for_good(rig, night, our_clock):
    begin = datetime(2025, 11, 15, 1, tzinfo=UTC)
    lose_connection(rig, begin, begin + timedelta(minutes=5), our_clock)
    wanted = [("2025-11-15T01:00:00.000Z", "2025-11-15T01:05:00.000Z")]
    assert gaps_in(session_report(night)) == wanted
    for number in range(120):  # of later nights
        later = begin + timedelta(days=1, minutes=number)
        lose_connection(rig, later, later + timedelta(seconds=20), our_clock)
    assert gaps_in(session_report(night)) == wanted


def test_a_gap_is_shown_by_the_clock_that_nina_had_then(rig, night, our_clock):
    begin = datetime(2025, 11, 15, 1, tzinfo=UTC)
    clock = {"offset_s": 3600.0, "speed": 1.0, "read_at": "2025-11-15T00:00:00.000Z"}
    store.set_link(rig.pk, clock=clock)
    lose_connection(rig, begin, begin + timedelta(minutes=5), our_clock)
    store.set_link(rig.pk, clock={**clock, "offset_s": 0.0})  # set right the next day
    assert gaps_in(session_report(night)) == [("2025-11-15T02:00:00.000Z", "2025-11-15T02:05:00.000Z")]


def test_the_time_since_a_listener_died_is_a_gap_before_anybody_takes_over(rig, night, our_clock):
    died_at = datetime(2025, 11, 15, 1, tzinfo=UTC)
    our_clock.move_to(died_at)
    store.set_link(rig.pk, status="connected", heard_at="2025-11-15T01:00:00.000Z")
    assert gaps_in(session_report(night)) == []
    our_clock.move_to(died_at + timedelta(minutes=2))
    assert gaps_in(session_report(night)) == [("2025-11-15T01:00:00.000Z", None)]
    store.set_link(rig.pk, status="connecting")
    store.set_link(rig.pk, status="connected", heard_at="2025-11-15T01:02:00.000Z")
    assert gaps_in(session_report(night)) == [("2025-11-15T01:00:00.000Z", "2025-11-15T01:02:00.000Z")]


def test_the_link_keeps_the_times_without_a_connection(rig):
    for status in ("connecting", "connected", "disconnected", "connecting", "connected"):
        store.set_link(rig.pk, status=status)
    gap = RigGap.objects.get()
    assert gap.begun_at <= gap.ended_at
    store.set_link(rig.pk, heard_at="2026-01-01T00:00:00.000Z")
    store.set_link(rig.pk, status="connecting")  # this server was gone without a word
    gap = RigGap.objects.get(ended_at=None)
    assert gap.begun_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_report_is_json_and_a_page_for_those_who_may_read(
    night, client, viewer, viewer_token, foreign_token
):
    address = f"/api/v1/sessions/{night.key}/report/"
    assert client.get(address).status_code == 401
    assert client.get(address, **bearer(foreign_token)).status_code == 404
    assert client.get(address, **bearer(viewer_token)).json()["total_images"] == 47
    client.force_login(viewer)
    page = client.get(f"/sessions/{night.key}/report/")
    assert page.status_code == 200
    # 18:00:10 UTC to 04:57:35 UTC, by the clock of the site
    told = "2025-11-14 19:00 to 2025-11-15 05:57, times of the site (Europe/Madrid)"
    for words in (told, "Heart narrowband", "autofocus failed", "300 s", "Ha"):
        assert words in page.content.decode()


def test_the_printed_report_tells_of_guiding_and_of_the_minutes_without_safety(night, client, viewer):
    client.force_login(viewer)
    page = client.get(f"/sessions/{night.key}/report/").content.decode()
    words = re.sub(" +", " ", re.sub(r"<[^>]+>|\s", " ", page))
    assert "Frames 47, 160 min of exposure; 5 flats, 4 darks" in words
    assert "Unsafe 100 min Paused 108 min" in words  # 5985 s and 6488 s
    assert "Guiding 0.76″ mean, 0.75″ median, 1.0″ worst, over 373 min" in words
    assert "Heart narrowband Guided at 0.79″ mean, 1.0″ worst" in words


def test_the_curves_have_a_point_per_frame_in_the_order_of_time(night):
    series = session_report(night)["series"]
    assert {name: len(points) for name, points in series.items()} == {
        "rms": 47,
        "hfr": 47,
        "temperature": 56,  # flats and darks too
    }
    for points in series.values():
        assert points == sorted(points, key=lambda point: point[0])
    assert (series["hfr"][0], series["hfr"][-1]) == ([1763143758000, 1.949738], [1763166322000, 2.230264])
    assert series["temperature"][0] == [1763143758000, -10.0]
    assert series["temperature"][-1] == [1763182656100, -9.9]


def test_the_page_of_the_session_shows_the_finished_night(night, client, viewer):
    client.force_login(viewer)
    page = client.get(f"/sessions/{night.key}/")
    assert page.context["night"]["total_images"] == 47
    words = page.content.decode()
    assert "The night" in words and 'id="night-lanes"' in words and "rigsession.js" in words


def test_the_page_of_a_camera_session_has_no_night(session, client, viewer):
    client.force_login(viewer)
    page = client.get(f"/sessions/{session.key}/")
    assert page.context["night"] is None and "rigsession.js" not in page.content.decode()


def test_a_camera_session_has_the_report_of_its_shift(session, client, viewer):
    client.force_login(viewer)
    assert client.get(f"/sessions/{session.key}/report/").status_code == 200
    assert "doubtful" in client.get(f"/api/v1/sessions/{session.key}/report/").json()


def test_a_night_goes_from_noon_to_noon_at_the_site(rig, night):
    start, end = bounds_of(rig, date(2025, 11, 14))
    assert (start.isoformat(), end.isoformat()) == (
        "2025-11-14T12:00:00+01:00",
        "2025-11-15T12:00:00+01:00",
    )
    rows = RigEvent.objects.filter(rig=rig)
    assert {night_of(rig, row.at) for row in rows} == {date(2025, 11, 14)}
    start, end = bounds_of(rig, date(2026, 3, 28))
    assert (end.utctimetuple(), start.utctimetuple()) and end.timestamp() - start.timestamp() == 23 * 3600


def test_a_night_in_another_zone_begins_at_its_own_noon(rig, night):
    rig.site_zone = "America/Phoenix"  # UTC-7 all the year
    start, end = bounds_of(rig, date(2025, 11, 14))
    assert (start, end) == (datetime(2025, 11, 14, 19, tzinfo=UTC), datetime(2025, 11, 15, 19, tzinfo=UTC))
    assert night_of(rig, datetime(2025, 11, 14, 18, 59, tzinfo=UTC)) == date(2025, 11, 13)


def test_the_page_of_the_rig_shows_its_newest_night_and_others_by_date(rig, night, client, viewer, stranger):
    client.force_login(viewer)
    page = client.get("/rigs/rig-1/")
    assert page.context["evening"] == date(2025, 11, 14) and page.context["is_newest"]
    assert page.context["night"]["total_images"] == 49  # the test shots of the evening too
    empty = client.get("/rigs/rig-1/?night=2025-11-20")
    assert empty.context["night"]["total_images"] == 0
    assert empty.context["earlier"] == date(2025, 11, 14)
    for evening in ("yesterday", "0001-01-01", "9999-12-31"):
        assert client.get(f"/rigs/rig-1/?night={evening}").status_code == 404, evening
    client.force_login(stranger)
    assert client.get("/rigs/rig-1/").status_code == 404


def test_the_journal_comes_in_pages(rig, night, client, viewer_token):
    first = client.get("/api/v1/rigs/rig-1/events/?after=0&limit=200", **bearer(viewer_token)).json()
    second = client.get(first["next"], **bearer(viewer_token)).json()
    numbers = [event["seq"] for event in first["results"] + second["results"]]
    assert numbers == list(range(1, len(numbers) + 1)) and second["next"] is None
    refused = client.get("/api/v1/rigs/rig-1/events/?after=x", **bearer(viewer_token))
    assert refused.status_code == 400 and refused.json()["code"] == "invalid"


def test_the_night_is_json_too(rig, night, client, viewer_token):
    found = client.get("/api/v1/rigs/rig-1/nights/2025-11-14/", **bearer(viewer_token)).json()
    assert found["from"] == "2025-11-14T11:00:00.000Z" and found["total_images"] == 49
    for evening in ("soon", "0001-01-01", "9999-12-31", "2025-11-14T00:00"):
        address = f"/api/v1/rigs/rig-1/nights/{evening}/"
        assert client.get(address, **bearer(viewer_token)).status_code == 404, evening


def test_a_saved_history_becomes_sessions_once(organisation, capsys):
    words = (
        "import_night",
        str(FOLDER / "night_history.json"),
        "--images",
        str(FOLDER / "night_image_history.json"),
        "--site-zone",
        "Europe/Madrid",
    )
    call_command(*words)
    assert "2 sessions." in capsys.readouterr().out
    test_shots, night = Session.objects.order_by("started_at")
    assert (test_shots.total_counter, night.total_counter) == (2, 36)
    assert night.state == "completed" and night.end_reason == "the recording ends here"
    events = RigEvent.objects.count()
    call_command(*words)
    assert RigEvent.objects.count() == events and Session.objects.count() == 2
    with pytest.raises(CommandError, match="already"):
        call_command("import_night", str(FOLDER / "night_history_v2215.json"))


def test_a_rig_that_is_listened_to_takes_no_import(rig):
    Rig.objects.update(url="http://127.0.0.1:1888")
    with pytest.raises(CommandError, match="of its own"):
        call_command("import_night", str(FOLDER / "night_history.json"), "--rig", "rig-1")


@pytest.mark.parametrize(("text", "why"), [("{", "not JSON"), ('{"a": 1}', "no list"), ("[]", "no event")])
def test_a_file_that_is_no_history_is_named(organisation, tmp_path, text, why):
    file = tmp_path / "history.json"
    file.write_text(text)
    with pytest.raises(CommandError, match=why):
        call_command("import_night", str(file))


def test_of_a_night_that_goes_on_nothing_is_counted_that_is_still_to_come(rig, night, our_clock):
    our_clock.move_to(datetime(2025, 11, 15, 11, 30, tzinfo=UTC))  # at noon the next night begins
    start, end = bounds_of(rig, date(2025, 11, 15))
    assert night_report(rig, start, end)["unsafe_s"] == 30 * 60


def test_an_unsafe_morning_counts_into_the_next_night(rig, night, script):
    start, end = bounds_of(rig, date(2025, 11, 15))
    assert night_report(rig, start, end)["unsafe_s"] == int((end - start) / timedelta(seconds=1))
