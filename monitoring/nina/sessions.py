"""Sessions of kind `rig` follow the state machine: opened, counted, ended, with a journal people can read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Sequence
from datetime import timedelta

from django.db.models import F

from monitoring.nina.events import Event, moment_of, scalar, us_of
from monitoring.nina.models import Rig
from monitoring.nina.spans import Span
from monitoring.services.monitors import touch_monitor
from sessions_app import services as sessions
from sessions_app.models import Session, SessionEvent
from sessions_app.services import journal
from sessions_app.states import OPEN, Kind
from sessionsite.accounts.services import audit
from sessionsite.common.clock import iso
from sessionsite.common.live import publish_on_commit

BY = "nina"
SAME_TIME = timedelta(minutes=1)  # the arrival of a frame and the history's time; zones are further apart
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


def write_journal(session: Session, events: Iterable[tuple[int, Event]]) -> None:
    """What a person wants to read of these (seq, event) stands in the journal of `session`, once."""
    entries = [
        journal.Entry(told[0], event.at, told[1], f"rig:{seq}")
        for seq, event in events
        if (told := _told(event))
    ]
    there = _written(session, [entry.dedup_key for entry in entries]) if entries else set()
    if new := [entry for entry in entries if entry.dedup_key not in there]:
        journal.append_all(session, new, by=BY)


def write_outside(rig: Rig, events: Iterable[tuple[int, Event]], *, new: Container[int]) -> None:
    """Events without a session, in order, are told in the one before: who reads of that night looks there.

    A change of safety before any session stands in the audit trail; `new` numbers were stored just now, so
    that each is written there once.
    """
    notable = [(seq, event) for seq, event in events if _told(event)]
    told_in: dict[Session, list[tuple[int, Event]]] = {}
    for (seq, event), session in zip(notable, _sessions_before(rig, notable), strict=True):
        if session is not None:
            told_in.setdefault(session, []).append((seq, event))
        elif event.type == "SAFETY-CHANGED" and seq in new:
            kind, detail = _told(event)
            after = {"is_safe": detail["is_safe"], "at": iso(event.at), "event": seq}
            audit(rig.monitor.organisation, kind, rig.monitor, by=BY, after=after)
    for session, entries in told_in.items():
        write_journal(session, entries)


def _sessions_before(rig: Rig, events: Sequence[tuple[int, Event]]) -> list[Session | None]:
    """The session of this rig that had begun last at each of these events, which are in order."""
    if not events:
        return []
    first, last = events[0][1].at, events[-1][1].at
    of_rig = Session.objects.filter(monitor=rig.monitor).order_by("started_at", "pk")
    sessions = [*of_rig.filter(started_at__lte=first).reverse()[:1]]
    if last > first:
        sessions += of_rig.filter(started_at__gt=first, started_at__lte=last)
    begins = [session.started_at for session in sessions]
    places = [bisect_right(begins, event.at) for _, event in events]
    return [sessions[place - 1] if place else None for place in places]


def correct_journal(rig: Rig, moved: Iterable[tuple[int, Event]]) -> None:
    """Where a journal tells of one of these at another time, a further entry tells the right one."""
    at_of = {f"rig:{seq}": event.at for seq, event in moved if _told(event)}
    told = SessionEvent.objects.filter(session__monitor=rig.monitor, dedup_key__in=at_of)
    for entry in told.select_related("session") if at_of else ():
        at = at_of[entry.dedup_key]
        if abs(entry.at - at) > SAME_TIME:
            detail = {"entry": entry.seq, "kind": entry.kind, "was_at": iso(entry.at), "severity": "info"}
            key = f"{entry.dedup_key}:{us_of(at)}"
            journal.append(
                entry.session, "time_corrected", detail=detail, by=BY, at=at, dedup_key=key, is_change=True
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
