"""What goes away in time: sessions that nobody feeds, pictures past their term, files that nobody names.

Rows go first, in bounded transactions, and their files after the commit: a crash in between leaves a file
without a row, which the next clean-up finds, and never a row without its file. Open sessions lose nothing.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from monitoring.models import Image, Monitor, Tag
from monitoring.services.history import UNREVIEWED
from monitoring.services.hold import check_not_held
from monitoring.services.monitors import close_stale, touch_monitor
from sessions_app import services as sessions
from sessions_app.models import LabelCount, Session
from sessions_app.services import counters
from sessions_app.states import OPEN, TERMINAL
from sessionsite.accounts.services import audit
from sessionsite.common.files import remove_media

logger = logging.getLogger(__name__)

BY = "cleanup"
BATCH = 500  # pictures per transaction


@dataclass(frozen=True)
class Purged:
    """Pictures that are gone for ever, and the bytes they took with their thumbnails."""

    images: int = 0
    size_bytes: int = 0

    def __add__(self, other: Purged) -> Purged:
        return Purged(self.images + other.images, self.size_bytes + other.size_bytes)


# -- sessions that nobody feeds ------------------------------------------------------------------------------


def stale_sessions(age: timedelta) -> QuerySet[Session]:
    """Open monitor sessions that have accepted nothing for `age`, the oldest first."""
    return Session.objects.stale_for(age).select_related("monitor").order_by("pk")


@transaction.atomic
def close_if_stale(session: Session, age: timedelta, *, by: str = BY) -> bool:
    """A session that is still stale is closed as interrupted; False when a picture or a person came first."""
    sessions.lock(session)
    if not Session.objects.stale_for(age).filter(pk=session.pk).exists():
        return False
    close_stale(session, by=by)
    return True


def close_stale_sessions() -> int:
    """Every session that is stale by SESSION_STALE_AFTER_S is closed. Returns how many were."""
    if settings.SESSION_STALE_AFTER_S is None:
        return 0
    age = timedelta(seconds=settings.SESSION_STALE_AFTER_S)
    closed = 0
    for session in stale_sessions(age)[:BATCH]:
        if close_if_stale(session, age):
            logger.warning("session %s took nothing for %s and was closed", session.key, age)
            closed += 1
    return closed


# -- pictures past their term --------------------------------------------------------------------------------


def ended_sessions() -> QuerySet[Session]:
    """Sessions that are over, not pinned, and have a picture that is not pinned: retention may ask them."""
    free = Image.objects.filter(session=OuterRef("pk"), pinned_at=None)
    return Session.objects.filter(state__in=TERMINAL, pinned_at=None).filter(Exists(free))


def pictures_of(session: Session) -> Purged:
    """What purging `session` would remove, deleted pictures included, pinned ones not."""
    free = Image.objects.filter(session=session, pinned_at=None)
    found = free.aggregate(images=Count("pk"), size_bytes=Sum("size_bytes"))
    return Purged(found["images"], found["size_bytes"] or 0)


def long_deleted(before: datetime) -> QuerySet[Image]:
    """Pictures that were deleted before this moment; none that is pinned, none of an open session."""
    gone = Image.objects.filter(deleted_at__lt=before, pinned_at=None)
    gone = gone.filter(Q(session=None) | Q(session__pinned_at=None))
    return gone.filter(Q(session=None) | ~Q(session__state__in=OPEN))


@transaction.atomic
def purge_some(
    session: Session,
    before: datetime,
    *,
    by: str = BY,
    reason: str = "retention",
    most_bytes: int | None = None,
) -> Purged:
    """Up to BATCH pictures of a session that ended before this moment are gone, the oldest first.

    None when it did not, or is pinned by now; pinned pictures stay. most_bytes: only as many as are needed to
    set so much free.
    """
    check_not_held()
    sessions.lock(session)
    is_over = session.state in TERMINAL and session.stopped_at is not None and session.stopped_at < before
    if not is_over or session.pinned_at is not None:
        return Purged()
    images = list(Image.objects.filter(session=session, pinned_at=None).order_by("pk")[:BATCH])
    return _remove(session, _as_many_as(images, most_bytes), reason=reason, by=by)


def _as_many_as(images: list[Image], most_bytes: int | None) -> list[Image]:
    """The first of them that together reach `most_bytes`; all where that is None."""
    if most_bytes is None:
        return images
    taken, size_bytes = [], 0
    for image in images:
        if size_bytes >= most_bytes:
            break
        taken.append(image)
        size_bytes += image.size_bytes
    return taken


def purge_some_deleted(before: datetime, *, by: str = BY) -> Purged:
    """Up to BATCH long-deleted pictures are gone, each session's in a transaction of its own."""
    rows = long_deleted(before).order_by("deleted_at").values_list("session_id", "pk")[:BATCH]
    by_session: dict[int | None, list[int]] = defaultdict(list)
    for session_id, image_id in rows:
        by_session[session_id].append(image_id)
    return sum((_purge_deleted(*group, before, by) for group in by_session.items()), Purged())


