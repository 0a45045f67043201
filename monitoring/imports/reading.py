"""Readers of the formats: from an archive to lines and boxes of a plan.

Each writes down what it finds and decides nothing. Formats as in monitoring/exports; what other tools write
beside them (folders per split, other file names) is understood as far as it can be meant in one way only.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from monitoring.boxes import BadTag, validate_box, validate_label
from monitoring.exports.archive import INDEX
from monitoring.exports.cells import plain
from monitoring.imports.plan import SPLITS, Plan
from monitoring.imports.uploads import BROKEN, BadArchive, Upload

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
SLACK_FRAC = 2e-6  # what rounding to nine digits leaves over the edge
SLACK_PX = 1.0  # some tools count pixels from 1
_WORD = re.compile(r"[a-z]+")
Note = Callable[[], None]


def list_files(upload: Upload, plan: Plan, note: Note) -> None:
    """Every picture of the archive has a line, and every file that is not read at all."""
    for name in upload.names():
        note()
        if PurePosixPath(name).suffix.lower() in PICTURES:
            plan.add(name, has_file=True)
    for name, problem in upload.refused.items():
        if (n := plan.place_of(name)) is not None:  # a second one of this name: the first is taken
            plan.set(n, reason=problem)
        else:
            plan.add(name, has_file=True, outcome="skipped", reason=problem)


def read_index(upload: Upload, plan: Plan, note: Note) -> None:
    """`pictures.csv`, where the archive has one: names, labels, splits, hashes."""
    if INDEX not in upload:
        return
    with table(upload, INDEX) as rows:
        columns = next(rows, [])
        if "file" not in columns:
            return
        for row in rows:
            note()
            found = {name: plain(cell) for name, cell in zip(columns, row, strict=False)}
            if not (file := found.get("file", "")):
                continue
            n = plan.find(file) or plan.add(file, has_file=False)
            split = found.get("split", "")
            plan.set(
                n,
                name=found.get("name", ""),
                image=found.get("key", ""),
                sha256=found.get("sha256", ""),
                taken_at=found.get("taken_at", ""),
                label=found.get("label", ""),
                split=split if split in ("", "train", "valid", "test") else None,
            )


@contextmanager
def table(upload: Upload, name: str) -> Iterator[Iterator[list[str]]]:
    """The rows of a CSV. Raises BadArchive where it is damaged."""
    try:
        with upload.open(name) as source, io.TextIOWrapper(source, "utf-8-sig", newline="") as text:
            yield csv.reader(text)
    except (*BROKEN, csv.Error) as error:
        raise BadArchive(f"{name} is damaged.", file=name) from error


def take_box(plan: Plan, n: int, label: str, place: tuple, *, slack: tuple[float, float]) -> None:
    """The box (x, y, w, h as fractions) belongs to line `n`, or is counted as refused with the reason.

    slack: how far it may reach over the edge, as fractions of width and height; it is cut there.
    """
    try:
        box = validate_box(*_cut(place, slack))
        plan.add_box(n, (validate_label(label), *box))
    except (BadTag, TypeError) as error:
        plan.refuse_box(n, getattr(error, "message", "a box without numbers"))


def _cut(place: tuple, slack: tuple[float, float]) -> tuple:
    x, y, w, h = place
    x, w = _cut_side(x, w, slack[0])
    y, h = _cut_side(y, h, slack[1])
    return x, y, w, h


def _cut_side(start: float, length: float, slack: float) -> tuple[float, float]:
    if -slack <= start < 0:
        start, length = 0.0, length + start
    if 1 < start + length <= 1 + slack:
        length = 1 - start
    return start, length


def split_in(path: str) -> str | None:
    """The split that a folder of the path, or a word of the file's name, says."""
    for part in reversed(path.lower().split("/")):
        for word in _WORD.findall(part):
            if word in SPLITS:
                return SPLITS[word]
    return None
