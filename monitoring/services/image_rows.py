"""The commit of pictures: files published; rows, counters and journal written in one transaction."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Q
from django.utils import timezone

from monitoring import store
from monitoring.models import Image
from monitoring.services.errors import (
    IdempotencyMismatch,
    NotStarted,
    QuotaExceeded,
    SessionOver,
    Unstorable,
)
from sessions_app.models import LabelCount, Session
from sessions_app.services import counters
from sessions_app.store import EventRow, insert_events
from sessionsite.accounts.services import touch_organisation
from sessionsite.common.clock import iso
from sessionsite.common.databases import UNAVAILABLE, unavailable
from sessionsite.common.errors import DomainError
from sessionsite.common.files import Batch
from sessionsite.common.files import publish as publish_files
from sessionsite.common.live import publish_on_commit

logger = logging.getLogger(__name__)

Monitors = dict[int, store.MonitorNow]


@dataclass(frozen=True)
class Added:
    """The picture is kept under `key`. repeated: it was there before and nothing was counted."""

    key: str
    session: str | None
    repeated: bool = False


@dataclass
class Pending:
    """A picture that passed every check; its files wait. `result` is set by the commit.

    row.session_id None: for whatever session runs on row.monitor_id at the moment of the commit.
    is_named: for this session, open or not. is_late: for one that has ended.
    """

    row: store.ImageRow
    files: Batch
    dataset_key: str | None = None
    is_named: bool = False
    is_late: bool = False
    result: Added | DomainError | None = None

    @property
    def is_kept(self) -> bool:
        return isinstance(self.result, Added) and not self.result.repeated


def commit(pending: list[Pending]) -> None:
    """Every item is kept, counted and announced, or refused, and has its result; no refused one has a file.

    When the database refuses the batch it is halved and tried again, so that only the bad item fails.
    """
    if not pending:
        return
    try:
        publish_files([item.files for item in pending])
    except DomainError as error:  # no room: none of the files is there
        for item in pending:
            item.result = error
        return
    _commit_halving(pending)


def _commit_halving(pending: list[Pending]) -> None:
    try:
        with transaction.atomic():
            _write_rows(pending)
    except UNAVAILABLE as error:  # halving would ask in vain
        _settle_after(error, pending)
        return
    except DatabaseError as error:
        if len(pending) == 1:
            _settle_after(error, pending)
            return
        middle = len(pending) // 2
        _commit_halving(pending[:middle])
        _commit_halving(pending[middle:])
        return
    except BaseException:
        for item in pending:
            item.result = None  # rolled back: whatever it says is not true
        raise
    for item in pending:
        item.files.settle() if item.is_kept else item.files.discard()


def _settle_after(error: Exception, pending: list[Pending]) -> None:
    """The items are refused, or kept when the database has their rows: the connection may die in a commit."""
    logger.error("%d pictures could not be stored: %s", len(pending), error)
    for item in pending:
        refused = isinstance(error, UNAVAILABLE)
        item.result = unavailable(error) if refused else Unstorable("The picture could not be stored.")
    try:
        rows = Image.objects.filter(key__in=[item.row.key for item in pending])
        sessions = dict(rows.values_list("key", "session__key"))
    except (DatabaseError, InterfaceError):
        return  # undecided: the files keep their intents, and the next start asks the database
    for item in pending:
        if item.row.key in sessions:
            item.result = Added(item.row.key, sessions[item.row.key])
            item.files.settle()
        else:
            item.files.discard()


def _write_rows(pending: list[Pending]) -> None:
    """All rows of the batch, in the lock order: sessions by pk, organisations, monitors by pk."""
    now = timezone.now()
    _find_datasets(pending, now)
    monitors = store.monitors_now({i.row.monitor_id for i in pending if i.row.monitor_id is not None})
    by_session = _by_session(_within_quota(pending, monitors), monitors)
    kept: list[tuple[Pending, int]] = []
    for session_id, key in sorted(by_session):
        kept += _add_to_session(session_id, key, by_session[session_id, key], now)
    by_monitor: dict[int, list[tuple[Pending, int]]] = defaultdict(list)
    for item, image_id in kept:
        if item.row.monitor_id is not None:
            by_monitor[item.row.monitor_id].append((item, image_id))
    for monitor_id in sorted(by_monitor):
        _add_to_monitor(monitor_id, by_monitor[monitor_id], now)


def _find_datasets(pending: list[Pending], now: datetime) -> None:
    wanted: dict[int, set[str]] = defaultdict(set)
    for item in pending:
        if item.dataset_key:
            wanted[item.row.organisation_id].add(item.dataset_key)
    found = {owner: store.dataset_ids(owner, sorted(keys), now) for owner, keys in sorted(wanted.items())}
    for item in pending:
        if item.dataset_key:
            item.row = item.row._replace(dataset_id=found[item.row.organisation_id][item.dataset_key])


def _within_quota(pending: list[Pending], monitors: Monitors) -> list[Pending]:
    """Those that their monitors have room for; the others are refused. A repeat takes no room."""
    rooms = {pk: now.room_bytes for pk, now in monitors.items() if now.room_bytes is not None}
    if not rooms:
        return pending
    wanted: Counter[int | None] = Counter()
    for item in pending:
        wanted[item.row.monitor_id] += item.row.size_bytes
    taken, seen = [], set()
    for item in pending:
        pk, size_bytes = item.row.monitor_id, item.row.size_bytes
        if pk not in rooms or wanted[pk] <= monitors[pk].room_bytes or not seen.isdisjoint(_marks(item.row)):
            taken.append(item)
        elif (known := _first_answer(item)) is not None:
            item.result = known
        elif size_bytes > rooms[pk]:
            item.result = QuotaExceeded("The monitor keeps as many bytes as it may.", room_bytes=rooms[pk])
        else:
            rooms[pk] -= size_bytes
            seen |= _marks(item.row)
            taken.append(item)
    return taken


def _marks(row: store.ImageRow) -> set[tuple]:
    """What two rows of one batch share only when one of them repeats the other."""
    marks: set[tuple] = {(row.monitor_id, row.session_id, row.taken_at, row.sha256)}
    return marks | {(row.monitor_id, row.idempotency_key)} if row.idempotency_key else marks


def _by_session(pending: list[Pending], monitors: Monitors) -> dict[tuple[int, str], list[Pending]]:
    """(pk, key) of the session -> its items; items of a monitor where nothing runs have their results."""
    keys = store.session_keys({i.row.session_id for i in pending if i.row.session_id is not None})
    found: dict[tuple[int, str], list[Pending]] = defaultdict(list)
    for item in pending:
        if item.row.session_id is not None:
            found[item.row.session_id, keys[item.row.session_id]].append(item)
        elif (monitor := monitors.get(item.row.monitor_id)) and monitor.session:
            item.row = item.row._replace(session_id=monitor.session[0])
            found[monitor.session].append(item)
        else:
            _refuse_not_started(item)
    return found


def _add_to_session(session_id: int, key: str, items: list[Pending], now: datetime):
    """The rows that are new, counted and journalled; the other items have their results."""
    live, late = [i for i in items if not i.is_late], [i for i in items if i.is_late]
    kept = _count_and_insert(session_id, key, live, now, late=False) if live else []
    if kept is None:  # it has ended since they were looked at
        kept, late = [], late + _late_after_all(session_id, live)
    if not late:
        return kept
    if (kept_late := _count_and_insert(session_id, key, late, now, late=True)) is None:  # it was removed
        for item in late:
            _refuse_not_started(item)
    return kept + (kept_late or [])


def _late_after_all(session_id: int, items: list[Pending]) -> list[Pending]:
    """Those that were sent to this session by name and are of its time; the others are refused."""
    session = Session.objects.get(pk=session_id)
    for item in items:
        if not item.is_named:
            _refuse_not_started(item)
            continue
        try:
            check_window(session, item.row.taken_at)
        except SessionOver as error:
            item.result = _first_answer(item) or error
        item.is_late = item.result is None
    return [item for item in items if item.is_late]


def check_window(session: Session, taken_at: datetime) -> None:
    """A session that has ended takes what was taken while it ran, to the millisecond that it shows.

    Raises SessionOver.
    """
    started_at, end = session.started_at, session.stopped_at or timezone.now()
    if not iso(started_at) <= iso(taken_at) <= iso(end):
        raise SessionOver(
            "The session has ended and its time does not hold this picture's.",
            session=session.key,
            started_at=iso(started_at),
            stopped_at=iso(end),
            taken_at=iso(taken_at),
        )


def _count_and_insert(session_id: int, key: str, items: list[Pending], now: datetime, *, late: bool):
    """The new rows of `items` with their pks; None, with nothing done, when the session takes none."""
    size_bytes = sum(item.row.size_bytes for item in items)
    # The counters go first, for the whole batch: this UPDATE also asks whether the session takes pictures.
    counted = store.count_images(session_id, count=len(items), size_bytes=size_bytes, now=now, late=late)
    if counted is None:
        return None
    pks = store.insert_images([item.row for item in items])
    kept = [(item, pks[item.row.key]) for item in items if item.row.key in pks]
    for item, _ in kept:
        item.result = Added(item.row.key, key)
    if len(kept) < len(items):
        _uncount(session_id, [item for item in items if item.row.key not in pks], number_too=not kept)
    if kept:
        _journal(session_id, key, [item for item, _ in kept], *counted, late=late)
    return kept


def _uncount(session_id: int, repeats: list[Pending], *, number_too: bool) -> None:
    """Rows that were there before are not counted; their items get the first answer."""
    size_bytes = sum(item.row.size_bytes for item in repeats)
    store.uncount_images(session_id, count=len(repeats), size_bytes=size_bytes, number_too=number_too)
    for item in repeats:
        item.result = _first_answer(item) or Unstorable("The picture could not be stored.")


def _refuse_not_started(item: Pending) -> None:
    """Nothing runs: a repeat still gets its first answer."""
    item.result = _first_answer(item) or NotStarted("not started")


def _first_answer(item: Pending) -> Added | DomainError | None:
    row = item.row
    try:
        found = find_first(
            monitor_id=row.monitor_id,
            session_id=row.session_id or store.newest_session(row.monitor_id),
            idempotency_key=row.idempotency_key,
            taken_at=row.taken_at,
            sha256=row.sha256,
        )
    except IdempotencyMismatch as error:
        return error
    # Its own key: an earlier try of this very row had committed after all.
    return replace(found, repeated=False) if found and found.key == row.key else found


def find_first(
    *,
    monitor_id: int | None,
    session_id: int | None,
    idempotency_key: str | None,
    taken_at: datetime | None,
    sha256: str,
) -> Added | None:
    """The picture that came first under this idempotency key, or with this content at this moment.

    Raises IdempotencyMismatch when the key came with another content.
    """
    images = Image.objects.select_related("session")
    if idempotency_key:
        # Without a monitor a key is the session's: another's pictures without one must not answer here.
        owner = {"monitor_id": monitor_id} if monitor_id else {"session_id": session_id}
        first = images.filter(idempotency_key=idempotency_key, **owner).first()
        if first and first.sha256 != sha256:
            raise IdempotencyMismatch(
                "This idempotency key came with another picture before.", image=first.key
            )
        if first:
            return Added(first.key, first.session.key if first.session_id else None, repeated=True)
    if taken_at is None or session_id is None:
        return None
    first = images.filter(Q(session_id=session_id), taken_at=taken_at, sha256=sha256).first()
    return first and Added(first.key, first.session.key, repeated=True)


def _journal(session_id: int, key: str, items: list[Pending], revision: int, seq: int, *, late: bool):
    """One entry for the batch, label counts, buckets of the rate; readers are woken after the commit."""
    rows = [item.row for item in items]
    shown = [
        {"key": row.key, "name": row.name, "label": row.label, "taken_at": iso(row.taken_at)} for row in rows
    ]
    kind = "late_image_added" if late else "images_added"
    detail = {"count": len(rows), "images": shown}
    insert_events([EventRow(session_id, rows[0].organisation_id, seq, kind, rows[-1].received_at, detail)])
    counters.count_labels(session_id, LabelCount.IMAGE, Counter(row.label for row in rows))
    if late:
        touch_organisation(rows[0].organisation_id)
    else:
        counters.count_flow(session_id, Counter(int(row.received_at.timestamp()) for row in rows))
    publish_on_commit(f"session:{key}", revision=revision, seq=seq)


def _add_to_monitor(monitor_id: int, kept: list[tuple[Pending, int]], now: datetime) -> None:
    shown = [(item, pk) for item, pk in kept if not item.is_late]
    size_bytes = sum(item.row.size_bytes for item, _ in kept)
    slug, revision = store.note_monitor(
        monitor_id,
        last_image_id=shown[-1][1] if shown else None,
        size_bytes=size_bytes,
        previous_at=shown[-2][0].row.received_at if len(shown) > 1 else None,
        now=now,
    )
    store.count_day(monitor_id, now.astimezone(UTC).date(), images=len(kept), size_bytes=size_bytes)
    publish_on_commit(f"monitor:{slug}", revision=revision)
