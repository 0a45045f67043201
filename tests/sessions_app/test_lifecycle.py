"""The life of a session: legal moves and no other, one open session per monitor, one winner of a race."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sessions_app import services as sessions
from sessions_app.models import Session, SessionEvent
from sessions_app.services import IllegalMove, MonitorBusy
from sessions_app.states import ACCEPTING, MOVES, OPEN, TERMINAL, Kind, State

PAIRS = [(before, to) for before in State for to in State]


def made(organisation, state: State, **fields) -> Session:
    """A session that is in `state` without having come there by moves."""
    return Session.objects.create(organisation=organisation, kind=Kind.RECORDING, state=state, **fields)


@pytest.mark.parametrize(("before", "to"), PAIRS, ids=lambda state: str(state))
def test_a_session_moves_where_the_table_says_and_nowhere_else(organisation, before, to):
    session = made(organisation, before)
    if to in MOVES[before]:
        sessions.move(session, to, by="ann")
        entry = session.events.get()
        assert (session.state, session.revision, session.last_seq) == (to, 2, 1)
        assert (entry.kind, entry.seq) == ("moved", 1)
        severity = {"severity": "error"} if to == State.ERROR else {}
        assert entry.detail == {"from": before, "to": to, "by": "ann", **severity}
        assert (session.stopped_at is not None) is (to in TERMINAL)
    else:
        with pytest.raises(IllegalMove):
            sessions.move(session, to, by="ann")
        assert not session.events.exists()
    assert Session.objects.get(pk=session.pk).state == (to if to in MOVES[before] else before)


def test_a_stop_time_that_is_known_stays(organisation):
    session = made(organisation, State.PROCESSING, stopped_at=datetime(2026, 11, 20, tzinfo=UTC))
    sessions.move(session, State.COMPLETED)
    assert session.stopped_at == datetime(2026, 11, 20, tzinfo=UTC)


def test_terminal_states_have_no_way_out_and_every_state_can_end():
    assert {state for state in State if not MOVES[state]} == set(TERMINAL)
    for state in State:
        reached, edge = {state}, [state]
        while edge:
            edge = [to for here in edge for to in MOVES[here] if to not in reached and not reached.add(to)]
        assert reached & set(TERMINAL), f"{state} never ends"
    assert set(ACCEPTING) < set(OPEN) and not set(OPEN) & set(TERMINAL)


def test_of_two_who_move_the_same_session_the_second_is_told(organisation):
    session = made(organisation, State.ACTIVE)
    stale = Session.objects.get(pk=session.pk)
    sessions.move(session, State.RECORDING)
    with pytest.raises(IllegalMove, match="meanwhile"):
        sessions.move(stale, State.COMPLETED)
    assert Session.objects.get(pk=session.pk).state == State.RECORDING
    assert SessionEvent.objects.filter(session=session).count() == 1


def test_a_monitor_has_one_open_session(organisation, monitor):
    first = sessions.open_session(organisation, monitor=monitor, by="ann")
    with pytest.raises(MonitorBusy):
        sessions.open_session(organisation, monitor=monitor, by="bob")
    sessions.end_session(first, by="ann")
    second = sessions.open_session(organisation, monitor=monitor, by="bob")
    assert second.state == State.ACTIVE and second.pk != first.pk


@pytest.mark.parametrize("state", State, ids=str)
def test_an_open_state_keeps_the_monitor_busy_and_any_other_frees_it(organisation, monitor, state):
    made(organisation, state, monitor=monitor)
    if state in OPEN:
        with pytest.raises(MonitorBusy):
            sessions.open_session(organisation, monitor=monitor)
    else:
        assert sessions.open_session(organisation, monitor=monitor).state == State.ACTIVE


def test_a_session_begins_with_entry_number_one(organisation):
    session = sessions.open_session(organisation, by="ann", detail={"uid": "7"}, data={"a": 1})
    entry = session.events.get()
    assert (entry.seq, entry.kind, entry.detail) == (1, "started", {"uid": "7", "by": "ann"})
    assert (session.last_seq, session.state, session.data) == (1, State.ACTIVE, {"a": 1})


@pytest.mark.parametrize(
    ("state", "end"),
    [
        (State.CREATED, State.INTERRUPTED),
        (State.ACTIVE, State.COMPLETED),
        (State.RECORDING, State.COMPLETED),
        (State.PROCESSING, State.COMPLETED),
        (State.ERROR, State.INTERRUPTED),
    ],
)
def test_ending_leaves_a_stop_time_and_a_stopped_entry(organisation, state, end):
    session = made(organisation, state, total_counter=3)
    sessions.end_session(session, by="ann", reason="shift over", flow={"total_processed": 3})
    last = session.events.order_by("-seq").first()
    assert (session.state, session.end_reason, session.flow) == (end, "shift over", {"total_processed": 3})
    assert session.stopped_at is not None
    assert (last.kind, last.detail["total_counter"], last.detail["reason"]) == ("stopped", 3, "shift over")


@pytest.mark.parametrize("state", TERMINAL, ids=str)
def test_what_is_over_cannot_end_again(organisation, state):
    session = made(organisation, state)
    with pytest.raises(IllegalMove):
        sessions.end_session(session, by="ann")


def test_ending_while_recording_stops_the_recording_first(organisation):
    session = sessions.open_session(organisation)
    sessions.start_recording(session, by="ann")
    sessions.end_session(session, by="ann")
    kinds = list(session.events.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["started", "recording_started", "recording_stopped", "stopped"]


def test_ending_goes_by_what_the_session_is_now_not_by_what_was_seen(organisation):
    session = sessions.open_session(organisation)
    seen_before = Session.objects.get(pk=session.pk)
    sessions.start_recording(session, by="bob")
    sessions.end_session(seen_before, by="ann")
    assert seen_before.state == State.COMPLETED


def test_only_a_recording_can_be_stopped(organisation):
    session = sessions.open_session(organisation)
    with pytest.raises(IllegalMove):
        sessions.stop_recording(session, by="ann")
    sessions.start_recording(session, by="ann")
    with pytest.raises(IllegalMove):
        sessions.start_recording(session, by="bob")


def test_an_interrupted_session_went_by_way_of_error(organisation):
    session = sessions.open_session(organisation)
    sessions.interrupt(session, by="cleanup", reason="stale")
    entries = list(session.events.order_by("seq").values_list("kind", "detail__to"))
    assert entries == [("started", None), ("stale", "error"), ("stopped", "interrupted")]
    assert session.end_reason == "stale"


def test_a_session_that_goes_on_after_an_error_forgets_the_reason(organisation):
    session = sessions.open_session(organisation)
    sessions.move(session, State.ERROR, reason="camera unplugged")
    assert session.end_reason == "camera unplugged"
    sessions.move(session, State.ACTIVE, by="ann")
    assert session.end_reason == ""
    sessions.end_session(session, by="ann")
    assert session.end_reason == ""


def test_name_and_notes_change_with_the_old_value_in_the_journal(organisation):
    session = sessions.open_session(organisation, name="early")
    revision = session.revision
    sessions.set_name_notes(session, by="ann", name="late", notes="lamp changed")
    entries = list(session.events.order_by("seq").values_list("kind", "detail"))[1:]
    assert entries == [
        ("renamed", {"before": "early", "after": "late", "by": "ann"}),
        ("notes_changed", {"before": "", "revision": 1, "by": "ann"}),
    ]
    assert session.revision == revision + 2
    sessions.set_name_notes(session, by="ann", name="late", notes="lamp changed")
    assert session.events.count() == 3


def test_what_a_monitor_shows_of_its_session_moves_its_revision(organisation, monitor, session):
    from monitoring.models import Monitor
    from monitoring.state import monitor_state

    def shown() -> dict:
        return monitor_state(Monitor.objects.for_messages().get(pk=monitor.pk))

    before = shown()
    sessions.set_name_notes(session, by="ann", notes="lamp changed")
    noted = shown()
    assert noted["session"]["notes"] == "lamp changed" and noted["revision"] > before["revision"]
    sessions.start_recording(session, by="ann")
    recording = shown()
    assert recording["session"]["state"] == "recording" and recording["revision"] > noted["revision"]
    sessions.stop_recording(session, by="ann")
    sessions.move(session, State.ERROR, reason="unplugged")
    failed = shown()
    assert failed["status"] == "error" and failed["revision"] > recording["revision"]