@transaction.atomic
def _purge_deleted(session_id: int | None, image_ids: list[int], before: datetime, by: str) -> Purged:
    """Looked at again under the lock: somebody may have restored one."""
    check_not_held()
    session = sessions.lock(Session.objects.get(pk=session_id)) if session_id else None
    images = list(long_deleted(before).filter(pk__in=image_ids))
    return _remove(session, images, reason="deleted", by=by)


def _remove(session: Session | None, images: Sequence[Image], *, reason: str, by: str) -> Purged:
    """Rows, counters and, after the commit, files of these pictures of one session (None: of none)."""
    if not images:
        return Purged()
    purged = Purged(len(images), sum(image.size_bytes for image in images))
    detail = {"count": purged.images, "size_bytes": purged.size_bytes, "reason": reason}
    if session is not None:
        _uncount_labels(session, images)
        kept = sum(image.deleted_at is None for image in images)
        changes = {
            "image_count": F("image_count") - kept,
            "size_bytes": F("size_bytes") - purged.size_bytes,
        }
        sessions.append(session, "images_purged", detail=detail, by=by, **changes)
    else:
        for organisation, keys in _by_organisation(images).items():
            audit(organisation, "images_purged", organisation, by=by, before={**detail, "images": keys})
    Image.objects.filter(pk__in=[image.pk for image in images]).delete()
    _free_monitors(images)
    paths = [path for image in images for path in (image.file_path, image.thumbnail_path)]
    transaction.on_commit(lambda: remove_media(paths))
    return purged


def _uncount_labels(session: Session, images: Sequence[Image]) -> None:
    """Deleted pictures are out of these counts since they were deleted."""
    kept = [image for image in images if image.deleted_at is None]
    boxes = Tag.objects.filter(image__in=kept).order_by().values_list("label").annotate(count=Count("pk"))
    of_images = Counter(image.label for image in kept)
    marks = Counter(image.review for image in kept if image.review != UNREVIEWED)
    counters.count_labels(session.pk, LabelCount.BOX, {label: -count for label, count in boxes})
    counters.count_labels(session.pk, LabelCount.IMAGE, {label: -n for label, n in of_images.items()})
    counters.count_labels(session.pk, LabelCount.REVIEW, {mark: -n for mark, n in marks.items()})


def _by_organisation(images: Sequence[Image]) -> dict:
    found = defaultdict(list)
    for image in images:
        found[image.organisation].append(image.key)
    return found


def _free_monitors(images: Sequence[Image]) -> None:
    """Their monitors keep so many bytes less."""
    freed: Counter[int] = Counter()
    for image in images:
        if image.monitor_id:
            freed[image.monitor_id] += image.size_bytes
    for monitor in Monitor.objects.filter(pk__in=freed).order_by("pk"):
        touch_monitor(monitor, stored_bytes=F("stored_bytes") - freed[monitor.pk])


def purge_session(
    session: Session,
    before: datetime,
    *,
    by: str = BY,
    reason: str = "retention",
    most_bytes: int | None = None,
) -> Iterator[Purged]:
    """Batch after batch until the session has no picture that may go, or `most_bytes` are free.

    The caller may stop in between.
    """
    freed_bytes = 0
    while most_bytes is None or freed_bytes < most_bytes:
        left = None if most_bytes is None else most_bytes - freed_bytes
        purged = purge_some(session, before, by=by, reason=reason, most_bytes=left)
        if not purged.images:
            return
        freed_bytes += purged.size_bytes
        yield purged


def purge_deleted(before: datetime, *, by: str = BY) -> Iterator[Purged]:
    while (purged := purge_some_deleted(before, by=by)).images:
        yield purged


def is_too_much(part: int, whole: int) -> bool:
    """Removing more than half of everything is more likely a wrong setting or clock than a wish."""
    return 2 * part > whole
