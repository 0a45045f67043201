"""Sessions of kind `rig` follow the state machine: opened, counted, ended, with a journal people can read."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F

from monitoring.models import Monitor
from monitoring.nina.events import Event, moment_of, scalar, us_of
from monitoring.nina.models import Rig
from monitoring.nina.spans import Span
from monitoring.services.monitors import touch_monitor
from sessions_app import services as sessions
from sessions_app.models import Session, SessionEvent
from sessions_app.services import journal
from sessions_app.states import OPEN, Kind
from sessionsite.common.live import publish_on_commit

BY = "nina"
SEARCHED = 500  # newest sessions among which a rebuild finds its own
NOTABLE = {
    "MOUNT-BEFORE-FLIP": ("flip_started", "info"),
    "MOUNT-AFTER-FLIP": ("flip_ended", "info"),
    "AUTOFOCUS-FINISHED": ("autofocus_finished", "info"),
    "ERROR-AF": ("autofocus_failed", "warning"),
    "ERROR-PLATESOLVE": ("platesolve_failed", "warning"),
    "SEQUENCE-ENTITY-FAILED": ("sequence_step_failed", "error"),
    "TS-NEWTARGETSTART": ("target_started", "info"),
}


def sync_sessions(
    rig: Rig, spans: Iterable[Span], *, new: frozenset[int] | None = None
) -> dict[int, Session]:
    """There is one session per span, with its times and counters; returns them by the span's start.

    new: the starts of spans that began just now; others that have no session here get none, because a person
    ended or removed it. None: every span gets its session.
    """
    spans, found = list(spans), {}
    kept = _candidates(rig, spans)
    for span in sorted(spans, key=lambda span: span.started_us):
        session = _session_of(span, kept)
        if session is not None:
            kept.remove(session)
        elif new is None or span.started_us in new:
            session = _open(rig, span)
        else:
            continue
        found[span.started_us] = _follow(rig, session, span)
    return found


def _candidates(rig: Rig, spans: list[Span]) -> list[Session]:
    """The rig's sessions that a span may belong to. As a rule there is one span, the newest session's."""
    newest = Session.objects.filter(monitor=rig.monitor, kind=Kind.RIG).order_by("-started_at", "-pk")
    first = newest.first()
    if first is None or [span.id for span in spans] == [first.data.get("session_id")]:
        return [first] if first else []
    return list(newest[:SEARCHED])


def _session_of(span: Span, kept: list[Session]) -> Session | None:
    """The session with the span's id, else an open one that began within the span: its start was missed."""
    for session in kept:
        if session.data.get("session_id") == span.id:
            return session
    for session in kept:
        began_us = us_of(session.started_at)
        inside = span.started_us <= began_us and (span.ended_us is None or began_us <= span.ended_us)
        if session.state in OPEN and inside:
            return session
    return None


def _open(rig: Rig, span: Span) -> Session:
    monitor = rig.monitor
    busy = Session.objects.open().filter(monitor=monitor).first()
    if busy is not None:  # somebody started it by hand, or the end of the one before was missed
        sessions.end_session(busy, by=BY, reason="a session of the rig began")
    session = sessions.open_session(
        monitor.organisation,
        kind=Kind.RIG,
        monitor=monitor,
        by=BY,
        name=f"{monitor.name} {moment_of(span.started_us).astimezone(rig.zone):%Y-%m-%d %H:%M}",
        data={"session_id": span.id},
        started_at=moment_of(span.started_us),
    )
    touch_monitor(monitor, urgent=True, current_session=session)
    return session


def _follow(rig: Rig, session: Session, span: Span) -> Session:
    """The session shows what the span says; when the span is over, so is the session."""
    data = {**session.data, "session_id": span.id, "rig": span.figures}
    total, started_at = span.figures["total_images"], moment_of(span.started_us)
    if (session.data, session.total_counter, session.started_at) != (data, total, started_at):
        Session.objects.filter(pk=session.pk).update(
            data=data,
            total_counter=total,
            started_at=started_at,
            revision=F("revision") + 1,
        )
        session.refresh_from_db()
        publish_on_commit(f"session:{session.key}", revision=session.revision, seq=session.last_seq)
        touch_monitor(rig.monitor)
    if span.ended_us is not None and session.state in OPEN:
        ended_at = moment_of(span.ended_us)
        sessions.end_session(session, by=BY, reason="sequence finished", stopped_at=ended_at)
    return session


def write_journal(rig: Rig, events: Iterable[tuple[int, Event]], session: Session | None) -> None:
    """What a person wants to read of these (seq, event) stands in the journal of `session`, once.

    Events without a session are told in the newest one if they came after it: the alarm of the morning.
    """
    entries = [(seq, event, told) for seq, event in events if (told := _told(event))]
    if entries and session is None:
        session = Monitor.objects.select_related("current_session").get(pk=rig.monitor_id).current_session
        entries = [entry for entry in entries if session and entry[1].at >= session.started_at]
    there = _written(session, [f"rig:{seq}" for seq, _, _ in entries]) if entries else set()
    for seq, event, (kind, detail) in entries:
        if f"rig:{seq}" not in there:
            journal.append(
                session, kind, detail=detail, by=BY, at=event.at, dedup_key=f"rig:{seq}", is_change=True
            )


def _written(session: Session, keys: list[str]) -> set[str]:
    """Those of `keys` that the session's journal has; of several all that it has of the rig."""
    ours = {"dedup_key": keys[0]} if len(keys) == 1 else {"dedup_key__startswith": "rig:"}
    return set(SessionEvent.objects.filter(session=session, **ours).values_list("dedup_key", flat=True))


def _told(event: Event) -> tuple[str, dict] | None:
    """(kind, detail) of the journal entry for this event; None when it has none."""
    if event.type == "SAFETY-CHANGED" and isinstance(is_safe := event.payload.get("IsSafe"), bool):
        kind = "became_safe" if is_safe else "became_unsafe"
        return kind, {"is_safe": is_safe, "severity": "info" if is_safe else "error"}
    if event.type not in NOTABLE:
        return None
    kind, severity = NOTABLE[event.type]
    said = {name: scalar(value) for name, value in event.payload.items() if scalar(value) is not None}
    return kind, {"event": event.type, "severity": severity, **said}
