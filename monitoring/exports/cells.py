"""CSV that a spreadsheet cannot calculate and that is read back exactly as it was written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from sessionsite.common.csv import FORMULA_STARTS


def line(cells: Iterable[object]) -> bytes:
    """One line; numbers stay as they are, texts are made safe."""
    stream = io.StringIO()
    safe_cells = [safe(cell) if isinstance(cell, str) else cell for cell in cells]
    csv.writer(stream, lineterminator="\n").writerow(safe_cells)
    return stream.getvalue().encode()


def safe(cell: str) -> str:
    """`cell`, with an apostrophe in front where a formula would begin, also behind apostrophes of its own."""
    return f"'{cell}" if _begins_a_formula(cell) else cell


def plain(cell: str) -> str:
    """What `safe` was given."""
    return cell[1:] if cell.startswith("'") and _begins_a_formula(cell) else cell


def _begins_a_formula(cell: str) -> bool:
    return cell.lstrip("'").lstrip(" ").startswith(FORMULA_STARTS)
