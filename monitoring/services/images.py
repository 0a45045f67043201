"""The one rule for pictures: checked, stored, counted once, answered after the commit."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import DatabaseError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from monitoring import boxes, disk, imaging, store
from monitoring.models import Image, Monitor
from monitoring.services.errors import (
    DiskFull,
    IdempotencyMismatch,
    NotStarted,
    QuotaExceeded,
    SessionOver,
    Unstorable,
)
from sessions_app.models import LabelCount, Session, SessionEvent
from sessions_app.services import counters
from sessions_app.states import ACCEPTING
from sessionsite.common.clock import iso
from sessionsite.common.errors import Busy, DomainError
from sessionsite.common.files import Batch, inflight, media_path, safe_name
from sessionsite.common.files import publish as publish_files
from sessionsite.common.ids import new_key
from sessionsite.common.live import publish_on_commit

logger = logging.getLogger(__name__)

NAME_MAX, KEY_MAX, DATASET_KEY_MAX = 255, 200, 100
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp", "GIF": "gif"}


@dataclass(frozen=True)
class NewImage:
    """A picture on its way in: for what runs on `monitor`, or by name for `session`, which may have ended.

    taken_at None: now. idempotency_key: unique per monitor; a repeat of it, or of session + taken_at +
    content, is answered with the first picture and counted once.
    """

    data: bytes
    monitor: Monitor | None = None
    session: Session | None = None
    name: str = ""
    taken_at: datetime | None = None
    label: str = ""
    dataset_key: str | None = None
    idempotency_key: str | None = None
    author: str = ""


@dataclass(frozen=True)
class Added:
    """The picture is kept under `key`. repeated: it was there before and nothing was counted."""

    key: str
    session: str | None
    repeated: bool = False


@dataclass
class Prepared:
    """A picture that passed every check and lies in its place on disk; only its row is missing."""

    new: NewImage
    row: store.ImageRow
    files: Batch
    is_late: bool = False
    size_bytes: int = 0
    session_key: str = ""
    result: Added | DomainError | None = field(default=None)


def add_image(new: NewImage) -> Added:
    """The picture is kept and counted, durably. Raises what add_images puts into its list."""
    [result] = add_images([new])
    if isinstance(result, DomainError):
        raise result
    return result


def add_images(batch: Sequence[NewImage]) -> list[Added | DomainError]:
    """Each picture is either kept, counted and announced, or refused with its reason, in the batch's order.

    Refusals: NotAPicture, PictureTooLarge, NotStarted, SessionOver, DiskFull, QuotaExceeded,
    IdempotencyMismatch, BadTag (the label). One refusal never fails its batch; a refused picture leaves no
    file and no row.
    """
    results = [_prepare_or_refuse(new) for new in batch]
    commit_prepared([item for item in results if isinstance(item, Prepared)])
    return [item.result if isinstance(item, Prepared) else item for item in results]


def _prepare_or_refuse(new: NewImage) -> Prepared | Added | DomainError:
    try:
        return prepare(new)
    except DomainError as error:
        return error


def prepare(new: NewImage) -> Prepared | Added:
    """Check the picture and write its files under temporary names; an Added when it was there before."""
    sha256 = hashlib.sha256(new.data).hexdigest()
    session = _session_for(new)
    if repeat := _first_answer(new, session, sha256):
        return repeat
    now = timezone.now()
    is_late = _check_session(new, session, now)
    _check_words(new)
    _check_room(new.monitor or session.monitor, len(new.data))
    picture = imaging.inspect(new.data)
    key, extension = new_key("im"), EXTENSIONS[picture.format]
    slug = (new.monitor or session).organisation.slug
    file_path, thumbnail_path = media_path(slug, key, extension), media_path(slug, key, "thumb.webp")
    files = inflight().batch()
    try:
        files.add(file_path, new.data)
        files.add(thumbnail_path, picture.thumbnail_webp)
    except BaseException:
        files.discard()
        raise
    size_bytes = len(new.data) + len(picture.thumbnail_webp)
    row = store.ImageRow(
        key=key,
        organisation_id=session.organisation_id,
        session_id=session.pk,
        monitor_id=new.monitor.pk if new.monitor else session.monitor_id,
        dataset_id=None,
        file_path=file_path,
        thumbnail_path=thumbnail_path,
        format=picture.format,
        size_bytes=size_bytes,
        sha256=sha256,
        width=picture.width,
        height=picture.height,
        taken_at=new.taken_at or now,
        received_at=now,
        name=safe_name(new.name, default="")[:NAME_MAX],
        label=new.label,
        author=new.author,
        idempotency_key=new.idempotency_key,
    )
    return Prepared(new, row, files, is_late, size_bytes, session.key)


def _session_for(new: NewImage) -> Session:
    """The session the picture is for; a monitor's newest one need not be open (a repeat may come late)."""
    if new.session is not None:
        return new.session
    session = Session.objects.filter(state__in=ACCEPTING, monitor=new.monitor).first()
    session = session or Session.objects.filter(pk=new.monitor.current_session_id).first()
    if session is None:
        raise NotStarted("not started", monitor=new.monitor.slug)
    return session


