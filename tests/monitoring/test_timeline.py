"""The timeline of a session: every picture is in a bucket, every silence is a gap, and it stays quick."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring import density, gaps
from monitoring.models import Image
from monitoring.services import NewImage, add_image, change_image, delete_image, stop_monitor
from monitoring.timeline import BadSpan, grid, span_of, step_for, timeline
from sessions_app.models import LabelCount, Session, SessionMinute
from sessions_app.services import append, counters, mark, start_annotation
from tests.pictures import picture

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def past(monitor, session) -> Session:
    """A session of an hour; the camera is expected every 2 s."""
    monitor.expected_interval_s = 2.0
    monitor.save()
    Session.objects.filter(pk=session.pk).update(
        started_at=START, stopped_at=START + timedelta(hours=1), state="completed"
    )
    return Session.objects.select_related("monitor").get(pk=session.pk)


def put(session: Session, offsets_s: list[float], label: str = "OK") -> None:
    """Pictures that arrived so many seconds after the start, as the ingest counts them."""
    have = Image.objects.count()
    Image.objects.bulk_create(
        Image(
            organisation=session.organisation, session=session, monitor=session.monitor, label=label,
            file_path="x", thumbnail_path="y", format="JPEG", size_bytes=1, sha256=f"{have + number:064}",
            width=4, height=3, taken_at=at, received_at=at,
        )
        for number, at in enumerate(START + timedelta(seconds=s) for s in offsets_s)
    )  # fmt: skip
    counters.count_flow(session.pk, Counter(int(START.timestamp() + s) for s in offsets_s))
    counters.count_labels(session.pk, LabelCount.IMAGE, {label: len(offsets_s)})


def stretch(gap: dict) -> tuple[float, float]:
    return tuple((datetime.fromisoformat(gap[side]) - START).total_seconds() for side in ("from", "to"))


def test_a_picture_that_comes_in_is_in_its_minute(monitor, session):
    image = Image.objects.get(key=add_image(NewImage(data=picture(1), monitor=monitor, label="OK")).key)
    [row] = SessionMinute.objects.filter(session=session)
    assert (row.minute, row.count) == (int(image.received_at.timestamp()) // 60, 1)
    found = timeline(session)
    assert sum(found["counts"]) == 1 and found["labels"][0]["label"] == "OK"
    assert sum(found["labels"][0]["counts"]) == 1


@pytest.mark.parametrize("buckets", [10, 37, 240, 500])
@pytest.mark.parametrize("bounds_s", [(0, 3600), (600, 1300), (599.5, 602.25)])
def test_every_picture_is_in_the_bucket_of_its_moment(past, buckets, bounds_s):
    rng = random.Random(buckets)
    offsets = sorted(rng.uniform(0, 3599) for _ in range(400)) + [600.0, 600.5]
    put(past, offsets)
    start, end = (START + timedelta(seconds=s) for s in bounds_s)
    found = timeline(past, start=start, end=end, buckets=buckets)
    first, step = datetime.fromisoformat(found["first_bucket"]), found["bucket_s"]
    assert len(found["counts"]) <= buckets + 1 and first <= start
    expected = [0] * len(found["counts"])
    for s in offsets:
        number = (START + timedelta(seconds=s) - first) // timedelta(seconds=step)
        if 0 <= number < len(expected):
            expected[number] += 1
    assert found["counts"] == expected
    assert found["labels"][0]["counts"] == expected
    assert found["counted"] == ("captured" if step >= 60 else "received")


def test_the_steps_are_those_that_people_read():
    assert step_for(3600, 240) == 15 and step_for(3600, 60) == 60
    assert step_for(8 * 3600, 240) == 120 and step_for(28 * 3600, 240) == 600
    assert step_for(10 * 365 * 86400, 100) % 86400 == 0
    assert step_for(0.5, 500) == 0.1
    cells = grid(START + timedelta(seconds=7), START + timedelta(seconds=61), 30)
    assert [(low - START).total_seconds() for low, _ in cells] == [0, 30, 60]


def test_labels_follow_their_corrections_and_deletions(past):
    put(past, [10, 20, 30])
    put(past, [40], label="dent")
    first, second = Image.objects.filter(session=past, label="OK").order_by("received_at")[:2]
    change_image(first, label="dent", by="ann")
    delete_image(second, by="ann")
    lines = {line["label"]: line for line in timeline(past)["labels"]}
    assert sum(lines["dent"]["counts"]) == lines["dent"]["total"] == 2
    assert sum(lines["OK"]["counts"]) == lines["OK"]["total"] == 1


def test_many_labels_show_the_most_frequent_and_say_how_many_more(past):
    for number in range(10):
        put(past, [number * 10.0 + n for n in range(number + 1)], label=f"l{number}")
    found = timeline(past)
    assert [line["label"] for line in found["labels"]][:2] == ["l9", "l8"]
    assert len(found["labels"]) == 8 and found["other_labels"] == 2


def test_the_line_of_a_very_frequent_label_is_what_the_others_leave(past, monkeypatch):
    put(past, [s + 0.5 for s in range(0, 3600, 5)])
    put(past, [s + 0.25 for s in range(0, 3600, 70)], label="dent")
    put(past, [s + 0.125 for s in range(3, 3600, 300)], label="")
    monkeypatch.setattr("monitoring.timeline.EXACT_MAX", 100)
    counted = timeline(past, buckets=60)["labels"]
    count = Image.objects.filter(session=past).count()
    Session.objects.filter(pk=past.pk).update(total_counter=count, image_count=count)
    past.refresh_from_db()
    with CaptureQueriesContext(connection) as queries:
        found = timeline(past, buckets=60)["labels"]
    assert found == counted and sum(found[0]["counts"]) == 720
    assert not any("i.label = 'OK'" in query["sql"] for query in queries)
    delete_image(Image.objects.filter(session=past, label="OK").first(), by="ann")
    past.refresh_from_db()
    assert sum(timeline(past, buckets=60)["labels"][0]["counts"]) == 719


def steady(upto_s: float, *away: tuple[float, float]) -> list[float]:
    return [s for s in range(0, int(upto_s), 2) if not any(low < s < high for low, high in away)]


def test_a_gap_is_told_from_picture_to_picture(past):
    put(past, steady(3600, (100, 130), (1000, 1007), (3000, 3400)))
    found = timeline(past)
    assert [stretch(gap) for gap in found["gaps"]] == [(100, 130), (1000, 1008), (3000, 3400)]
    assert [gap["lasted_s"] for gap in found["gaps"]] == [30, 8, 400]
    assert found["gap_count"] == 3 and found["gap_total_s"] == 438
    assert found["expected_interval_s"] == 2.0 and found["shortest_gap_s"] == 4.0
    assert not any(gap["is_open"] for gap in found["gaps"])


def test_gaps_agree_with_a_look_at_every_pair_of_pictures(past):
    rng = random.Random(5)
    offsets, at = [], 0.0
    while at < 3600:
        offsets.append(at)
        at += rng.choice([1.0, 2.0, 3.9, 4.1, 9.0, 55.0])
    put(past, offsets)
    pairs = zip(offsets, [*offsets[1:], 3600.001], strict=True)
    expected = [(low, high) for low, high in pairs if high - low >= 4.0]
    found = gaps.find_gaps(past, *span_of(past))
    assert found.count == len(expected)
    longest = sorted(expected, key=lambda gap: gap[0] - gap[1])[: gaps.GAPS_MAX]
    told = [stretch(gap.as_json()) for gap in found.rows]
    assert [high - low for low, high in sorted(told, key=lambda gap: gap[0] - gap[1])] == pytest.approx(
        [high - low for low, high in longest], abs=0.002
    )


def test_before_the_first_and_after_the_last_picture_there_is_a_gap_too(past):
    put(past, steady(1000)[100:])
    assert [stretch(gap) for gap in timeline(past)["gaps"]] == [(0, 200), (998, 3600.001)]


def test_a_gap_with_a_restart_in_it_is_the_server_s(past):
    put(past, steady(3600, (100, 130), (500, 530)))
    append(past, "server_restarted", at=START + timedelta(seconds=115))
    assert [gap["cause"] for gap in timeline(past)["gaps"]] == ["server", "camera"]


def test_a_running_session_has_an_open_gap_while_nothing_comes(monitor, session):
    Session.objects.filter(pk=session.pk).update(started_at=START)
    session = Session.objects.select_related("monitor").get(pk=session.pk)
    put(session, [0.0, 1.0, 2.0])
    found = timeline(session, now=START + timedelta(minutes=10))
    [gap] = found["gaps"]
    assert gap["is_open"] and stretch(gap) == (2, 600) and found["is_open"]
    assert found["shortest_gap_s"] == 60.0 and found["expected_interval_s"] is None


def test_a_gap_that_ends_after_the_stretch_that_is_looked_at_is_not_open(monitor, session):
    Session.objects.filter(pk=session.pk).update(started_at=START)
    session = Session.objects.select_related("monitor").get(pk=session.pk)
    put(session, [0.0, 1.0, 2.0, 400.0])
    [gap] = timeline(session, end=START + timedelta(minutes=5), now=START + timedelta(seconds=401))["gaps"]
    assert stretch(gap) == (2, 300) and not gap["is_open"]


def test_a_gap_is_cut_at_the_edge_of_what_is_asked(past):
    put(past, steady(3600, (100, 200)))
    start, end = START + timedelta(seconds=150), START + timedelta(seconds=300)
    assert [stretch(gap) for gap in timeline(past, start=start, end=end)["gaps"]] == [(150, 200)]


def test_what_retention_removed_is_no_gap_and_still_counted(past):
    put(past, steady(3600, (1000, 1300)))
    Image.objects.filter(session=past, received_at__lt=START + timedelta(seconds=2400)).delete()
    append(past, "images_purged", detail={"count": 1})
    found = timeline(past, buckets=60)
    assert [stretch(gap) for gap in found["gaps"]] == [(1020, 1260)] or len(found["gaps"]) == 1
    assert sum(found["counts"]) == len(steady(3600, (1000, 1300)))
    Image.objects.filter(session=past).delete()
    assert len(timeline(past)["gaps"]) == 1


def test_a_long_session_is_searched_in_bounded_cells_and_says_so(past, monkeypatch):
    monkeypatch.setattr(gaps, "CELLS_MAX", 100)
    put(past, steady(3600, (100, 130), (1000, 1200)))
    found = timeline(past)
    assert found["shortest_gap_s"] == pytest.approx(72, abs=0.1)
    assert [stretch(gap) for gap in found["gaps"]] == [(1000, 1200)]


def test_marks_and_milestones_are_there_and_edits_are_not(past):
    put(past, [10.0])
    mark(past, label="belt cleaned", by="ann", at=START + timedelta(minutes=5))
    mark(past, label="outside", by="ann", at=START + timedelta(minutes=50))
    change_image(Image.objects.get(session=past), label="dent", by="ann")
    found = timeline(past, start=START, end=START + timedelta(minutes=30))
    assert [event["detail"]["label"] for event in found["events"]] == ["belt cleaned"]
    assert found["more_events"] is False


def test_too_many_events_are_cut_and_told(past, monkeypatch):
    monkeypatch.setattr("monitoring.timeline.EVENTS_MAX", 3)
    for number in range(5):
        mark(past, label=str(number), by="ann", at=START + timedelta(minutes=number))
    found = timeline(past)
    assert [event["detail"]["label"] for event in found["events"]] == ["4", "3", "2"]
    assert found["more_events"] is True


def test_rest_gives_the_timeline_and_refuses_a_span_that_ends_before_it_begins(client, viewer, past):
    client.force_login(viewer)
    url = f"/api/v1/sessions/{past.key}/timeline/"
    put(past, [5.0])
    answer = client.get(url, {"from": "2026-03-01T08:00:00Z", "to": "2026-03-01T08:10:00Z", "buckets": 60})
    assert answer.status_code == 200 and sum(answer.json()["counts"]) == 1
    assert answer.json()["bucket_s"] == 10 and answer.json()["span"]["from"] == "2026-03-01T08:00:00.000Z"
    wrong = client.get(url, {"from": "2026-03-01T09:00:00Z", "to": "2026-03-01T08:10:00Z"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_span")
    for query in ({"buckets": 5}, {"buckets": 501}, {"from": "yesterday"}, {"form": "x"}):
        assert client.get(url, query).status_code == 400
    with pytest.raises(BadSpan):
        timeline(past, start=START, end=START)


def test_an_empty_session_has_a_timeline(organisation):
    session = start_annotation(organisation, by="ann", idle_ttl_s=None)
    found = timeline(Session.objects.select_related("monitor").get(pk=session.pk))
    assert sum(found["counts"]) == 0 and found["labels"] == []
    assert [event["kind"] for event in found["events"]] == ["started"]


def test_the_number_of_queries_does_not_depend_on_the_pictures(past):
    counted = []
    for offsets in ([10.0], steady(1000, (100, 200))):
        put(past, offsets)
        with CaptureQueriesContext(connection) as queries:
            timeline(past)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 12


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plans are SQLite's")
def test_every_count_is_answered_from_an_index(past):
    put(past, [1.0, 2.0])
    stretches = grid(START, START + timedelta(hours=1), 60)
    with CaptureQueriesContext(connection) as queries:
        density.counts_in(past.pk, stretches)
        density.label_counts_in(past.pk, ["OK"], stretches)
        density.empty_of(past.pk, stretches)
        density.edges_of(past.pk, stretches[:3], within=(START, START + timedelta(hours=1)))
    for query in queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = [row[3] for row in cursor.fetchall() if " i " in f"{row[3]} "]
        assert plan and all("COVERING INDEX images_of_session" in line for line in plan), plan


def test_a_session_that_stops_shows_its_last_picture(monitor, session):
    add_image(NewImage(data=picture(1), monitor=monitor))
    stop_monitor(monitor, by="ann")
    session = Session.objects.select_related("monitor").get(pk=session.pk)
    assert sum(timeline(session)["counts"]) == 1
