"""Boxes on pictures: added, changed, deleted, replaced; every edit is a row of its own."""

from __future__ import annotations

from collections import Counter

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from monitoring import boxes
from monitoring.boxes import BadTag
from monitoring.messages import tag_json
from monitoring.models import Image, Tag, TagChange
from monitoring.services.edits import check_revision, locked, note_change
from monitoring.services.errors import RevisionMismatch
from sessions_app.models import LabelCount
from sessions_app.services import counters
from sessionsite.common.errors import Conflict, Missing

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


def _locked_for_tags(image: Image) -> Image:
    image = locked(image)
    if image.deleted_at is not None:
        raise ImageDeleted("The picture is deleted; restore it first.", image=image.key)
    return image


def _write_history(
    image: Image, changes: list[tuple[str, dict | None, dict | None]], *, by: str, source: str
) -> None:
    """Rows for (verb, before, after), the label counts, the picture's revision and the journal entry."""
    counts: Counter[str] = Counter()
    for _, before, after in changes:
        if before:
            counts[before["label"]] -= 1
        if after:
            counts[after["label"]] += 1
    counters.count_labels(image.session_id, LabelCount.BOX, counts)
    shown = [{"verb": verb, "before": before, "after": after} for verb, before, after in changes]
    note_change(image, "tags_changed", {"source": source, "count": len(shown), "changes": shown[:20]}, by=by)
    TagChange.objects.bulk_create(
        TagChange(
            image=image,
            tag_key=(after or before)["key"],
            verb=verb,
            before=before,
            after=after,
            author=by,
            source=source,
            image_revision=image.revision,
        )
        for verb, before, after in changes
    )


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
) -> Tag:
    """One more box on `image`: fractions of the displayed picture from its top left corner.

    revision: the picture's revision that the caller saw; None takes any.
    Raises BadTag, TooManyTags, ImageDeleted, RevisionMismatch.
    """
    columns = _checked({"label": label, "x": x, "y": y, "w": w, "h": h})
    image = _locked_for_tags(image)
    check_revision(image, revision, {"label": label, "x": x, "y": y, "w": w, "h": h})
    if image.tags.count() >= TAGS_MAX:
        raise TooManyTags(f"A picture has at most {TAGS_MAX} boxes.")
    tag = Tag.objects.create(image=image, author=by, source=source, **columns)
    _write_history(image, [("added", None, tag_json(tag, image.key))], by=by, source=source)
    return tag


def _claimed(tag: Tag, revision: int, yours: dict) -> tuple[Tag, Image]:
    """The tag and its picture, locked and at `revision`. Raises Missing, RevisionMismatch."""
    image = _locked_for_tags(tag.image)
    now = Tag.objects.filter(pk=tag.pk).first()
    if now is None:
        raise Missing("The box was deleted meanwhile.", tag=tag.key)
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

    revision: the tag's revision that the caller saw. Raises BadTag, Missing, RevisionMismatch, ImageDeleted.
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
    _write_history(image, [("changed", before, tag_json(tag, image.key))], by=by, source=source)
    return tag


@transaction.atomic
def delete_tag(tag: Tag, *, revision: int, by: str, source: str = "operator") -> None:
    """The box is gone; its history row can bring it back. Raises Missing, RevisionMismatch, ImageDeleted."""
    tag, image = _claimed(tag, revision, {"deleted": True})
    before = tag_json(tag, image.key)
    tag.delete()
    _write_history(image, [("deleted", before, None)], by=by, source=source)


@transaction.atomic
def replace_tags(
    image: Image, *, tags: list[dict], by: str, source: str = "operator", revision: int | None = None
) -> list[Tag]:
    """`image` has exactly these boxes: dicts of label, x, y, w, h. All of them or, after an error, none.

    revision: the picture's revision that the caller saw; None takes any. An unchanged box keeps its key.
    Raises BadTag, TooManyTags, ImageDeleted, RevisionMismatch. Wire: Rosepetal POST /monitor/updateTags.
    """
    if len(tags) > TAGS_MAX:
        raise TooManyTags(f"A picture has at most {TAGS_MAX} boxes.")
    wanted = Counter(tuple(_checked(tag).items()) for tag in tags)
    image = _locked_for_tags(image)
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
        _write_history(image, changes, by=by, source=source)
    return list(Tag.objects.filter(image=image).order_by("pk"))
