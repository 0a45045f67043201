"""What people say of a picture: its label, review and split; deleted and restored."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from monitoring import boxes
from monitoring.messages import tag_json
from monitoring.models import Image, Tag
from monitoring.services.errors import BadReview, RevisionMismatch
from monitoring.services.history import UNREVIEWED, note_change, refuse_settled, set_fields
from monitoring.services.monitors import touch_monitor
from sessions_app.models import LabelCount, Session
from sessions_app.services import counters

COMMENT_MAX = 500


def locked(image: Image) -> Image:
    """`image` as it is now, in the caller's transaction; nobody else changes it or its session's counts.

    Row locks on PostgreSQL, sessions first; on SQLite the IMMEDIATE transaction holds out the others.
    """
    if image.session_id:
        Session.objects.select_for_update().get(pk=image.session_id)
    return Image.objects.select_for_update().get(pk=image.pk)


def check_revision(image: Image, revision: int | None, yours: dict) -> None:
    """Raises RevisionMismatch with both sides when the picture is not at `revision`; None takes any."""
    if revision is not None and revision != image.revision:
        raise RevisionMismatch(
            "The picture changed meanwhile.",
            yours={"revision": revision, **yours},
            current=current_side(image),
        )


def current_side(image: Image) -> dict:
    tags = [tag_json(tag, image.key) for tag in Tag.objects.filter(image=image).order_by("pk")]
    return {
        "revision": image.revision,
        "label": image.label,
        "review": image.review,
        "review_comment": image.review_comment,
        "split": image.split,
        "tags": tags,
    }


def checked_fields(changes: dict) -> dict:
    """label, review, review_comment, split as they are kept. Raises BadTag, BadReview."""
    if "label" in changes:
        changes["label"] = boxes.validate_label(changes["label"], empty_allowed=True)
    if "review" in changes and changes["review"] not in dict(Image.REVIEWS):
        raise BadReview(f"review is one of {', '.join(dict(Image.REVIEWS))}.", field="review")
    if "review_comment" in changes:
        changes["review_comment"] = _checked_comment(changes["review_comment"])
    if "split" in changes and changes["split"] not in dict(Image.SPLITS):
        raise BadReview("split is one of train, valid, test, or empty.", field="split")
    return changes


def _checked_comment(comment: str) -> str:
    comment = comment.strip()
    if len(comment) > COMMENT_MAX:
        raise BadReview(f"A comment has at most {COMMENT_MAX} characters.", field="review_comment")
    if "\0" in comment:
        raise BadReview("A comment holds no NUL characters.", field="review_comment")
    return comment


@transaction.atomic
def change_image(
    image: Image,
    *,
    by: str,
    source: str = "operator",
    label: str | None = None,
    review: str | None = None,
    review_comment: str | None = None,
    split: str | None = None,
    revision: int | None = None,
) -> Image:
    """The picture's label, review mark, comment or split is as given.

    revision: the picture's revision that the caller saw; None takes any.
    Raises BadTag, BadReview, RevisionMismatch, ReviewEnded (another label while it is accepted or rejected).
    """
    asked = {"label": label, "review": review, "review_comment": review_comment, "split": split}
    asked = checked_fields({name: value for name, value in asked.items() if value is not None})
    image = locked(image)
    check_revision(image, revision, asked)
    changes = {name: value for name, value in asked.items() if value != getattr(image, name)}
    if not changes:
        return image
    if "label" in changes and changes.get("review", image.review) == image.review:
        refuse_settled(image)
    set_fields(image, changes | reviewed(changes, by), by=by, source=source)
    return image


def reviewed(changes: dict, by: str) -> dict:
    """Who has reviewed a picture, when its mark changes: nobody for one that is unreviewed again."""
    if "review" not in changes:
        return {}
    return {"reviewed_by": "" if changes["review"] == UNREVIEWED else by}


@transaction.atomic
def reopen_review(image: Image, *, by: str, source: str = "operator") -> Image:
    """An accepted or rejected picture is unreviewed and may be edited again; another one stays as it is."""
    image = locked(image)
    if image.review in Image.SETTLED:
        changes = {"review": UNREVIEWED}
        set_fields(image, changes | reviewed(changes, by), by=by, source=source)
    return image


@transaction.atomic
def delete_image(image: Image, *, by: str, even_settled: bool = False) -> Image:
    """The picture is out of sight but restorable; the session's total stays. Twice changes nothing.

    Raises ReviewEnded, unless it is lost anyway: `even_settled`.
    """
    return _set_deleted(image, timezone.now(), "image_deleted", by, even_settled=even_settled)


@transaction.atomic
def restore_image(image: Image, *, by: str) -> Image:
    """A deleted picture is back. Twice changes nothing."""
    return _set_deleted(image, None, "image_restored", by)


def _set_deleted(
    image: Image, at: datetime | None, kind: str, by: str, *, even_settled: bool = False
) -> Image:
    image = locked(image)
    if (image.deleted_at is None) == (at is None):
        return image
    if at is not None and not even_settled:
        refuse_settled(image)
    sign = 1 if at is None else -1
    Image.objects.filter(pk=image.pk).update(deleted_at=at)
    if image.session_id:
        Session.objects.filter(pk=image.session_id).update(image_count=F("image_count") + sign)
        boxes_of = Counter(Tag.objects.filter(image=image).values_list("label", flat=True))
        counters.count_labels(image.session_id, LabelCount.IMAGE, {image.label: sign})
        if image.review != UNREVIEWED:
            counters.count_labels(image.session_id, LabelCount.REVIEW, {image.review: sign})
        counters.count_labels(
            image.session_id, LabelCount.BOX, {name: sign * n for name, n in boxes_of.items()}
        )
    note_change(image, kind, {}, by=by)
    if image.monitor_id:
        _show_newest(image)
    return image


def _show_newest(image: Image) -> None:
    """The monitor shows another picture when `image` was the one it showed, or is the newest again."""
    monitor = image.monitor
    newest = Image.objects.kept().filter(monitor=monitor).newest_first().first()
    if monitor.last_image_id == image.pk or newest == image:
        touch_monitor(monitor, last_image=newest)
