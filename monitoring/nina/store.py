"""The journal of a rig: what was accepted, numbered without gaps, and the state that follows from it.

Writers come one after the other: each locks the rig's row first. A listener gives the epoch of its lease; one
that was taken over from finds a higher epoch there and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from monitoring.nina.events import Event, moment_of, read_local
from monitoring.nina.intake import History, Ingest, read_history
from monitoring.nina.matching import event_of, match, merged
from monitoring.nina.models import Rig, RigEvent, RigGap
from monitoring.nina.reconcile import BATCH, of_generation, reconcile, row_of, update_rows
from monitoring.nina.sessions import correct_journal, sync_sessions, write_journal, write_outside
from monitoring.nina.spans import replay
from monitoring.nina.state import State
from monitoring.nina.wire import RemoteClock
from sessions_app.models import Session
from sessionsite.common import clock
from sessionsite.common.errors import Conflict
from sessionsite.common.live import publish_on_commit

TWINS = timedelta(seconds=5)  # a frame may be taken after the history that has its event
LATE = timedelta(seconds=1)  # a frame may be on its way for so long
LAST = 2**31  # an event without a place in the history comes after those of the same moment


class TakenOver(Conflict):
    """Another process listens to this rig now."""

    code = "taken_over"


@transaction.atomic
def receive(
    rig_id: int, events: list[Event], *, counted: Ingest | None = None, epoch: int | None = None
) -> Rig:
    """The events, oldest first, are in the journal and in the state. Raises TakenOver.

    counted: what the intake counted since the last call, dropped frames included.
    """
    rig = locked(rig_id, epoch)
    rig.ingest = asdict(Ingest(**rig.ingest).plus(counted or Ingest()))
    state = State.from_json(rig.state)
    fresh = [_in_order(event, state) for event in events if not _twin_of(rig, event)]
    if twins := len(events) - len(fresh):  # a row has gained what only the socket tells
        rig.ingest["accepted"] -= twins
        rig.ingest["duplicates"] += twins
        _replay(rig, of_generation(rig))
        state = State.from_json(rig.state)
    before = state.started_us if state.is_open else None
    result = replay(fresh, rig.zone, state)
    began = frozenset(result.spans) - {before}
    sessions = sync_sessions(rig, result.spans.values(), new=began) if fresh else {}
    rows = [row_of(rig, event, is_live=True) for event in fresh]
    for row, started_us in zip(rows, result.started_us_of, strict=True):
        row.session = sessions.get(started_us)
    RigEvent.objects.bulk_create(rows, batch_size=BATCH)
    _journal(rig, rows, fresh, sessions, new={row.seq for row in rows})
    rig.state = state.as_json()
    rig.link = {**rig.link, "heard_at": clock.iso(clock.now())}
    _save(rig, "state", "ingest", "last_seq", "link", urgent=True)
    return rig


def _in_order(event: Event, state: State) -> Event:
    """A frame is never older than what was known before it: order of arrival is the order of the night."""
    if state.newest_us is not None and event.at_us < state.newest_us:
        return replace(event, at=moment_of(state.newest_us))
    return event


def _twin_of(rig: Rig, event: Event) -> RigEvent | None:
    """The row that the last rebuild made of this very event, if there is one; it then holds both shapes."""
    if rig.rebuilt_at is None:
        return None
    remote = RemoteClock.from_json(rig.link.get("clock"))
    if remote.ours(event.at) > rig.rebuilt_at + LATE:  # it is newer than the history that was read
        return None
    near = TWINS * remote.speed
    rows = RigEvent.objects.filter(
        rig=rig,
        generation=rig.generation,
        type=event.type,
        is_live=False,
        at__range=(event.at - near, event.at + near),
    )
    for row in sorted(rows, key=lambda row: abs(row.at - event.at)):
        if match([RigEvent(type=event.type, at=event.at, raw=event.raw)], [event_of(row)]):
            row.raw, row.is_live = merged(event.raw, row.raw), True
            row.save(update_fields=["raw", "is_live"])
            return row
    return None


@transaction.atomic
def rebuild(
    rig_id: int,
    *,
    application_start: str,
    entries: Any,
    images: Any,
    asked_at: datetime | None = None,
    link: dict[str, Any] | None = None,
    epoch: int | None = None,
) -> Rig:
    """The journal holds what NINA's history holds, and the state is what the whole journal leads to.

    asked_at: the moment before the history was asked for; default: now. link: what became known of the
    connection with it; readers see one change. Doing it again changes nothing.
    When NINA has restarted, what is stored is kept and its new history goes on from there. Raises TakenOver.
    """
    rig = locked(rig_id, epoch)
    rig.link = {**rig.link, **(link or {})}
    history = read_history(entries, images, rig.zone)
    if _is_other_history(rig, application_start, history):
        _begin_generation(rig, application_start)
        rig.application_start = ""  # the new one's, when it cannot be read now, is not taken for yet another
    rig.application_start = application_start or rig.application_start
    found = reconcile(rig, history, asked_at or clock.now())
    _replay(rig, found.rows, new=found.added)
    for start in range(0, len(found.added), BATCH):
        RigEvent.objects.bulk_create(found.added[start : start + BATCH])
    correct_journal(rig, [(row.seq, event_of(row)) for row in found.moved])
    rig.rebuilt_at = clock.now()
    _save(rig, *REBUILT, urgent=True)
    return rig


REBUILT = (
    "application_start",
    "generation",
    "counted_entries",
    "base_state",
    "state",
    "ingest",
    "last_seq",
    "rebuilt_at",
    "link",
)


def _is_other_history(rig: Rig, application_start: str, history: History) -> bool:
    """Whether NINA has restarted since: it says so, or its history contradicts what is stored of it."""
    if application_start and rig.application_start:
        return application_start != rig.application_start
    if not history.ingest.received:
        return False
    stored = dict(of_generation(rig).counted().filter(index__isnull=False).values_list("index", "type"))
    served = {event.index: event.type for event in history.events}
    gone = [index for index in stored if index not in served and index not in history.duplicates]
    return bool(gone) or any(served.get(index, name) != name for index, name in stored.items())


def _begin_generation(rig: Rig, application_start: str) -> None:
    """NINA's new history goes on from the state. Frames of the new NINA that came before its history could
    be read belong to that history, and the state that it goes on from is without them.
    """
    started_at = read_local(application_start, rig.zone)
    early = (
        of_generation(rig).filter(index=None, at__gte=started_at) if started_at else RigEvent.objects.none()
    )
    if early.update(generation=rig.generation + 1):
        events = map(event_of, in_order_of_the_night(of_generation(rig).counted()))
        rig.state = replay(events, rig.zone, State.from_json(rig.base_state)).state.as_json()
    rig.base_state, rig.generation, rig.counted_entries = rig.state, rig.generation + 1, 0


def in_order_of_the_night(rows: Iterable[RigEvent]) -> list[RigEvent]:
    return sorted(rows, key=lambda row: (row.at, LAST if row.index is None else row.index, row.seq))


def _replay(rig: Rig, rows: Iterable[RigEvent], *, new: Iterable[RigEvent] = ()) -> None:
    """State, sessions and journal follow from these rows, all of this generation; `new` are not stored."""
    rows = in_order_of_the_night(row for row in rows if not row.is_repeat)
    events, unsaved = [event_of(row) for row in rows], {row.seq for row in new}
    result = replay(events, rig.zone, State.from_json(rig.base_state))
    sessions = sync_sessions(rig, result.spans.values())
    moved = []
    for row, started_us in zip(rows, result.started_us_of, strict=True):
        session = sessions.get(started_us)
        if row.session_id != (session and session.pk):
            row.session = session
            moved.append(row)
    update_rows([row for row in moved if row.seq not in unsaved], ["session"])
    _journal(rig, rows, events, sessions, new=unsaved)
    rig.state = result.state.as_json()


def _journal(
    rig: Rig, rows: list[RigEvent], events: list[Event], sessions: dict[int, Session], *, new: set[int]
) -> None:
    """new: the numbers of events that nobody has been told of before."""
    told: dict[int | None, list[tuple[int, Event]]] = {}
    for row, event in zip(rows, events, strict=True):
        told.setdefault(row.session_id, []).append((row.seq, event))
    by_id = {session.pk: session for session in sessions.values()}
    for session_id, entries in told.items():
        if session := by_id.get(session_id):
            write_journal(session, entries)
        else:
            write_outside(rig, entries, new=new)


def locked(rig_id: int, epoch: int | None = None) -> Rig:
    """The rig's row, ours until the transaction ends. Raises TakenOver."""
    rig = Rig.objects.select_related("monitor__organisation").select_for_update(of=("self",)).get(pk=rig_id)
    if epoch is not None:
        if epoch < rig.epoch:
            raise TakenOver(f"Another process listens to {rig.slug} now.", rig=rig.slug)
        rig.epoch = epoch
    return rig


