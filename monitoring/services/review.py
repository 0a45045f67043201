"""Reviews of many pictures at once: what it would do, done, and taken back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from monitoring.models import Image, Monitor, TagChange
from monitoring.services.editors import picture_topic, topic_revision
from monitoring.services.edits import checked_fields, reviewed
from monitoring.services.errors import TooManyPictures
from monitoring.services.history import Reason, count_fields, stamped, write_picture_rows
from monitoring.services.monitors import touch_monitor
from sessions_app import services as sessions
from sessions_app.models import Session
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import audit, touch_organisation
from sessionsite.common.ids import new_key
from sessionsite.common.live import publish_on_commit

REVIEW_MAX = 10_000  # pictures of one bulk verb
CHUNK = 500  # pictures per transaction: ingest waits no longer than for that
A_MOMENT = timedelta(milliseconds=1)  # what is cut off a time on its way out and in again
SHOWN = 20  # pictures that a journal entry names


@dataclass(frozen=True)
class Preview:
    """What reviewing the pictures would do. `upto`: the newest of them, so that later ones stay out."""

    matched: int
    changes: int
    is_too_many: bool
    by_review: dict[str, int]
    by_label: dict[str, int]
    by_monitor: dict[str, int]
    upto: datetime | None


def preview_review(images: QuerySet[Image], review: str) -> Preview:
    """Counts of at most REVIEW_MAX + 1 of `images`, the newest. Raises BadReview."""
    checked_fields({"review": review})
    rows = list(
        images.kept()
        .newest_first()
        .values_list("review", "label", "monitor__slug", "received_at")[: REVIEW_MAX + 1]
    )
    return Preview(
        matched=min(len(rows), REVIEW_MAX),
        changes=sum(word != review for word, *_ in rows[:REVIEW_MAX]),
        is_too_many=len(rows) > REVIEW_MAX,
        by_review=dict(Counter(word for word, *_ in rows[:REVIEW_MAX]).most_common()),
        by_label=dict(Counter(label for _, label, *_ in rows).most_common(10)),
        by_monitor=dict(Counter(slug or "" for _, _, slug, _ in rows).most_common(10)),
        upto=rows[0][3] if rows else None,
    )


@dataclass(frozen=True)
class Done:
    """A bulk verb. `batch` names it for its undo; skipped: pictures that somebody changed meanwhile."""

    batch: str
    changed: int
    skipped: int


def review_many(
    images: QuerySet[Image], *, review: str, by: str, comment: str = "", upto: datetime | None = None
) -> Done:
    """Those of `images` that are kept have this mark, and the comment if there is one.

    upto: pictures received after this moment stay as they are. Raises BadReview, TooManyPictures.
    """
    changes = checked_fields({"review": review} | ({"review_comment": comment} if comment else {}))
    wanted = images.kept().exclude(review=review)
    if upto is not None:
        wanted = wanted.filter(received_at__lt=upto + A_MOMENT)
    pks = list(wanted.order_by("-received_at", "-pk").values_list("session_id", "pk")[: REVIEW_MAX + 1])
    if len(pks) > REVIEW_MAX:
        raise TooManyPictures(
            f"At most {REVIEW_MAX:,} pictures at once; narrow the filters.", limit=REVIEW_MAX
        )
    reason = Reason(batch=new_key("rb"))
    after = changes | reviewed(changes, by)

    def move(image: Image) -> dict | None:
        return None if image.review == review or image.deleted_at else after

    changed = sum(_change(chunk, move, lambda image: reason, by=by) for chunk in _chunks(pks))
    return Done(reason.batch, changed, len(pks) - changed)


def undo_review(rows: QuerySet[TagChange], batch: str, *, by: str) -> Done:
    """The pictures of a bulk review are as they were before; those that were changed since stay as they are.

    rows: edits that the caller may take back. Twice changes nothing.
    """
    taken_back = TagChange.objects.filter(image=OuterRef("image"), batch=batch, act=TagChange.UNDO)
    marks = rows.filter(batch=batch, act="", verb="picture").exclude(Exists(taken_back))
    made = {row.image_id: row for row in marks.select_related("image").order_by("pk")}
    pks = [(row.image.session_id, pk) for pk, row in made.items()]

    def move(image: Image) -> dict | None:
        row = made[image.pk]
        is_as_left = all(getattr(image, name) == value for name, value in row.after.items())
        return row.before if is_as_left and not image.deleted_at else None

    def reason(image: Image) -> Reason:
        return Reason(TagChange.UNDO, made[image.pk].image_revision, batch)

    changed = sum(_change(chunk, move, reason, by=by) for chunk in _chunks(pks))
    return Done(batch, changed, len(pks) - changed)


def _chunks(pks: Sequence[tuple[int | None, int]]) -> Iterator[list[tuple[int | None, int]]]:
    """Session by session, so that a chunk locks few."""
    ordered = sorted(pks, key=lambda pair: (pair[0] or 0, pair[1]))
    for first in range(0, len(ordered), CHUNK):
        yield ordered[first : first + CHUNK]


@transaction.atomic
def _change(
    chunk: Sequence[tuple[int | None, int]],
    move: Callable[[Image], dict | None],
    reason: Callable[[Image], Reason],
    *,
    by: str,
) -> int:
    """Each picture has the fields that `move` gives it, None leaves it; returns how many were changed."""
    session_ids = {session_id for session_id, _ in chunk if session_id}
    owners = {s.pk: s for s in Session.objects.select_for_update().filter(pk__in=session_ids).order_by("pk")}
    pks = [pk for _, pk in chunk]
    # The lock order of an edit: sessions, pictures, organisations, monitors.
    images = list(Image.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
    for organisation_id in sorted({image.organisation_id for image in images}):
        touch_organisation(organisation_id)
    monitor_ids = {image.monitor_id for image in images if image.monitor_id}
    for monitor in Monitor.objects.filter(pk__in=monitor_ids).order_by("pk"):
        touch_monitor(monitor)
    moves = [(image, after) for image in images if (after := move(image)) is not None]
    _update(moves)
    write_picture_rows(moves, by=by, reason=reason)
    for image, _ in moves:
        # One more than was read: the revision has risen.
        publish_on_commit(picture_topic(image), revision=topic_revision(image) + 1)
    by_session: dict[int | None, list[tuple[Image, dict]]] = defaultdict(list)
    for image, after in moves:
        by_session[image.session_id].append((image, after))
    for session_id, theirs in by_session.items():
        _tell(owners.get(session_id), theirs, reason, by)
    return len(moves)


def _update(moves: Sequence[tuple[Image, dict]]) -> None:
    groups: dict[tuple, list[int]] = defaultdict(list)
    for image, after in moves:
        groups[tuple(sorted(after.items()))].append(image.pk)
    for values, pks in groups.items():
        changes = stamped(dict(values))
        Image.objects.filter(pk__in=pks).update(**changes, revision=F("revision") + 1)


def _tell(
    session: Session | None,
    moves: Sequence[tuple[Image, dict]],
    reason: Callable[[Image], Reason],
    by: str,
) -> None:
    """Counts and one journal entry, or one audit row per organisation for pictures of no session."""
    before_after = [({name: getattr(image, name) for name in after}, after) for image, after in moves]
    to = dict(Counter(after["review"] for _, after in before_after))
    detail = {"count": len(moves), "reviews": to, "images": [image.key for image, _ in moves[:SHOWN]]}
    why = reason(moves[0][0])
    detail |= {"batch": why.batch} | ({"act": why.act} if why.act else {})
    if session is not None:
        count_fields(session.pk, before_after)
        sessions.append(session, "images_reviewed", detail=detail, by=by, is_change=True)
        return
    for organisation in Organisation.objects.filter(pk__in={image.organisation_id for image, _ in moves}):
        audit(organisation, "images_reviewed", organisation, by=by, after=detail)
