"""Is a picture of the archive in the dataset already, and which of its boxes would be new there?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.imports.plan import Line, Plan
from monitoring.models import Dataset, Image, Tag
from monitoring.services.tags import TAGS_MAX

SAME_FRAC = 2e-6  # corners that differ by less are the same
SAME_PX = 1.01  # for formats of whole pixels


@dataclass(frozen=True)
class Decision:
    """What becomes of one line. fresh: the boxes to add; image: the one that is there."""

    outcome: str
    reason: str
    image: Image | None
    fresh: list[tuple]
    unchanged: int


class Matcher:
    """The pictures of `dataset` that a few lines may mean, read together."""

    def __init__(self, dataset: Dataset, plan: Plan, lines: Sequence[Line], *, whole_pixels: bool) -> None:
        self._plan, self._whole_pixels = plan, whole_pixels
        its = Image.objects.filter(dataset=dataset).order_by("pk")
        self._by_hash: dict[str, list[Image]] = defaultdict(list)
        for image in its.filter(sha256__in={line.sha256 for line in lines if line.sha256}):
            self._by_hash[image.sha256].append(image)
        keys = {line.image for line in lines if line.image}
        self._by_key = {image.key: image for image in its.filter(key__in=keys)}
        self._by_name: dict[str, list[Image]] = defaultdict(list)
        names = {name for line in lines if not line.has_file for name in _names(line)}
        for image in its.filter(name__in=names).kept():
            self._by_name[image.name].append(image)

    def decide(self, line: Line) -> Decision:
        image, boxes = self._find(line), self._plan.boxes(line.n)
        if image is None and not line.has_file:
            return Decision(
                "skipped", line.reason or "not in the dataset, and no file in the archive", None, [], 0
            )
        if image is None:
            fresh = boxes[:TAGS_MAX]
            return Decision("new", _cut_words(line.reason, boxes, fresh), None, fresh, 0)
        if image.deleted_at:
            return Decision("skipped", "deleted in this dataset; restore it first", image, [], 0)
        there = list(Tag.objects.filter(image=image).order_by("pk"))
        fresh = self._fresh(image, boxes, there)
        unchanged = len(boxes) - len(fresh)
        room = fresh[: max(0, TAGS_MAX - len(there))]
        reason = "; ".join(filter(None, [_cut_words(line.reason, fresh, room), *_kept_words(line, image)]))
        return Decision("matched", reason, image, room, unchanged)

    def _find(self, line: Line) -> Image | None:
        known = self._by_key.get(line.image)
        if known is not None and line.sha256 in ("", known.sha256):
            return known
        if line.sha256:
            # Of several pictures with the same content each one is meant once.
            place, equals = self._plan.place_among_equals(line), self._by_hash[line.sha256]
            if place < len(equals):
                return equals[place]
        if line.has_file:
            return None
        found = {image.pk: image for name in _names(line) for image in self._by_name[name]}
        return next(iter(found.values())) if len(found) == 1 else None

    def _fresh(self, image: Image, boxes: list[tuple], there: list[Tag]) -> list[tuple]:
        """The boxes that no box on the picture equals; each of those answers for one."""
        slack_x = SAME_PX / image.width if self._whole_pixels else SAME_FRAC
        slack_y = SAME_PX / image.height if self._whole_pixels else SAME_FRAC
        fresh = []
        for box in boxes:
            same = next((tag for tag in there if _is_same(box, tag, slack_x, slack_y)), None)
            if same is None:
                fresh.append(box)
            else:
                there = [tag for tag in there if tag is not same]
        return fresh


def _names(line: Line) -> set[str]:
    return {line.name, line.file.rpartition("/")[2]} - {""}


def _is_same(box: tuple, tag: Tag, slack_x: float, slack_y: float) -> bool:
    label, x, y, w, h = box
    return (
        label == tag.label
        and abs(x - tag.x_frac) <= slack_x
        and abs(y - tag.y_frac) <= slack_y
        and abs(x + w - tag.x_frac - tag.w_frac) <= slack_x
        and abs(y + h - tag.y_frac - tag.h_frac) <= slack_y
    )


def _cut_words(reason: str, boxes: list, kept: list) -> str:
    if len(kept) == len(boxes):
        return reason
    return f"{len(boxes) - len(kept)} boxes too many: a picture has at most {TAGS_MAX}"


def _kept_words(line: Line, image: Image) -> list[str]:
    """What the dataset says otherwise stays, and the report says so."""
    return [
        f"{what} stays {now}, the archive says {said}"
        for what, now, said in (("label", image.label, line.label), ("split", image.split, line.split))
        if now and said and now != said
    ]