def _save(rig: Rig, *names: str, urgent: bool = False) -> None:
    values = {name: getattr(rig, name) for name in names}
    Rig.objects.filter(pk=rig.pk).update(revision=F("revision") + 1, epoch=rig.epoch, **values)
    rig.refresh_from_db(fields=["revision"])
    publish_on_commit(f"rig:{rig.slug}", revision=rig.revision, seq=rig.last_seq, urgent=urgent)


@transaction.atomic
def set_link(rig_id: int, *, counted: Ingest | None = None, epoch: int | None = None, **link: Any) -> Rig:
    """What is known of the connection is as given, fields that are not named stay. Raises TakenOver."""
    rig = locked(rig_id, epoch)
    changed = {**rig.link, **link}
    if changed.get("status") != rig.link.get("status"):
        changed["since"] = clock.iso(clock.now())
        _note_gap(rig, changed["status"])
    ingest = asdict(Ingest(**rig.ingest).plus(counted or Ingest()))
    if (changed, ingest) != (rig.link, rig.ingest):
        rig.link, rig.ingest = changed, ingest
        _save(rig, "link", "ingest", urgent=True)
    return rig


def _note_gap(rig: Rig, status: str) -> None:
    """The time without a connection has begun or ended, when `status` follows on the present one.

    One that nobody saw begin, since this server was down, began with the last sign of life.
    """
    remote = RemoteClock.from_json(rig.link.get("clock"))
    if rig.link.get("status") == "connected":
        heard_at = rig.link.get("heard_at")
        is_late = status == "connecting" and heard_at
        begun_at = remote.at(clock.parse_iso(heard_at)) if is_late else remote.now()
        RigGap.objects.get_or_create(rig=rig, ended_at=None, defaults={"begun_at": begun_at})
    elif status == "connected":
        RigGap.objects.filter(rig=rig, ended_at=None).update(ended_at=remote.now())
