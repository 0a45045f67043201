"""The last edit of a picture taken back or made again: by a new edit, and only where nobody came in between.

An edit is the rows of one image_revision. Undone edits wait to be redone until their author edits anew.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from monitoring.messages import tag_json
from monitoring.models import Image, Tag, TagChange
from monitoring.services.edits import check_revision, current_side, locked
from monitoring.services.errors import NothingToUndo, RevisionMismatch, TermOver
from monitoring.services.history import Change, Reason, refuse_settled, set_fields, write_box_changes
from monitoring.services.tags import FIELDS, TAGS_MAX, TooManyTags, locked_for_tags
from sessionsite.common.errors import Missing, NotAllowed

LOOKED_BACK = 2000  # rows of a picture's history
CONTENT = ("label", *FIELDS)


@transaction.atomic
def undo(
    image: Image, *, by: str, source: str = "operator", revision: int | None = None, may_review: bool = True
) -> Image:
    """The last edit that `by` made of this picture, and did not take back yet, is taken back by a new edit.

    revision: the picture's revision that the caller saw; None takes any.
    Raises NothingToUndo, RevisionMismatch with both sides where somebody changed the same since, ReviewEnded,
    ImageDeleted, and NotAllowed for a review mark without `may_review`.
    """
    image = locked(image)
    check_revision(image, revision, {"act": TagChange.UNDO})
    done, _ = _stacks(image, by)
    if not done:
        raise NothingToUndo("You have no edit of this picture left to undo.", image=image.key)
    return _turn(image, Reason(TagChange.UNDO, done[-1]), by=by, source=source, may_review=may_review)


@transaction.atomic
def redo(
    image: Image, *, by: str, source: str = "operator", revision: int | None = None, may_review: bool = True
) -> Image:
    """The last edit that was undone is made again by a new edit. Raises as `undo`."""
    image = locked(image)
    check_revision(image, revision, {"act": TagChange.REDO})
    _, undone = _stacks(image, by)
    if not undone:
        raise NothingToUndo("Nothing of this picture waits to be redone.", image=image.key)
    return _turn(image, Reason(TagChange.REDO, undone[-1]), by=by, source=source, may_review=may_review)


def _stacks(image: Image, by: str) -> tuple[list[int], list[int]]:
    """The edits of `by` that stand, and those that were undone; each the newest last, by image_revision."""
    rows = TagChange.objects.filter(image=image).order_by("-pk")
    rows = rows.values_list("image_revision", "act", "of_revision", "author")[:LOOKED_BACK]
    done: list[int] = []
    undone: list[int] = []
    for revision, act, of_revision, author in dict.fromkeys(reversed(rows)):
        if act == TagChange.UNDO and of_revision in done:
            done.remove(of_revision)
            undone.append(of_revision)
        elif act == TagChange.REDO and of_revision in undone:
            undone.remove(of_revision)
            done.append(of_revision)
        elif not act and author == by:
            done.append(revision)
            undone.clear()
    return done, undone


def _turn(image: Image, reason: Reason, *, by: str, source: str, may_review: bool) -> Image:
    """The edit `reason.of_revision` is reversed, or made again, as a new one."""
    rows = list(TagChange.objects.filter(image=image, image_revision=reason.of_revision).order_by("pk"))
    sides = [(row.tag_key, row.before, row.after) for row in rows]
    if reason.act == TagChange.UNDO:
        sides = [(key, after, before) for key, before, after in reversed(sides)]
    if rows[0].verb == "picture":
        _, have, want = sides[0]
        _turn_fields(image, have, want, reason, by=by, source=source, may_review=may_review)
    else:
        image = locked_for_tags(image)
        changes = [_turn_box(image, *side) for side in sides]
        if image.tags.count() > TAGS_MAX:
            raise TooManyTags(f"A picture has at most {TAGS_MAX} boxes.")
        write_box_changes(image, changes, by=by, source=source, reason=reason)
    return image


def _turn_fields(
    image: Image, have: dict, want: dict, reason: Reason, *, by: str, source: str, may_review: bool
) -> None:
    if "review" in want and not may_review:
        raise NotAllowed("The right review is missing.", right="review")
    if any(getattr(image, name) != value for name, value in have.items()):
        yours = {"revision": reason.of_revision, **want}
        raise RevisionMismatch(
            "Somebody changed the picture since.", yours=yours, current=current_side(image)
        )
    if "review" not in want:
        refuse_settled(image)
    set_fields(image, want, by=by, source=source, reason=reason)


def _turn_box(image: Image, key: str, have: dict | None, want: dict | None) -> Change:
    """The box goes from the one side to the other. Raises RevisionMismatch where it is not as it was."""
    tag = Tag.objects.filter(key=key, image=image).first()
    now = tag and tag_json(tag, image.key)
    if _content(now) != _content(have):
        yours = want and {**want, "revision": (have or want)["revision"]}
        raise RevisionMismatch("Somebody changed the box since.", yours=yours, current=now)
    if want is None:
        tag.delete()
        return "deleted", now, None
    if tag is None:
        return "added", None, tag_json(_put_back(image, want), image.key)
    columns = {"label": want["label"], **{column: want[side] for side, column in FIELDS.items()}}
    Tag.objects.filter(pk=tag.pk).update(
        **columns,
        revision=F("revision") + 1,
        author=want["author"],
        source=want["source"],
        updated_at=timezone.now(),
    )
    tag.refresh_from_db()
    return "changed", now, tag_json(tag, image.key)


def _content(side: dict | None) -> list | None:
    return side and [side[name] for name in CONTENT]


def _put_back(image: Image, side: dict) -> Tag:
    """A deleted box as it was, with its key, author and source, and a revision that nobody has seen."""
    last = TagChange.objects.filter(tag_key=side["key"]).order_by("-pk").first()
    return Tag.objects.create(
        image=image,
        key=side["key"],
        label=side["label"],
        author=side["author"],
        source=side["source"],
        revision=(last.after or last.before)["revision"] + 1,
        **{column: side[name] for name, column in FIELDS.items()},
    )


@transaction.atomic
def restore_tag(image: Image, key: str, *, by: str, source: str = "operator") -> Tag:
    """A deleted box of `image` is there again, whoever deleted it; twice changes nothing.

    Raises Missing, TermOver after DELETED_DAYS, ReviewEnded, ImageDeleted, TooManyTags.
    """
    image = locked_for_tags(image)
    if tag := Tag.objects.filter(key=key, image=image).first():
        return tag
    last = TagChange.objects.filter(image=image, tag_key=key).order_by("-pk").first()
    if last is None or last.before is None:
        raise Missing("There is no such box.", tag=key)
    days = settings.DELETED_DAYS
    if days is not None and last.at < timezone.now() - timedelta(days=days):
        raise TermOver(f"It was deleted more than {days} days ago.", tag=key)
    if image.tags.count() >= TAGS_MAX:
        raise TooManyTags(f"A picture has at most {TAGS_MAX} boxes.")
    tag = _put_back(image, last.before)
    write_box_changes(image, [("added", None, tag_json(tag, image.key))], by=by, source=source)
    return tag
