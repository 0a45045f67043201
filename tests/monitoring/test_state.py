"""The live state: one function for topics, REST and pages, in a number of queries that does not grow."""

from __future__ import annotations

import pytest

from monitoring.messages import image_json
from monitoring.models import Image, Monitor
from monitoring.services import (
    NewImage,
    add_image,
    add_images,
    add_tag,
    archive_monitor,
    change_image,
    change_monitor,
    create_monitor,
    start_monitor,
    stop_monitor,
)
from monitoring.state import STATUSES, fleet_state, monitor_state, monitor_states, newest_events
from monitoring.topics import FleetTopic, MonitorTopic
from sessions_app import services as sessions
from sessions_app.states import State
from sessionsite.accounts.services import caller_of_user
from sessionsite.common import clock
from sessionsite.common.clock import iso
from tests.pictures import picture


def shown(monitor) -> dict:
    return monitor_state(Monitor.objects.for_messages().get(pk=monitor.pk))


def test_a_monitor_says_all_that_is_promised(monitor):
    state = shown(monitor)
    assert state.keys() == {
        *("slug", "name", "kind", "organisation", "dataset", "is_demo", "running", "status", "presence"),
        *("expected_interval_s", "session", "last_session", "total_counter", "flow", "controller"),
        *("training", "last_image", "labels", "reviews", "last_item_at", "revision", "at"),
    }
    assert (state["running"], state["status"], state["presence"]) == (False, "idle", None)
    assert (state["session"], state["last_session"], state["last_image"]) == (None, None, None)
    assert state["controller"] == {"status": False, "request": None, "acked_at": None}


def test_a_running_monitor_shows_its_session_and_counts(monitor, session):
    add_images([NewImage(data=picture(n), monitor=monitor, label=label) for n, label in enumerate("ABA")])
    state = shown(monitor)
    session.refresh_from_db()
    assert (state["running"], state["status"], state["total_counter"]) == (True, "running", 3)
    assert state["session"] == {
        "key": session.key,
        "kind": "monitor",
        "state": "active",
        "started_at": iso(session.started_at),
        "started_by": "ann",
        "total_counter": 3,
        "notes": "",
        "notes_revision": 0,
        "notes_by": "",
        "notes_at": None,
        "revision": session.revision,
        "last_seq": session.last_seq,
    }
    assert state["labels"] == {"A": 2, "B": 1} and list(state["labels"]) == ["A", "B"]
    assert state["flow"].keys() == {
        *("current_flow_rate", "unit", "window_s", "total_processed", "bucket_s", "recent", "until"),
    }
    assert state["flow"]["total_processed"] == sum(state["flow"]["recent"]) == 3
    assert len(state["flow"]["recent"]) == 60


def test_a_stopped_monitor_shows_its_last_session(monitor, session):
    add_image(NewImage(data=picture(), monitor=monitor))
    stop_monitor(monitor, by="ann", reason="shift over")
    state = shown(monitor)
    session.refresh_from_db()
    assert state["session"] is None and state["total_counter"] == 1
    assert state["last_session"] == {
        "key": session.key,
        "started_at": iso(session.started_at),
        "stopped_at": iso(session.stopped_at),
        "total_counter": 1,
        "end_reason": "shift over",
        "notes": "",
        "notes_revision": 0,
        "notes_by": "",
        "notes_at": None,
    }
    assert state["flow"]["current_flow_rate"] == 0.0


def test_the_last_picture_comes_with_its_boxes(monitor, image):
    tag = add_tag(image, label="scratch", x=0.1, y=0.2, w=0.3, h=0.4, by="ann")
    state = shown(monitor)
    assert state["last_image"] == image_json(Image.objects.for_messages().get(pk=image.pk))
    [box] = state["last_image"]["tags"]
    assert box.items() >= {
        "key": tag.key, "image": image.key, "label": "scratch", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4,
        "author": "ann", "source": "operator", "revision": 1,
    }.items()  # fmt: skip
    assert state["last_image"]["thumbnail_url"] == f"/api/v1/images/{image.key}/thumbnail/"
    assert state["last_image"]["revision"] == 2


@pytest.mark.parametrize(
    ("presence", "word"), [("", "running"), ("live", "running"), ("late", "late"), ("lost", "lost")]
)
def test_the_status_follows_presence_while_it_runs(monitor, session, presence, word):
    Monitor.objects.update(presence=presence)
    assert shown(monitor)["status"] == word
    assert shown(monitor)["presence"] == (presence or None)
    sessions.move(session, State.ERROR)
    assert shown(monitor)["status"] == "error"


