"""The AutoML CSV of a dataset: one row per box, one without a box for a picture that has none."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from monitoring.api.rosepetal.reading import BadBody
from monitoring.exports.automl import cells_of
from monitoring.exports.parts import Box
from monitoring.models import Dataset, Image
from monitoring.splits import Shares

CHUNK = 500
SETS = {"train": "TRAIN", "valid": "VALIDATION", "test": "TEST"}
BOXES_ONLY = "imageObjectDetection"  # the dataset type whose rows carry a label with a box alone
DEFAULT_PERCENT = 10.0


@dataclass(frozen=True)
class Plan:
    """How a dataset is split, in percent of its pictures, and how its labels are renamed.

    tagmap: label -> label; a label that maps to nothing (null or empty text) is left out with its boxes.
    """

    test: float = DEFAULT_PERCENT
    validation: float = DEFAULT_PERCENT
    tagmap: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def from_query(cls, query) -> Plan:
        """From ?test=&validation=&tagmap=. Raises BadBody."""
        plan = cls(_percent(query, "test"), _percent(query, "validation"), _tagmap(query.get("tagmap")))
        if plan.test + plan.validation > 100:
            raise BadBody("test and validation are more than 100 percent together")
        return plan

    def set_of(self, image: Image) -> str:
        """TRAIN, VALIDATION or TEST: the one a person chose, else by the picture's key, the same every time.

        A picture stays in the test set when only the other share changes, and when a share grows.
        """
        if image.split:
            return SETS[image.split]
        return SETS[Shares(valid_percent=self.validation, test_percent=self.test).split_of(image.key)]

    def label_of(self, label: str) -> str | None:
        return self.tagmap.get(label, label)


def _percent(query, name: str) -> float:
    text = query.get(name)
    if text is None or text == "":
        return DEFAULT_PERCENT
    try:
        value = float(text) if text.isascii() and len(text) < 20 else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise BadBody(f"{name} must be a number of percent from 0 to 100")
    return value


def _tagmap(text: str | None) -> dict[str, str | None]:
    if not text:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadBody("tagmap is not JSON") from error
    if not isinstance(found, dict) or not all(
        label is None or isinstance(label, str) for label in found.values()
    ):
        raise BadBody('tagmap must be an object of labels, such as {"scratch": "defect"}')
    return found


def lines(dataset: Dataset, plan: Plan, address_of: Callable[[Image], str]) -> Iterator[bytes]:
    """The CSV, some hundred pictures per piece, in the order the pictures were made.

    Columns: SET,address,label,x0,y0,,,x1,y1,, with fractions of the picture. Between two pieces no query is
    open, so each may be made by another thread.
    """
    after = 0
    while True:
        images = Image.objects.kept().filter(dataset=dataset, pk__gt=after).order_by("pk")
        chunk = list(images.prefetch_related("tags")[:CHUNK])
        if not chunk:
            return
        after = chunk[-1].pk
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for image in chunk:
            writer.writerows(rows_of(image, dataset, plan, address_of(image)))
        yield text.getvalue().encode()


def rows_of(image: Image, dataset: Dataset, plan: Plan, address: str) -> list[list]:
    start = [plan.set_of(image), address]
    rows = []
    for tag in image.tags.all():
        if label := plan.label_of(tag.label):
            box = Box(label, tag.x_frac, tag.y_frac, tag.w_frac, tag.h_frac)
            rows.append([*start, label, *cells_of(box)])
    if rows:
        return rows
    label = "" if dataset.type == BOXES_ONLY else plan.label_of(image.label) or ""
    return [[*start, label, *[""] * 8]]
