"""Alarms where people look for them: in a session's journal, or in the audit trail before any session."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from monitoring.nina import store
from monitoring.nina.intake import LiveIntake
from sessions_app.models import Session, SessionEvent
from sessionsite.accounts.models import AuditEntry
from sessionsite.accounts.sentences import sentence
from sessionsite.common import clock
from tests.nina.player import BOOT

BEGIN = datetime(2026, 1, 1, 20, tzinfo=UTC)


def entry(name: str, minute: float, **fields) -> dict:
    return {"Event": name, "Time": (BEGIN + timedelta(minutes=minute)).isoformat(), **fields}


def heard(rig, *entries: dict) -> None:
    """Frames of the socket, with the time at which they arrive."""
    intake = LiveIntake()
    for flat in entries:
        sent = {name: value for name, value in flat.items() if name != "Time"}
        event = intake.take(json.dumps({"Response": sent}), datetime.fromisoformat(flat["Time"]))
        store.receive(rig.pk, [event])


def rebuilt(rig, *entries: dict) -> None:
    asked_at = clock.now() + timedelta(seconds=5)
    store.rebuild(rig.pk, application_start=BOOT, entries=list(entries), images=[], asked_at=asked_at)


def audited() -> list[tuple[str, str]]:
    rows = AuditEntry.objects.filter(verb__startswith="became_").order_by("pk")
    return [(row.verb, row.after["at"]) for row in rows]


def journalled() -> list[tuple[str, Session]]:
    rows = SessionEvent.objects.filter(kind__startswith="became_").order_by("pk")
    return [(row.kind, row.session) for row in rows]


UNSAFE, SAFE = entry("SAFETY-CHANGED", 0, IsSafe=False), entry("SAFETY-CHANGED", 30, IsSafe=True)
TOLD = [("became_unsafe", "2026-01-01T20:00:00.000Z"), ("became_safe", "2026-01-01T20:30:00.000Z")]


def test_an_alarm_before_any_session_is_in_the_audit_trail_once(rig):
    heard(rig, UNSAFE)
    assert audited() == TOLD[:1]
    rebuilt(rig, UNSAFE)
    heard(rig, SAFE)
    for _ in range(2):
        rebuilt(rig, UNSAFE, SAFE)
    assert audited() == TOLD and journalled() == []
    first = AuditEntry.objects.get(verb="became_unsafe")
    assert (first.organisation, first.actor) == (rig.monitor.organisation, "nina")
    assert sentence(first) == "nina noted that the monitor rig-1 became unsafe"


def test_an_alarm_that_only_the_history_tells_is_in_the_audit_trail_once(rig):
    for _ in range(2):
        rebuilt(rig, UNSAFE, SAFE)
    rebuilt(rig, UNSAFE, SAFE, entry("SEQUENCE-STARTING", 60))
    assert audited() == TOLD and journalled() == []


def test_an_alarm_that_is_refused_with_its_event_is_in_no_trail(rig, monkeypatch):
    def refuse(*args, **kwargs):
        raise store.TakenOver("at the last moment")

    monkeypatch.setattr(store, "_save", refuse)
    try:
        heard(rig, UNSAFE)
    except store.TakenOver:
        assert audited() == []
    else:
        raise AssertionError("it was stored")


def test_alarms_during_and_after_a_session_are_in_its_journal_alone(rig):
    night = [
        entry("SEQUENCE-STARTING", -60),
        UNSAFE,
        entry("SEQUENCE-FINISHED", 10),
        SAFE,
    ]
    heard(rig, *night[:2])
    rebuilt(rig, *night[:2])
    heard(rig, *night[2:])
    rebuilt(rig, *night)
    session = Session.objects.get()
    assert journalled() == [("became_unsafe", session), ("became_safe", session)] and audited() == []


def test_an_alarm_between_two_nights_is_told_in_the_first_however_late_it_is_read(rig):
    nights = [
        entry("SEQUENCE-STARTING", -60),
        entry("SEQUENCE-FINISHED", -10),
        UNSAFE,
        entry("SEQUENCE-STARTING", 10),
    ]
    rebuilt(rig, *nights)
    first, _ = Session.objects.order_by("started_at")
    assert journalled() == [("became_unsafe", first)] and audited() == []


def test_each_alarm_of_a_long_history_is_told_in_the_night_before_it(rig):
    alarms = [entry("SAFETY-CHANGED", minute, IsSafe=minute != 0) for minute in (0, 100, 200)]
    bounds = [entry(f"SEQUENCE-{word}", at) for at, word in
              ((10, "STARTING"), (90, "FINISHED"), (110, "STARTING"), (190, "FINISHED"))]  # fmt: skip
    rebuilt(rig, *alarms, *bounds)
    first, second = Session.objects.order_by("started_at")
    assert audited() == TOLD[:1]
    assert journalled() == [("became_safe", first), ("became_safe", second)]