@pytest.fixture
def line(organisation):
    """Makes so many running monitors with pictures, boxes, labels and events."""

    def make(count: int) -> None:
        for number in range(count):
            monitor = create_monitor(organisation, slug=f"line-{number:02}", by="test")
            start_monitor(monitor, by="ann")
            add_images(
                [NewImage(data=picture(number * 3 + n), monitor=monitor, label=f"l{n}") for n in range(2)]
            )
            newest = Image.objects.order_by("-pk").first()
            add_tag(newest, label="scratch", x=0, y=0, w=1, h=1, by="ann")

    return make


@pytest.mark.parametrize("count", [1, 20])
def test_the_queries_are_as_many_for_one_monitor_as_for_twenty(
    organisation, line, django_assert_num_queries, count
):
    line(count)
    with django_assert_num_queries(5):
        states = monitor_states(Monitor.objects.for_messages().order_by("slug"))
    assert len(states) == count and all(state["last_image"]["tags"] for state in states)
    with django_assert_num_queries(9):
        fleet_state(organisation)


def test_the_fleet_counts_each_monitor_once_and_lists_the_newest_events(organisation, line, monitor):
    line(2)
    start_monitor(monitor, by="ann")
    stop_monitor(monitor, by="ann")
    archived = create_monitor(organisation, slug="old", by="test")
    archive_monitor(archived, by="ann")
    organisation.refresh_from_db()
    state = fleet_state(organisation)
    assert state.keys() == {"organisation", "revision", "counts", "monitors", "doubtful", "disk", "events"}
    assert state["counts"] == {"running": 2, "late": 0, "lost": 0, "idle": 1, "error": 0}
    assert tuple(state["counts"]) == STATUSES
    assert [one["slug"] for one in state["monitors"]] == ["cam-1", "line-00", "line-01"]
    assert [event["kind"] for event in state["events"][:2]] == ["stopped", "started"]
    assert "images_added" not in {event["kind"] for event in state["events"]}


def test_the_fleet_lists_forty_events_of_its_own(organisation, other_organisation, monitor, session):
    foreign = start_monitor(create_monitor(other_organisation, slug="far", by="test"), by="eve")
    for number in range(50):
        sessions.mark(session, label=str(number), by="ann")
        sessions.mark(foreign, label="theirs", by="eve")
    events = newest_events(organisation)
    assert len(events) == 40
    assert [event["detail"]["label"] for event in events[:2]] == ["49", "48"]


def test_topics_answer_with_the_same_functions(organisation, monitor, image, time_machine):
    change_image(image, by="ann", label="OK")
    time_machine.move_to(clock.now(), tick=False)
    snapshot = MonitorTopic().snapshot("cam-1")
    now = Monitor.objects.get()
    assert (snapshot.revision, snapshot.seq, snapshot.data) == (now.revision, None, shown(monitor))
    assert MonitorTopic().revisions(["cam-1", "none"]) == {"cam-1": (now.revision, None)}
    organisation.refresh_from_db()
    fleet = FleetTopic().snapshot("default")
    same = fleet_state(organisation)
    assert {**fleet.data, "disk": None} == {**same, "disk": None}
    assert FleetTopic().revisions(["default"]) == {"default": (organisation.revision, None)}


def test_an_archived_monitor_has_no_topic(monitor, viewer):
    assert MonitorTopic().authorise(caller_of_user(viewer), "cam-1")
    archive_monitor(monitor, by="ann")
    assert not MonitorTopic().authorise(caller_of_user(viewer), "cam-1")
    assert MonitorTopic().snapshot("cam-1") is None
    assert MonitorTopic().revisions(["cam-1"]) == {}


def test_topics_are_for_their_organisation(monitor, viewer, stranger):
    ours, theirs = caller_of_user(viewer), caller_of_user(stranger)
    assert MonitorTopic().authorise(ours, "cam-1") and not MonitorTopic().authorise(theirs, "cam-1")
    assert FleetTopic().authorise(ours, "default") and not FleetTopic().authorise(theirs, "default")
    assert FleetTopic().snapshot("none") is None and not FleetTopic().authorise(ours, "none")


def test_old_state_and_pushes_give_the_new_state(monitor, session):
    """Whatever changes what a monitor shows also raises its revision."""
    steps = [
        lambda: change_monitor(monitor, by="ann", name="Front", expected_interval_s=3.0),
        lambda: add_image(NewImage(data=picture(1), monitor=monitor, label="OK")),
        lambda: change_image(Image.objects.get(), by="ann", label="DEFECT"),
        lambda: add_tag(Image.objects.get(), label="scratch", x=0, y=0, w=1, h=1, by="ann"),
        lambda: sessions.set_name_notes(session, by="ann", notes="lamp"),
        lambda: sessions.start_recording(session, by="ann"),
        lambda: stop_monitor(monitor, by="ann"),
    ]
    for step in steps:
        before = shown(monitor)
        step()
        after = shown(monitor)
        assert any(after[name] != before[name] for name in after.keys() - {"at", "flow", "revision"})
        assert after["revision"] > before["revision"]
