"""Boxes on pictures: added, changed, deleted, replaced; every edit is a row of its own."""

from __future__ import annotations

from collections import Counter

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from monitoring import boxes
from monitoring.boxes import BadTag
from monitoring.messages import tag_json
from monitoring.models import Image, Tag, TagChange, new_tag_key
from monitoring.services.edits import check_revision, locked
from monitoring.services.errors import RevisionMismatch, TagTaken
from monitoring.services.history import refuse_settled, write_box_changes
from sessionsite.common.errors import Conflict
from sessionsite.common.ids import is_key

TAGS_MAX = 1000  # per picture
FIELDS = {"x": "x_frac", "y": "y_frac", "w": "w_frac", "h": "h_frac"}


class TooManyTags(BadTag):
    code = "too_many_tags"


class ImageDeleted(Conflict):
    code = "image_deleted"


def _checked(tag: dict) -> dict:
    """label, x, y, w, h as columns. Raises BadTag."""
    box = boxes.validate_box(tag.get("x"), tag.get("y"), tag.get("w"), tag.get("h"))
    label = boxes.validate_label(tag.get("label"))
    return {"label": label, "x_frac": box.x, "y_frac": box.y, "w_frac": box.w, "h_frac": box.h}


def locked_for_tags(image: Image) -> Image:
    image = locked(image)
    if image.deleted_at is not None:
        raise ImageDeleted("The picture is deleted; restore it first.", image=image.key)
    refuse_settled(image)
    return image


@transaction.atomic
def add_tag(
    image: Image,
    *,
    label: str,
    x: float,
    y: float,
    w: float,
    h: float,
    by: str,
    source: str = "operator",
    revision: int | None = None,
    key: str | None = None,
) -> Tag:
    """One more box on `image`: fractions of the displayed picture from its top left corner.

    revision: the picture's revision that the caller saw; None takes any.
    key: of the box, made by the caller; the same again returns the box as it is now, for lost answers.
    Raises BadTag, TooManyTags, ImageDeleted, ReviewEnded, RevisionMismatch, TagTaken.
    """
    columns = _checked({"label": label, "x": x, "y": y, "w": w, "h": h})
    image = locked_for_tags(image)
    if key is not None and (first := _added_before(image, key)):
        return first
    check_revision(image, revision, {"label": label, "x": x, "y": y, "w": w, "h": h})
    if image.tags.count() >= TAGS_MAX:
        raise TooManyTags(f"A picture has at most {TAGS_MAX} boxes.")
    tag = Tag.objects.create(image=image, author=by, source=source, key=key or new_tag_key(), **columns)
    write_box_changes(image, [("added", None, tag_json(tag, image.key))], by=by, source=source)
    return tag


def _added_before(image: Image, key: str) -> Tag | None:
    """The box of `key` on this picture. Raises BadTag, TagTaken (of another picture, or deleted)."""
    if not is_key(key, "tg"):
        raise BadTag("The key of a box is tg_ and 26 characters.", field="key")
    if first := Tag.objects.filter(key=key, image=image).first():
        return first
    if Tag.objects.filter(key=key).exists() or TagChange.objects.filter(tag_key=key).exists():
        raise TagTaken("A box had this key before.", tag=key)
    return None


def gone(revision: int, yours: dict) -> RevisionMismatch:
    """What is raised for a change of a box that somebody deleted first."""
    mine = {"revision": revision, **yours}
    return RevisionMismatch("The box was deleted meanwhile.", yours=mine, current=None)


def _claimed(tag: Tag, revision: int, yours: dict) -> tuple[Tag, Image]:
    """The tag and its picture, locked and at `revision`. Raises RevisionMismatch."""
    image = locked_for_tags(tag.image)
    now = Tag.objects.filter(pk=tag.pk).first()
    if now is None:
        raise gone(revision, yours)
    if now.revision != revision:
        raise RevisionMismatch(
            "The box changed meanwhile.",
            yours={"revision": revision, **yours},
            current=tag_json(now, image.key),
        )
    return now, image


@transaction.atomic
def change_tag(tag: Tag, *, revision: int, by: str, source: str = "operator", **changes) -> Tag:
    """The box has the new label or place; label, x, y, w, h may be given.

    revision: the tag's revision that the caller saw.
    Raises BadTag, RevisionMismatch, ImageDeleted, ReviewEnded.
    """
    tag, image = _claimed(tag, revision, changes)
    before = tag_json(tag, image.key)
    if unknown := sorted(set(changes) - {"label", *FIELDS}):
        raise BadTag(f"A box has no field {unknown[0]}.", field=unknown[0])
    columns = _checked({**before, **changes})
    Tag.objects.filter(pk=tag.pk).update(
        **columns, revision=F("revision") + 1, author=by, source=source, updated_at=timezone.now()
    )
    tag.refresh_from_db()
    write_box_changes(image, [("changed", before, tag_json(tag, image.key))], by=by, source=source)
    return tag


@transaction.atomic
def delete_tag(tag: Tag, *, revision: int, by: str, source: str = "operator") -> None:
    """The box is gone; its history row can bring it back. Raises as change_tag."""
    tag, image = _claimed(tag, revision, {"deleted": True})
    before = tag_json(tag, image.key)
    tag.delete()
    write_box_changes(image, [("deleted", before, None)], by=by, source=source)


@transaction.atomic
def replace_tags(
    image: Image, *, tags: list[dict], by: str, source: str = "operator", revision: int | None = None
) -> list[Tag]:
    """`image` has exactly these boxes: dicts of label, x, y, w, h. All of them or, after an error, none.

    revision: the picture's revision that the caller saw; None takes any. An unchanged box keeps its key.
    Raises BadTag, TooManyTags, ImageDeleted, ReviewEnded, RevisionMismatch.
    Wire: Rosepetal POST /monitor/updateTags.
    """
    if len(tags) > TAGS_MAX:
        raise TooManyTags(f"A picture has at most {TAGS_MAX} boxes.")
    wanted = Counter(tuple(_checked(tag).items()) for tag in tags)
    image = locked_for_tags(image)
    check_revision(image, revision, {"tags": tags})
    changes: list[tuple[str, dict | None, dict | None]] = []
    for tag in Tag.objects.filter(image=image).order_by("pk"):
        same = (("label", tag.label), *((column, getattr(tag, column)) for column in FIELDS.values()))
        if wanted[same]:
            wanted[same] -= 1
        else:
            changes.append(("deleted", tag_json(tag, image.key), None))
            tag.delete()
    for columns in wanted.elements():
        tag = Tag.objects.create(image=image, author=by, source=source, **dict(columns))
        changes.append(("added", None, tag_json(tag, image.key)))
    if changes:
        write_box_changes(image, changes, by=by, source=source)
    return list(Tag.objects.filter(image=image).order_by("pk"))