def _first_answer(new: NewImage, session: Session, sha256: str) -> Added | None:
    """The answer that this very picture got before."""
    if new.idempotency_key:
        if len(new.idempotency_key) > KEY_MAX:
            raise IdempotencyMismatch(f"An idempotency key has at most {KEY_MAX} characters.")
        same_key = Image.objects.filter(
            monitor=new.monitor or session.monitor, idempotency_key=new.idempotency_key
        ).select_related("session")
        if first := same_key.first():
            if first.sha256 != sha256:
                raise IdempotencyMismatch(
                    "This idempotency key came with another picture before.", image=first.key
                )
            return Added(first.key, first.session.key if first.session_id else None, repeated=True)
    if new.taken_at is None:
        return None
    first = Image.objects.filter(session=session, taken_at=new.taken_at, sha256=sha256).first()
    return first and Added(first.key, session.key, repeated=True)


def _check_session(new: NewImage, session: Session, now: datetime) -> bool:
    """True when the picture comes after its session's end, in its window. Raises NotStarted, SessionOver."""
    if session.state in ACCEPTING:
        return False
    if new.session is None:
        raise NotStarted("not started", monitor=new.monitor.slug)
    taken_at, end = new.taken_at or now, session.stopped_at or now
    if not session.started_at <= taken_at <= end:
        raise SessionOver(
            "The session has ended and its time does not hold this picture's.",
            session=session.key,
            started_at=iso(session.started_at),
            stopped_at=iso(end),
            taken_at=iso(taken_at),
        )
    return True


def _check_words(new: NewImage) -> None:
    if new.label:
        boxes.validate_label(new.label)
    if new.dataset_key is not None and not 1 <= len(new.dataset_key) <= DATASET_KEY_MAX:
        raise DomainError(f"A dataset id has 1 to {DATASET_KEY_MAX} characters.", field="dataset")


def _check_room(monitor: Monitor | None, size_bytes: int) -> None:
    if disk.is_full():
        raise DiskFull("The disk has reached its reserve; free some space and send again.")
    if (
        monitor
        and monitor.quota_bytes is not None
        and monitor.stored_bytes + size_bytes > monitor.quota_bytes
    ):
        raise QuotaExceeded(
            f"{monitor.slug} keeps as many bytes as it may.",
            quota_bytes=monitor.quota_bytes,
            stored_bytes=monitor.stored_bytes,
        )


def commit_prepared(prepared: list[Prepared]) -> None:
    """Publish the files, then commit all rows in one transaction; each item gets its result.

    After a database error the batch is halved and tried again, so that only the bad item fails.
    """
    if not prepared:
        return
    publish_files([item.files for item in prepared])
    _commit_halving(prepared)


def _commit_halving(prepared: list[Prepared]) -> None:
    try:
        with transaction.atomic():
            _write_rows(prepared)
    except DatabaseError as error:
        if len(prepared) > 1:
            middle = len(prepared) // 2
            _commit_halving(prepared[:middle])
            _commit_halving(prepared[middle:])
        else:
            _refuse_after(error, prepared[0])
        return
    for item in prepared:
        is_kept = isinstance(item.result, Added) and not item.result.repeated
        item.files.settle() if is_kept else item.files.discard()


def _refuse_after(error: DatabaseError, item: Prepared) -> None:
    """The item is refused, or kept when the database has its row: the connection may die in a commit."""
    logger.error("A picture could not be stored: %s", error)
    is_transient = isinstance(error, OperationalError)
    item.result = (
        Busy("The database does not answer; send again.") if is_transient else Unstorable("not storable")
    )
    try:
        is_known = Image.objects.filter(key=item.row.key).exists()
    except DatabaseError:
        return  # undecided: the files keep their intents, and the next start asks the database
    if is_known:
        item.result = Added(item.row.key, item.session_key)
        item.files.settle()
    else:
        item.files.discard()


def _write_rows(prepared: list[Prepared]) -> None:
    """All rows of the batch, in the lock order: sessions by pk, then monitors by pk."""
    now = timezone.now()
    _find_datasets(prepared, now)
    by_session: dict[int, list[Prepared]] = defaultdict(list)
    for item in prepared:
        by_session[item.row.session_id].append(item)
    kept: list[tuple[Prepared, int]] = []
    for session_id in sorted(by_session):
        kept += _add_to_session(session_id, by_session[session_id], now)
    by_monitor: dict[int, list[tuple[Prepared, int]]] = defaultdict(list)
    for item, image_id in kept:
        if item.row.monitor_id is not None:
            by_monitor[item.row.monitor_id].append((item, image_id))
    for monitor_id in sorted(by_monitor):
        _add_to_monitor(monitor_id, by_monitor[monitor_id], now)


