"""The one rule for pictures: checked, stored, counted once, answered after the commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from monitoring import boxes, disk, imaging, store
from monitoring.models import Monitor
from monitoring.services import image_rows
from monitoring.services.errors import DiskFull, IdempotencyMismatch, NotStarted
from monitoring.services.image_rows import Added, Pending
from sessions_app.models import Session
from sessions_app.states import ACCEPTING
from sessionsite.common.errors import DomainError
from sessionsite.common.files import inflight, media_paths, safe_name
from sessionsite.common.ids import new_key

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
    results: list[Pending | Added | DomainError] = []
    running = _running({new.monitor.pk for new in batch if new.session is None})
    try:
        for new in batch:
            session = new.session
            is_running = session.state in ACCEPTING if session else new.monitor.pk in running
            results.append(_prepare_or_refuse(new, is_running=is_running))
    except BaseException:
        for item in results:
            if isinstance(item, Pending):
                item.files.discard()
        raise
    image_rows.commit([item for item in results if isinstance(item, Pending)])
    return [item.result if isinstance(item, Pending) else item for item in results]


def _running(monitor_ids: set[int]) -> set[int]:
    """Those of the monitors whose session takes pictures."""
    if not monitor_ids:
        return set()
    running = Session.objects.accepting().filter(monitor__in=monitor_ids)
    return set(running.values_list("monitor_id", flat=True))


def _prepare_or_refuse(new: NewImage, *, is_running: bool) -> Pending | Added | DomainError:
    try:
        found = check_or_recall(new, is_running=is_running, recall=first_answer)
        return found.write() if isinstance(found, Checked) else found
    except DomainError as error:
        return error


def check_or_recall(
    new: NewImage, *, is_running: bool, recall: Callable[[NewImage], Added | None]
) -> Checked | Added:
    """The picture checked, or what `recall`, which is `first_answer`, knows of it.

    is_running: its session took pictures a moment ago. Then the tables are asked by the commit alone; else,
    and where the disk is full, a repeat is answered and what nobody takes is refused before it is decoded.
    Raises what `first_answer` and `check` raise.
    """
    if not is_running and (known := recall(new)) is not None:
        return known
    try:
        return check(new)
    except DiskFull:
        if (known := recall(new)) is None:
            raise
        return known


def first_answer(new: NewImage) -> Added | None:
    """The answer that this very picture got before; None when it is new and its session takes it.

    A look ahead that spares refused pictures their decoding: the commit asks all of it again.
    Raises NotStarted, SessionOver, IdempotencyMismatch.
    """
    monitor, session = new.monitor, new.session
    if session is None:
        session = Session.objects.accepting().filter(monitor=monitor).first()
    known = image_rows.find_first(
        monitor_id=monitor.pk if monitor else session.monitor_id,
        session_id=session.pk if session else monitor.current_session_id,
        idempotency_key=new.idempotency_key,
        taken_at=new.taken_at,
        sha256=imaging.sha256_of(new.data),
    )
    if known is None and session is None:
        raise NotStarted("not started", monitor=monitor.slug)
    if known is None and session.state not in ACCEPTING:
        image_rows.check_window(session, new.taken_at or timezone.now())
    return known


@dataclass(frozen=True)
class Checked:
    """A picture that passed its checks; nothing of it is on disk yet."""

    row: store.ImageRow
    original: bytes
    thumbnail: bytes
    dataset_key: str | None
    is_named: bool
    is_late: bool

    def write(self) -> Pending:
        """Its files lie under temporary names, synced as DURABILITY asks. Raises NoRoom."""
        files = inflight().batch()
        try:
            files.add_all([(self.row.file_path, self.original), (self.row.thumbnail_path, self.thumbnail)])
        except BaseException:
            files.discard()
            raise
        return Pending(self.row, files, self.dataset_key, is_named=self.is_named, is_late=self.is_late)


def check(new: NewImage) -> Checked:
    """The picture is whole, of a size we take, and there is room for it.

    Reads no table where the monitor, or the session and its monitor, came with their organisation.
    Raises DiskFull, BadTag, IdempotencyMismatch (a key too long), NotAPicture, PictureTooLarge.
    """
    label = _check_words(new)
    if disk.is_full():
        raise DiskFull("The disk has reached its reserve; free some space and send again.")
    picture = imaging.inspect(new.data)
    key = new_key("im")
    owner = (new.monitor or new.session).organisation
    monitor = new.monitor or new.session.monitor
    now = timezone.now()
    row = store.ImageRow(
        key=key,
        organisation_id=owner.pk,
        session_id=new.session.pk if new.session else None,
        monitor_id=monitor.pk if monitor else None,
        dataset_id=monitor.dataset_id if monitor else None,
        **columns_of(owner.slug, key, new.data, picture),
        taken_at=new.taken_at or now,
        received_at=now,
        name=safe_name(new.name, default="")[:NAME_MAX],
        label=label,
        author=new.author,
        idempotency_key=new.idempotency_key,
    )
    is_named = new.session is not None
    is_late = is_named and new.session.state not in ACCEPTING
    return Checked(row, new.data, picture.thumbnail_webp, new.dataset_key, is_named, is_late)


def columns_of(slug: str, key: str, data: bytes, picture: imaging.Picture) -> dict:
    """Where the files of a picture of the organisation `slug` lie, and what was measured of it."""
    file_path, thumbnail_path = media_paths(slug, key, EXTENSIONS[picture.format], "thumb.webp")
    return {
        "file_path": file_path,
        "thumbnail_path": thumbnail_path,
        "format": picture.format,
        "size_bytes": len(data) + len(picture.thumbnail_webp),
        "sha256": picture.sha256,
        "width": picture.width,
        "height": picture.height,
    }


def _check_words(new: NewImage) -> str:
    """The label as it is kept."""
    if new.dataset_key is not None and not 1 <= len(new.dataset_key) <= DATASET_KEY_MAX:
        raise DomainError(f"A dataset id has 1 to {DATASET_KEY_MAX} characters.", field="dataset")
    if new.idempotency_key and len(new.idempotency_key) > KEY_MAX:
        raise IdempotencyMismatch(f"An idempotency key has at most {KEY_MAX} characters.")
    return boxes.validate_label(new.label, empty_allowed=True)
