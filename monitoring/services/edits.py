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
from monitoring.services.monitors import touch_monitor
from sessions_app import services as sessions
from sessions_app.models import LabelCount, Session
from sessions_app.services import counters
from sessionsite.accounts.services import audit


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
        "split": image.split,
        "tags": tags,
    }


def note_change(image: Image, kind: str, detail: dict, *, by: str) -> None:
    """The picture's revision is one higher and the change is in the session's journal, or the audit trail.

    Everybody who looks at the session or the monitor sees it after the commit.
    """
    if image.session_id:
        detail = {"image": image.key, "name": image.name, "revision": image.revision + 1, **detail}
        sessions.append(Session.objects.get(pk=image.session_id), kind, detail=detail, by=by, is_change=True)
    else:
        audit(image.organisation, kind, image, by=by, after=detail)
    Image.objects.filter(pk=image.pk).update(revision=F("revision") + 1)
    image.refresh_from_db()
    if image.monitor_id:
        touch_monitor(image.monitor)


def _checked(changes: dict) -> dict:
    if "label" in changes:
        changes["label"] = boxes.validate_label(changes["label"], empty_allowed=True)
    if "review" in changes and changes["review"] not in dict(Image.REVIEWS):
        raise BadReview(f"review is one of {', '.join(dict(Image.REVIEWS))}.", field="review")
    if "split" in changes and changes["split"] not in dict(Image.SPLITS):
        raise BadReview("split is one of train, valid, test, or empty.", field="split")
    return changes


@transaction.atomic
def change_image(
    image: Image,
    *,
    by: str,
    label: str | None = None,
    review: str | None = None,
    split: str | None = None,
    revision: int | None = None,
) -> Image:
    """The picture's label, review mark or split is as given. Raises BadTag, BadReview, RevisionMismatch.

    revision: the picture's revision that the caller saw; None takes any.
    """
    asked = {"label": label, "review": review, "split": split}
    asked = _checked({name: value for name, value in asked.items() if value is not None})
    image = locked(image)
    check_revision(image, revision, asked)
    changes = {name: value for name, value in asked.items() if value != getattr(image, name)}
    if not changes:
        return image
    before = {name: getattr(image, name) for name in changes}
    if "label" in changes and image.deleted_at is None:
        counters.count_labels(image.session_id, LabelCount.IMAGE, {before["label"]: -1, changes["label"]: 1})
    Image.objects.filter(pk=image.pk).update(**changes)
    note_change(image, "image_changed", {"before": before, "after": changes}, by=by)
    return image


@transaction.atomic
def delete_image(image: Image, *, by: str) -> Image:
    """The picture is out of sight but restorable; the session's total stays. Twice changes nothing."""
    return _set_deleted(image, timezone.now(), "image_deleted", by)


@transaction.atomic
def restore_image(image: Image, *, by: str) -> Image:
    """A deleted picture is back. Twice changes nothing."""
    return _set_deleted(image, None, "image_restored", by)


def _set_deleted(image: Image, at: datetime | None, kind: str, by: str) -> Image:
    image = locked(image)
    if (image.deleted_at is None) == (at is None):
        return image
    sign = 1 if at is None else -1
    Image.objects.filter(pk=image.pk).update(deleted_at=at)
    if image.session_id:
        Session.objects.filter(pk=image.session_id).update(image_count=F("image_count") + sign)
        boxes_of = Counter(Tag.objects.filter(image=image).values_list("label", flat=True))
        counters.count_labels(image.session_id, LabelCount.IMAGE, {image.label: sign})
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
