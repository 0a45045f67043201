"""The rows of an export, read in bounded pieces by primary key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from monitoring.exports.parts import Box, Names, Row
from monitoring.models import Dataset, Image, Tag
from monitoring.splits import split_now

PAGE = 20_000  # primary keys per look at the index, so that late pages are not searched for too often
CHUNK = 500  # pictures with their boxes per query
COLUMNS = (
    "pk", "key", "name", "label", "split_now", "review", "width", "height", "sha256", "file_path", "taken_at",
    "monitor__slug", "session__key",
)  # fmt: skip


def rows_of(pictures: QuerySet[Image], datasets: Iterable[Dataset], labels: Iterable[str]) -> Iterator[Row]:
    """Every picture with its boxes, in the order they came. Pictures that come meanwhile may be among them.

    labels: the classes; a box whose label is new since they were read is left out.
    """
    pictures, after = pictures.annotate(split_now=split_now(datasets)).order_by("pk"), 0
    names, labels = Names(), set(labels)
    while page := list(pictures.filter(pk__gt=after).values_list("pk", flat=True)[:PAGE]):
        for start in range(0, len(page), CHUNK):
            yield from _read(pictures, page[start : start + CHUNK], names, labels)
        after = page[-1]


def _read(pictures: QuerySet[Image], pks: list[int], names: Names, labels: set[str]) -> Iterator[Row]:
    boxes: dict[int, list[Box]] = defaultdict(list)
    tags = Tag.objects.filter(image__in=pks).order_by("pk")
    for pk, *box in tags.values_list("image_id", "label", "x_frac", "y_frac", "w_frac", "h_frac"):
        if box[0] in labels:
            boxes[pk].append(Box(*box))
    for pk, key, name, *about, file_path, taken_at, monitor, session in list(
        pictures.filter(pk__in=pks).values_list(*COLUMNS)
    ):
        file = names.name_for(key, name, file_path)
        where = monitor or "", session or ""
        yield Row(key, name, file, *about, file_path, taken_at, *where, tuple(boxes[pk]))


def labels_of(pictures: QuerySet[Image]) -> list[str]:
    """The labels of all boxes on these pictures, sorted: the classes, the same under every filter."""
    tags = Tag.objects.filter(image__in=pictures.order_by())
    return sorted(set(tags.order_by().values_list("label", flat=True).distinct()))
