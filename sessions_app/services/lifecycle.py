"""The life of a session: opened, moved from state to state, ended. Nothing else writes Session.state."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from sessions_app.models import Session, SessionEvent
from sessions_app.services import journal
from sessions_app.states import MOVES, TERMINAL, Kind, State
from sessionsite.accounts.models import Organisation
from sessionsite.common.errors import Conflict
from sessionsite.common.live import publish_on_commit


class IllegalMove(Conflict):
    code = "illegal_move"


class MonitorBusy(Conflict):
    code = "monitor_busy"


@transaction.atomic
def open_session(
    organisation: Organisation,
    *,
    kind: Kind = Kind.MONITOR,
    monitor=None,
    by: str = "",
    name: str = "",
    data: dict | None = None,
    flow: dict | None = None,
    idle_ttl_s: int | None = None,
    detail: dict | None = None,
    started_at: datetime | None = None,
) -> Session:
    """An active session with a `started` entry as number 1.

    started_at: when it began, if not now.
    Raises MonitorBusy when the monitor has an open session: the constraint decides, not a look beforehand.
    """
    now = started_at or timezone.now()
    session = Session(
        organisation=organisation,
        kind=kind,
        monitor=monitor,
        started_by=by,
        name=name,
        started_at=now,
        state=State.ACTIVE,
        data=data or {},
        flow=flow or {},
        idle_ttl_s=idle_ttl_s,
        last_seq=1,
    )
    try:
        with transaction.atomic():  # savepoint: a refusal must not poison the outer transaction
            session.save(force_insert=True)
    except IntegrityError as error:
        raise MonitorBusy("A session is open on this monitor.", monitor=monitor and monitor.slug) from error
    SessionEvent.objects.create(
        session=session,
        organisation=organisation,
        seq=1,
        kind="started",
        at=now,
        detail={**(detail or {}), "by": by},
    )
    journal.announce(session, "started")
    return session


def move(
    session: Session,
    to: State,
    *,
    by: str = "",
    reason: str = "",
    kind: str = "moved",
    detail: dict | None = None,
    **changes,
) -> Session:
    """`session` is in state `to`, its journal says so, its readers are woken.

    A state that nothing leaves sets the stop time, if it is not set.
    kind: the journal entry's kind. changes: other fields of the row that change in the same UPDATE.
    Raises IllegalMove, also when another worker moved first.
    """
    before = State(session.state)
    if to not in MOVES[before]:
        raise IllegalMove(
            f"A session that is {before} cannot become {to}.", session=session.key, state=before
        )
    entry = {**(detail or {}), "from": before, "to": to, "by": by}
    if to == State.ERROR:
        entry.setdefault("severity", "error")
    if reason:
        entry["reason"] = changes["end_reason"] = reason
    elif to == State.ACTIVE:
        changes["end_reason"] = ""  # it goes on after all
    if to in TERMINAL:
        changes.setdefault("stopped_at", Coalesce("stopped_at", Value(timezone.now())))
    with transaction.atomic():
        mine = Session.objects.filter(pk=session.pk, state=before)
        if not mine.update(state=to, revision=F("revision") + 1, last_seq=F("last_seq") + 1, **changes):
            raise IllegalMove("The session changed meanwhile.", session=session.key)
        session.refresh_from_db()
        SessionEvent.objects.create(
            session=session,
            organisation_id=session.organisation_id,
            seq=session.last_seq,
            kind=kind,
            detail=entry,
        )
        journal.announce(session, kind)
        show_on_monitor(session)
    return session


def show_on_monitor(session: Session) -> None:
    """What a monitor shows of its session has changed: its revision is one higher, its readers are woken."""
    if session.monitor_id is None:
        return
    model = Session._meta.get_field("monitor").related_model  # an import would point up
    monitors = model._base_manager.filter(pk=session.monitor_id)
    monitors.update(revision=F("revision") + 1)
    slug, revision = monitors.values_list("slug", "revision").get()
    publish_on_commit(f"monitor:{slug}", revision=revision, urgent=True)


def lock(session: Session) -> Session:
    """`session` as it is now, in the caller's transaction; nobody else changes it before the end of that.

    A row lock on PostgreSQL; on SQLite the IMMEDIATE transaction holds out the others.
    """
    session.refresh_from_db(from_queryset=Session.objects.select_for_update())
    return session


@transaction.atomic
def end_session(
    session: Session,
    *,
    by: str,
    reason: str = "",
    flow: dict | None = None,
    stopped_at: datetime | None = None,
) -> Session:
    """`session` is over, its stop time set and a `stopped` entry written; a recording is stopped first.

    stopped_at: when it ended, if not now.
    A session in error ends as interrupted, any other as completed. Raises IllegalMove when it is over.
    """
    lock(session)
    changes: dict = {"stopped_at": stopped_at or timezone.now()}
    if flow is not None:
        changes["flow"] = flow
    if session.state == State.RECORDING:
        stop_recording(session, by=by)
    if session.state == State.CREATED:
        move(session, State.ERROR, by=by, reason="never began")
    to = State.INTERRUPTED if session.state == State.ERROR else State.COMPLETED
    detail = {"total_counter": session.total_counter}
    return move(session, to, by=by, reason=reason, kind="stopped", detail=detail, **changes)


def start_recording(session: Session, *, by: str) -> Session:
    """What arrives from now on is kept as a recording. Raises IllegalMove unless the session is active."""
    return move(session, State.RECORDING, by=by, kind="recording_started")


def stop_recording(session: Session, *, by: str) -> Session:
    """Back to watching. Raises IllegalMove unless it was recording."""
    if session.state != State.RECORDING:
        raise IllegalMove(f"A session that is {session.state} is not recording.", session=session.key)
    return move(session, State.ACTIVE, by=by, kind="recording_stopped")


@transaction.atomic
def interrupt(session: Session, *, by: str, reason: str) -> Session:
    """An open session that nobody feeds any more is closed as interrupted, by way of error."""
    if lock(session).state != State.ERROR:
        move(session, State.ERROR, by=by, reason=reason, kind="stale" if reason == "stale" else "moved")
    return end_session(session, by=by, reason=reason)