def _find_datasets(prepared: list[Prepared], now: datetime) -> None:
    wanted: dict[int, set[str]] = defaultdict(set)
    for item in prepared:
        if item.new.dataset_key:
            wanted[item.row.organisation_id].add(item.new.dataset_key)
    found = {owner: store.dataset_ids(owner, sorted(keys), now) for owner, keys in sorted(wanted.items())}
    for item in prepared:
        if item.new.dataset_key:
            dataset_id = found[item.row.organisation_id][item.new.dataset_key]
        else:
            dataset_id = item.new.monitor.dataset_id if item.new.monitor else None
        object.__setattr__(item.row, "dataset_id", dataset_id)


def _add_to_session(session_id: int, items: list[Prepared], now: datetime) -> list[tuple[Prepared, int]]:
    """The rows that are new, counted and journalled; the other items have their results."""
    items, late = [i for i in items if not i.is_late], [i for i in items if i.is_late]
    kept = _count_and_insert(session_id, items, now, late=False) if items else []
    return kept + (_count_and_insert(session_id, late, now, late=True) if late else [])


def _count_and_insert(session_id: int, items: list[Prepared], now: datetime, *, late: bool):
    size_bytes = sum(item.size_bytes for item in items)
    # The counters go first, for the whole batch: this UPDATE also asks whether the session takes pictures.
    counted = store.count_images(session_id, count=len(items), size_bytes=size_bytes, now=now, late=late)
    if counted is None:
        for item in items:
            item.result = NotStarted("not started", session=item.session_key)
        return []
    pks = store.insert_images([item.row for item in items])
    kept = [(item, pks[item.row.key]) for item in items if item.row.key in pks]
    repeats = [item for item in items if item.row.key not in pks]
    if repeats:
        store.uncount_images(
            session_id,
            count=len(repeats),
            size_bytes=sum(item.size_bytes for item in repeats),
            number_too=not kept,
        )
        for item in repeats:
            item.result = _answer_of_winner(item)
    if kept:
        _journal_images(session_id, [item for item, _ in kept], *counted, late=late)
    return kept


def _answer_of_winner(item: Prepared) -> Added | DomainError:
    """The same picture came twice at once and the other row was first."""
    row = item.row
    same = Q(session_id=row.session_id, taken_at=row.taken_at, sha256=row.sha256)
    if row.idempotency_key:
        same |= Q(monitor_id=row.monitor_id, idempotency_key=row.idempotency_key)
    first = Image.objects.filter(same).order_by("pk").first()
    if first.sha256 != row.sha256:
        return IdempotencyMismatch("This idempotency key came with another picture before.", image=first.key)
    # Its own key: an earlier try of this very row had committed after all.
    return Added(first.key, item.session_key, repeated=first.key != row.key)


def _journal_images(session_id: int, items: list[Prepared], revision: int, seq: int, *, late: bool) -> None:
    for item in items:
        item.result = Added(item.row.key, item.session_key)
    shown = [
        {"key": i.row.key, "name": i.row.name, "label": i.row.label, "taken_at": iso(i.row.taken_at)}
        for i in items
    ]
    SessionEvent.objects.create(
        session_id=session_id,
        organisation_id=items[0].row.organisation_id,
        seq=seq,
        at=items[-1].row.received_at,
        kind="late_image_added" if late else "images_added",
        detail={"count": len(items), "images": shown},
    )
    labels: dict[str, int] = defaultdict(int)
    seconds: dict[int, int] = defaultdict(int)
    for item in items:
        labels[item.row.label] += 1
        seconds[int(item.row.received_at.timestamp())] += 1
    counters.count_labels(session_id, LabelCount.IMAGE, labels)
    if not late:
        counters.count_flow(session_id, seconds)
    publish_on_commit(f"session:{items[0].session_key}", revision=revision, seq=seq)


def _add_to_monitor(monitor_id: int, kept: list[tuple[Prepared, int]], now: datetime) -> None:
    shown = [(item, pk) for item, pk in kept if not item.is_late]
    size_bytes = sum(item.size_bytes for item, _ in kept)
    revision = store.note_monitor(
        monitor_id,
        last_image_id=shown[-1][1] if shown else None,
        size_bytes=size_bytes,
        previous_at=shown[-2][0].row.received_at if len(shown) > 1 else None,
        now=now,
    )
    store.count_day(monitor_id, now.astimezone(UTC).date(), images=len(kept), size_bytes=size_bytes)
    monitor = kept[0][0].new.monitor or kept[0][0].new.session.monitor
    publish_on_commit(f"monitor:{monitor.slug}", revision=revision)
