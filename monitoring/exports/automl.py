"""AutoML CSV: SET,path,label,x0,y0,,,x1,y1,, with fractions of the picture; a row per box.

Format: Google Cloud AutoML Vision, "preparing training data". A picture without a box has
one row with its label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitoring.exports import cells
from monitoring.exports.parts import Box, Part, Picture, Row, Sheet

PATH = "automl.csv"
SETS = {"train": "TRAIN", "valid": "VALIDATION", "test": "TEST", "": "UNASSIGNED"}


def write(rows: Iterable[Row], labels: Sequence[str], *, title: str, aside: bool) -> Iterator[Part]:
    """`automl.csv`."""
    sheet = Sheet(PATH, aside=aside)
    for row in rows:
        path = f"images/{row.file}"
        yield Picture(path, row)
        start = [SETS[row.split], path]
        lines = [[*start, box.label, *cells_of(box)] for box in row.boxes] or [[*start, row.label, *[""] * 8]]
        yield from sheet.add(b"".join(cells.line(one) for one in lines))
    yield from sheet.end()


def cells_of(box: Box) -> list[str]:
    """x0,y0,,,x1,y1,, of a box."""
    x0, y0, x1, y1 = (fraction(value) for value in (box.x, box.y, box.x + box.w, box.y + box.h))
    return [x0, y0, "", "", x1, y1, "", ""]


def fraction(value: float) -> str:
    """Never over 1, and without the noise of the last bits (0.1 + 0.2)."""
    return f"{min(value, 1.0):.9g}"
