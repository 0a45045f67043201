"""The history of pictures: one place that writes what was edited, counts it and tells those who look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import F
from django.utils import timezone

from monitoring.models import Image, TagChange
from monitoring.services.editors import picture_topic, topic_revision
from monitoring.services.errors import ReviewEnded
from monitoring.services.monitors import touch_monitor
from sessions_app import services as sessions
from sessions_app.models import LabelCount, Session
from sessions_app.services import counters
from sessionsite.accounts.services import audit, touch_organisation
from sessionsite.common.live import publish_on_commit

SHOWN = 20  # changes that a journal entry spells out
DOUBTFUL, UNREVIEWED = "doubtful", "unreviewed"
Change = tuple[str, dict | None, dict | None]  # verb, before, after


@dataclass(frozen=True)
class Reason:
    """Why an edit is made: by itself; to undo or redo that of `of_revision`; with others of one `batch`."""

    act: str = ""
    of_revision: int | None = None
    batch: str = ""

    def as_detail(self) -> dict:
        return {name: value for name, value in vars(self).items() if value}


BY_ITSELF = Reason()


def refuse_settled(image: Image) -> None:
    """Raises ReviewEnded for a picture that was accepted or rejected."""
    if image.review in Image.SETTLED:
        raise ReviewEnded(
            f"The picture was {image.review}: reopen its review first.", image=image.key, review=image.review
        )


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
    publish_on_commit(picture_topic(image), revision=topic_revision(image), urgent=True)
    if image.monitor_id:
        touch_monitor(image.monitor)


def write_box_changes(
    image: Image, changes: Sequence[Change], *, by: str, source: str, reason: Reason = BY_ITSELF
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
    is_device = source == "device"  # what a camera says of its own pictures is no news
    detail = {"source": source, "count": len(shown), "changes": shown[:SHOWN], **reason.as_detail()}
    note_change(image, "device_tags_changed" if is_device else "tags_changed", detail, by=by)
    _write_rows(image, changes, by=by, source=source, reason=reason)


def _write_rows(image: Image, changes: Sequence[Change], *, by: str, source: str, reason: Reason) -> None:
    TagChange.objects.bulk_create(
        TagChange(
            image=image,
            tag_key=(after or before)["key"] if verb != "picture" else "",
            verb=verb,
            before=before,
            after=after,
            author=by,
            source=source,
            image_revision=image.revision,
            **vars(reason),
        )
        for verb, before, after in changes
    )


def set_fields(image: Image, changes: dict, *, by: str, source: str, reason: Reason = BY_ITSELF) -> None:
    """The locked picture has these fields, its counts, history and journal tell of it."""
    before = {name: getattr(image, name) for name in changes}
    if image.deleted_at is None:
        count_fields(image.session_id, [(before, changes)])
    if DOUBTFUL in (before.get("review"), changes.get("review")):
        touch_organisation(image.organisation_id)  # the wall counts them; locked before a monitor
    Image.objects.filter(pk=image.pk).update(**stamped(changes))
    note_change(image, "image_changed", {"before": before, "after": changes, **reason.as_detail()}, by=by)
    _write_rows(image, [("picture", before, changes)], by=by, source=source, reason=reason)


def stamped(changes: dict) -> dict:
    """The changes with the moment of the review, where they hold one."""
    if "review" not in changes:
        return changes
    return changes | {"reviewed_at": None if changes["review"] == UNREVIEWED else timezone.now()}


def write_picture_rows(
    moves: Sequence[tuple[Image, dict]], *, by: str, reason: Callable[[Image], Reason]
) -> None:
    """A row for each picture, as read before its fields went to `after` and its revision rose by one."""
    TagChange.objects.bulk_create(
        TagChange(
            image=image,
            verb="picture",
            before={name: getattr(image, name) for name in after},
            after=after,
            author=by,
            source="operator",
            image_revision=image.revision + 1,
            **vars(reason(image)),
        )
        for image, after in moves
    )


def count_fields(session_id: int | None, moves: Sequence[tuple[dict, dict]]) -> None:
    """The counts of labels and review marks follow (before, after) of pictures that are not deleted."""
    for of, name in ((LabelCount.IMAGE, "label"), (LabelCount.REVIEW, "review")):
        counts: Counter[str] = Counter()
        for before, after in moves:
            if name in after:
                counts[before[name]] -= 1
                counts[after[name]] += 1
        if of == LabelCount.REVIEW:
            counts.pop(UNREVIEWED, None)  # the rest
        counters.count_labels(session_id, of, counts)
