"""Tables as CSV (RFC 4180) that a spreadsheet opens as data: UTF-8, CRLF, no cell that it would calculate."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import orjson

BOM = "\ufeff"
ROWS_AT_ONCE = 200
# What a spreadsheet may read as the begin of a formula; the wide forms are read so in East Asian locales.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value) -> str | int | float:
    """`value` as one cell: nothing for None, JSON for lists and objects, an apostrophe before a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (dict, list)):
        return orjson.dumps(value).decode()  # begins with a bracket, never with a formula
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text


def csv_pieces(columns: Sequence[str], rows: Iterable[dict], *, bom: bool = False) -> Iterator[bytes]:
    """The head line, then a line per row, in pieces of some lines: a long table is never in memory whole.

    bom: begins with U+FEFF, without which some spreadsheets take UTF-8 for another encoding.
    """
    page = io.StringIO(newline="")
    writer = csv.writer(page)
    page.write(BOM if bom else "")
    writer.writerow(columns)
    for number, row in enumerate(rows, start=1):
        writer.writerow([cell(row[name]) for name in columns])
        if number % ROWS_AT_ONCE == 0:
            yield _taken(page)
    yield _taken(page)


def _taken(page: io.StringIO) -> bytes:
    text = page.getvalue()
    page.seek(0)
    page.truncate()
    return text.encode("utf-8", "replace")
