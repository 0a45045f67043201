"""What an import would do, file by file: kept in a small database of its own in the job's folder.

It is written by the dry run, read by its report and followed when the import is applied; it goes with the
job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = "plan.sqlite3"
OUTCOMES = ("new", "matched", "skipped", "ignored")
_TABLES = """
CREATE TABLE IF NOT EXISTS picture (
    n INTEGER PRIMARY KEY, file TEXT UNIQUE, stem TEXT, has_file INTEGER, name TEXT DEFAULT '',
    image TEXT DEFAULT '', sha256 TEXT DEFAULT '', taken_at TEXT DEFAULT '', label TEXT, split TEXT,
    outcome TEXT DEFAULT '', reason TEXT DEFAULT '', added INTEGER DEFAULT 0, unchanged INTEGER DEFAULT 0,
    refused INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_stem ON picture (stem);
CREATE INDEX IF NOT EXISTS by_hash ON picture (sha256, n);
CREATE INDEX IF NOT EXISTS by_outcome ON picture (outcome, n);
CREATE TABLE IF NOT EXISTS box (picture INTEGER, label TEXT, x REAL, y REAL, w REAL, h REAL);
CREATE INDEX IF NOT EXISTS boxes_of ON box (picture);
CREATE TABLE IF NOT EXISTS alias (id TEXT PRIMARY KEY, picture INTEGER, width REAL, height REAL);
"""


@dataclass
class Line:
    """One file of the archive, or one picture that its annotations name.

    label, split: None where the archive does not say. image: its key on the server that it came from.
    added, unchanged, refused: boxes.
    """

    n: int
    file: str
    stem: str
    has_file: bool
    name: str
    image: str
    sha256: str
    taken_at: str
    label: str | None
    split: str | None
    outcome: str
    reason: str
    added: int
    unchanged: int
    refused: int


SPLITS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}


class Plan:
    """One thread at a time. Use as a context manager: what was written is kept only after a clean end."""

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        if fresh:
            (folder / FILE).unlink(missing_ok=True)
        self._db = sqlite3.connect(folder / FILE, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA synchronous=OFF")  # lost with the machine, it is made again
        for statement in filter(str.strip, _TABLES.split(";")):
            self._db.execute(statement)

    def __enter__(self) -> Plan:
        self._db.execute("BEGIN")
        return self

    def __exit__(self, kind, *_) -> None:
        self._db.execute("ROLLBACK" if kind else "COMMIT")
        self._db.close()

    def add(self, file: str, *, has_file: bool, outcome: str = "", reason: str = "") -> int:
        """The number of a new line, or of the line that has this file already."""
        file = _plain(file)
        self._db.execute(
            "INSERT INTO picture (file, stem, has_file, outcome, reason) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (file) DO NOTHING",
            tuple(map(_clean, (file, stem_of(file), has_file, outcome, reason))),
        )
        return self.place_of(file)

    def place_of(self, file: str) -> int | None:
        """The line of exactly this file."""
        row = self._db.execute("SELECT n FROM picture WHERE file = ?", (_plain(file),)).fetchone()
        return row and row[0]

    def find(self, file: str, *, split: str | None = None) -> int | None:
        """The line of a picture that annotations name: by its path, else by its name without extension.

        None when there is none, or more than one of that name, or the folders name different splits: then
        another picture is meant, which the archive does not have. split: where the path names none, that of
        the folder in which the annotations lie.
        """
        if (n := self.place_of(file)) is not None:
            return n
        pictures = "SELECT n, file FROM picture WHERE stem = ? AND outcome <> 'ignored' LIMIT 2"
        rows = self._db.execute(pictures, (stem_of(_plain(file)),)).fetchall()
        meant = folder_split(_plain(file)) or split
        if len(rows) != 1 or len({meant, folder_split(rows[0][1])} - {None}) == 2:
            return None
        return rows[0][0]

    def set(self, n: int, **columns) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(f"UPDATE picture SET {names} WHERE n = ?", (*map(_clean, columns.values()), n))

    def say(self, n: int, *, label: str | None, split: str | None) -> None:
        """What the annotations say of the picture; what is known already stays."""
        self._db.execute(
            "UPDATE picture SET label = coalesce(label, ?), split = coalesce(split, ?) WHERE n = ?",
            (_clean(label), split, n),
        )

    def refuse_box(self, n: int, reason: str) -> None:
        self._db.execute("UPDATE picture SET refused = refused + 1, reason = ? WHERE n = ?", (reason, n))

    def add_box(self, n: int, box: tuple) -> None:
        self._db.execute("INSERT INTO box VALUES (?, ?, ?, ?, ?, ?)", (n, *box))

    def name_alias(self, id: str, n: int, size: tuple[float, float]) -> None:
        """The annotations call line `n` by this id, and its size is so many pixels."""
        self._db.execute("INSERT OR REPLACE INTO alias VALUES (?, ?, ?, ?)", (_clean(id), n, *size))

    def of_alias(self, id: str) -> tuple[int, float, float] | None:
        return self._db.execute(
            "SELECT picture, width, height FROM alias WHERE id = ?", (_clean(id),)
        ).fetchone()

    def lines(self, *, after: int = 0, limit: int = 200, outcome: str = "") -> list[Line]:
        """Up to `limit` lines behind number `after`; outcome: only those."""
        where, values = "n > ?", [after]
        if outcome:
            where, values = f"{where} AND outcome = ?", [*values, outcome]
        rows = self._db.execute(f"SELECT * FROM picture WHERE {where} ORDER BY n LIMIT ?", (*values, limit))
        return [Line(*row[:3], bool(row[3]), *row[4:]) for row in rows.fetchall()]

    def each(self, *outcomes: str, limit: int = 200) -> Iterator[Line]:
        """Every line with one of these outcomes, in order."""
        after = 0
        while found := self.lines(after=after, limit=limit):
            yield from (line for line in found if line.outcome in outcomes)
            after = found[-1].n

    def boxes(self, n: int) -> list[tuple]:
        return self._db.execute("SELECT label, x, y, w, h FROM box WHERE picture = ?", (n,)).fetchall()

    def place_among_equals(self, line: Line) -> int:
        """How many pictures with the same content stand before this one."""
        count = "SELECT count(*) FROM picture WHERE sha256 = ? AND n < ?"
        return self._db.execute(count, (line.sha256, line.n)).fetchone()[0]

    def totals(self) -> dict:
        """How many lines have each outcome, and boxes."""
        rows = self._db.execute("SELECT outcome, count(*) FROM picture GROUP BY outcome").fetchall()
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in ("added", "unchanged", "refused"))
        added, unchanged, refused = self._db.execute(f"SELECT {sums} FROM picture").fetchone()
        return {
            **dict.fromkeys(OUTCOMES, 0),
            **dict(rows),
            "boxes_added": added,
            "boxes_unchanged": unchanged,
            "boxes_refused": refused,
        }

    def count(self) -> int:
        return self._db.execute("SELECT count(*) FROM picture").fetchone()[0]


def _clean(value):
    """A text that every database can keep and be asked for: no NUL, no lone surrogates."""
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _plain(file: str) -> str:
    """A path as it stands in a plan."""
    return _clean(file).replace("\\", "/").removeprefix("./")


def folder_split(path: str) -> str | None:
    """The split that a folder of the path names."""
    folders = path.lower().split("/")[:-1]
    return next((SPLITS[folder] for folder in reversed(folders) if folder in SPLITS), None)


def stem_of(file: str) -> str:
    """The name without folders and extension, as it is looked for."""
    name = file.replace("\\", "/").rpartition("/")[2]
    return (name.rpartition(".")[0] or name).casefold()
