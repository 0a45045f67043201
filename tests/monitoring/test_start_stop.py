"""Monitors: made, started, stopped, archived; their controller's mailbox; and who hears of it."""

from __future__ import annotations

import pytest

from monitoring.models import Monitor
from monitoring.services import (
    AlreadyStarted,
    AlreadyStopped,
    BadMonitor,
    MonitorRunning,
    NewImage,
    SlugTaken,
    add_image,
    archive_monitor,
    change_monitor,
    close_stale,
    controller_ack,
    create_monitor,
    end_any_session,
    restore_monitor,
    start_monitor,
    stop_monitor,
)
from sessions_app import services as sessions
from sessions_app.models import Session
from sessions_app.states import State
from sessionsite.accounts.models import AuditEntry
from sessionsite.common.errors import Conflict
from tests.pictures import picture


def fresh(monitor) -> Monitor:
    return Monitor.objects.select_related("current_session").get(pk=monitor.pk)


def test_starting_opens_a_session_at_zero(monitor):
    session = start_monitor(monitor, by="ann", uid="u-7")
    assert (session.state, session.total_counter, session.started_by) == (State.ACTIVE, 0, "ann")
    assert session.data == {"uid": "u-7"} and session.monitor == monitor
    assert fresh(monitor).current_session == session


def test_starting_asks_the_controller_to_capture(monitor):
    start_monitor(monitor, by="ann")
    box = fresh(monitor).controller
    assert box["status"] is True and box["request"]["command"] == "start_capture"
    assert box["request"]["id"].startswith("rq_")


def test_a_second_start_is_refused_and_changes_nothing(monitor, session):
    before = fresh(monitor).revision
    with pytest.raises(AlreadyStarted):
        start_monitor(monitor, by="bob")
    assert fresh(monitor).revision == before and Session.objects.count() == 1


def test_stopping_keeps_the_final_counter_and_rate(monitor, session, jpeg):
    add_image(NewImage(data=jpeg, monitor=monitor))
    Monitor.objects.update(capture_for_training=True)
    stopped = stop_monitor(monitor, by="bob", reason="shift over")
    assert (stopped.pk, stopped.state, stopped.end_reason) == (session.pk, State.COMPLETED, "shift over")
    assert stopped.flow["total_processed"] == stopped.total_counter == 1
    assert stopped.flow["current_flow_rate"] == 1.0 and stopped.flow["mean_flow_rate"] > 0
    now = fresh(monitor)
    assert not now.capture_for_training and now.presence == ""
    assert now.controller["request"]["command"] == "stop_capture"


def test_a_second_stop_is_refused(monitor, session):
    stop_monitor(monitor, by="ann")
    with pytest.raises(AlreadyStopped):
        stop_monitor(monitor, by="bob")


def test_a_monitor_that_never_ran_cannot_stop(monitor):
    with pytest.raises(AlreadyStopped):
        stop_monitor(monitor, by="ann")


