"""Pascal VOC: an XML per picture, boxes as whole pixels xmin, ymin, xmax, ymax.

Format: the VOC2012 development kit. Pixels are edges counted from 0, so a box over the left half of 640
pixels is 0 to 320; a box under a pixel is one pixel wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from monitoring.exports.parts import Box, File, Part, Picture, Row, spool, unspooled
from monitoring.exports.xml import text

FOLDER = "JPEGImages"
SETS = {"train": "train", "valid": "val", "test": "test"}


def write(rows: Iterable[Row], labels: Sequence[str], *, title: str, aside: bool) -> Iterator[Part]:
    """`Annotations/<stem>.xml` per picture, and the lists `ImageSets/Main/{train,val,test}.txt`."""
    with ExitStack() as stack:
        sets = {split: stack.enter_context(spool()) for split in SETS}
        for row in rows:
            yield Picture(f"{FOLDER}/{row.file}", row)
            yield File(f"Annotations/{row.stem}.xml")
            yield _annotation(row, title).encode()
            if row.split:
                sets[row.split].write(f"{row.stem}\n".encode())
        for split, store in sets.items():
            yield File(f"ImageSets/Main/{SETS[split]}.txt")
            yield from unspooled(store)
        yield File("labels.txt")
        yield "".join(f"{label}\n" for label in labels).encode()


def _annotation(row: Row, title: str) -> str:
    objects = "".join(_object(box, row) for box in row.boxes)
    return (
        f"<annotation>\n<folder>{FOLDER}</folder>\n<filename>{text(row.file)}</filename>\n"
        f"<source><database>{text(title)}</database></source>\n"
        f"<size><width>{row.width}</width><height>{row.height}</height><depth>3</depth></size>\n"
        f"<segmented>0</segmented>\n{objects}</annotation>\n"
    )


def _object(box: Box, row: Row) -> str:
    left, top, right, bottom = box.corners_px(row)
    xmin, xmax = _whole(left, right, row.width)
    ymin, ymax = _whole(top, bottom, row.height)
    return (
        f"<object><name>{text(box.label)}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>0</difficult><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax>"
        f"<ymax>{ymax}</ymax></bndbox></object>\n"
    )


def _whole(low: float, high: float, size: int) -> tuple[int, int]:
    """The nearest pixel edges, at least one pixel apart and inside the picture."""
    first, last = round(low), round(high)
    if first == last:
        first = min(int(low), size - 1)
        last = first + 1
    return first, last