def test_a_recording_stops_with_both_entries(monitor, session):
    sessions.start_recording(session, by="ann")
    stopped = stop_monitor(monitor, by="ann")
    kinds = list(stopped.events.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["started", "recording_started", "recording_stopped", "stopped"]


def test_a_session_in_error_is_stopped_as_interrupted(monitor, session):
    sessions.move(session, State.ERROR, reason="unplugged")
    assert stop_monitor(monitor, by="ann").state == State.INTERRUPTED
    assert start_monitor(fresh(monitor), by="ann").state == State.ACTIVE


def test_start_and_stop_are_told_once_and_after_the_commit(
    monitor, published, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        session = start_monitor(monitor, by="ann")
        assert published == []
    assert published == [f"session:{session.key}", "fleet:default", "monitor:cam-1"]
    published.clear()
    with django_capture_on_commit_callbacks(execute=True):
        stop_monitor(monitor, by="ann")
    assert set(published) == {f"session:{session.key}", "fleet:default", "monitor:cam-1"}


@pytest.mark.parametrize("end", [end_any_session, close_stale])
def test_whoever_ends_its_session_the_monitor_is_idle(monitor, session, end):
    end(session, by="cleanup")
    now = fresh(monitor)
    assert now.current_session.stopped_at is not None
    assert now.controller["request"]["command"] == "stop_capture"
    assert start_monitor(now, by="ann").pk != session.pk


def test_devices_of_the_monitor_are_those_of_its_session(organisation, monitor):
    from devices.services import register_device

    device = register_device(organisation, name="top", type="camera", by="test")
    monitor.devices.add(device)
    assert list(start_monitor(monitor, by="ann").devices.all()) == [device]


def test_an_acknowledged_request_is_no_longer_pending(monitor, session):
    request_id = fresh(monitor).controller["request"]["id"]
    assert controller_ack(monitor, request_id=request_id, by="plc") is True
    box = fresh(monitor).controller
    assert box["status"] is False and box["request"]["id"] == request_id
    entry = session.events.order_by("-seq").first()
    assert (entry.kind, entry.detail["command"], entry.detail["by"]) == (
        "controller_acked",
        "start_capture",
        "plc",
    )
    assert controller_ack(monitor, request_id=request_id, by="plc") is False


def test_an_old_acknowledgement_changes_nothing(monitor, session):
    old = fresh(monitor).controller["request"]["id"]
    stop_monitor(monitor, by="ann")
    before = fresh(monitor).revision
    assert controller_ack(monitor, request_id=old, by="plc") is False
    now = fresh(monitor)
    assert now.revision == before and now.controller["request"]["command"] == "stop_capture"


@pytest.mark.parametrize(
    "fields",
    [
        {"slug": ""},
        {"slug": "Cam"},
        {"slug": "a b"},
        {"slug": "a" * 65},
        {"slug": "cam\n"},
        {"slug": "updatetags"},
        {"slug": "new"},
        {"name": " "},
        {"name": "x" * 201},
        {"kind": "toaster"},
        {"expected_interval_s": 0},
        {"expected_interval_s": -1},
        {"expected_interval_s": float("nan")},
        {"expected_interval_s": float("inf")},
        {"quota_bytes": -1},
        {"quota_bytes": 2**63},
    ],
    ids=str,
)
def test_a_monitor_that_makes_no_sense_is_refused(organisation, fields):
    with pytest.raises(BadMonitor):
        create_monitor(organisation, **({"slug": "cam-9", "by": "ann"} | fields))
    assert not Monitor.objects.exists()


def test_a_slug_is_unique_on_the_server(monitor, other_organisation):
    with pytest.raises(SlugTaken):
        create_monitor(other_organisation, slug="cam-1", by="eve")


def test_a_change_is_audited_with_both_sides_and_a_repeat_is_no_change(monitor):
    change_monitor(monitor, by="ann", name="Front", expected_interval_s=2.0)
    entry = AuditEntry.objects.filter(verb="changed").get()
    assert entry.before == {"name": "Camera 1", "expected_interval_s": None}
    assert entry.after == {"name": "Front", "expected_interval_s": 2.0}
    revision = fresh(monitor).revision
    change_monitor(monitor, by="ann", name="Front")
    assert fresh(monitor).revision == revision and AuditEntry.objects.filter(verb="changed").count() == 1
    with pytest.raises(BadMonitor):
        change_monitor(monitor, by="ann", slug="other")


def test_a_running_monitor_is_not_archived(monitor, session):
    with pytest.raises(MonitorRunning):
        archive_monitor(monitor, by="ann")
    assert fresh(monitor).archived_at is None


def test_an_archived_monitor_does_not_start_until_it_is_restored(monitor):
    seen_before = fresh(monitor)
    archive_monitor(monitor, by="ann")
    for one in (monitor, seen_before):
        with pytest.raises(Conflict, match="archived"):
            start_monitor(one, by="ann")
    assert not Session.objects.exists()
    restore_monitor(monitor, by="ann")
    assert start_monitor(monitor, by="ann").is_open
    assert list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))[-2:] == [
        "archived",
        "restored",
    ]


def test_a_session_of_its_own_has_a_counter_of_its_own(monitor, session):
    for number in range(3):
        add_image(NewImage(data=picture(number), monitor=monitor))
    stop_monitor(monitor, by="ann")
    second = start_monitor(monitor, by="ann")
    add_image(NewImage(data=picture(9), monitor=monitor))
    session.refresh_from_db()
    second.refresh_from_db()
    assert (session.total_counter, second.total_counter) == (3, 1)


def test_a_dataset_of_another_organisation_is_refused(monitor, other_organisation):
    from monitoring.models import Dataset
    from monitoring.services import BadMonitor, change_monitor, create_monitor

    foreign = Dataset.objects.create(organisation=other_organisation, key="theirs", name="theirs")
    with pytest.raises(BadMonitor):
        change_monitor(monitor, by="ann", dataset=foreign)
    with pytest.raises(BadMonitor):
        create_monitor(monitor.organisation, slug="cam-2", by="ann", dataset=foreign)
