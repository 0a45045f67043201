"""What the writers of formats take and give: rows in, parts of an archive out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from django.conf import settings

from sessionsite.common.files import safe_name

SPOOL_BYTES = 512 * 1024  # what is kept aside for later waits on disk from here on
PIECE_BYTES = 64 * 1024


class Box(NamedTuple):
    """A labelled box in fractions of the displayed picture, from its top left corner."""

    label: str
    x: float
    y: float
    w: float
    h: float

    def corners_px(self, row: Row) -> tuple[float, float, float, float]:
        """left, top, right, bottom in pixels of the displayed picture, never over its edge."""
        right, bottom = min(self.x + self.w, 1.0), min(self.y + self.h, 1.0)
        return self.x * row.width, self.y * row.height, right * row.width, bottom * row.height


@dataclass(frozen=True, slots=True)
class Row:
    """One picture with its boxes. width, height: as displayed, EXIF orientation honoured.

    file: its name in an archive, unique there also without its extension. split: train, valid, test or empty.
    """

    key: str
    name: str
    file: str
    label: str
    split: str
    review: str
    width: int
    height: int
    sha256: str
    file_path: str
    taken_at: datetime
    monitor: str
    session: str
    boxes: tuple[Box, ...] = ()

    @property
    def stem(self) -> str:
        return PurePosixPath(self.file).stem


class File(NamedTuple):
    """A file of the archive begins; the bytes that follow are its content."""

    path: str


class Picture(NamedTuple):
    """The place of a picture's own file in the archive, whether it is sent along or not."""

    path: str
    row: Row


Part = File | Picture | bytes


class Sheet:
    """One file that grows with every row.

    aside: kept on disk until `end`, because other files of the archive are written meanwhile.
    """

    def __init__(self, path: str, *, aside: bool) -> None:
        self.path = path
        self._store = spool() if aside else None
        self._is_begun = False

    def add(self, data: bytes) -> Iterator[Part]:
        if self._store is not None:
            self._store.write(data)
            return
        if not self._is_begun:
            self._is_begun = True
            yield File(self.path)
        yield data

    def end(self, data: bytes = b"") -> Iterator[Part]:
        """The rest of the file; nothing more can be added."""
        yield from self.add(data)
        if self._store is not None:
            yield File(self.path)
            yield from unspooled(self._store)


def spool():
    """A file that begins in memory and goes on in the server's temporary folder; closed, it is gone."""
    return tempfile.SpooledTemporaryFile(SPOOL_BYTES, "w+b", dir=settings.FILE_UPLOAD_TEMP_DIR)


def unspooled(store) -> Iterator[bytes]:
    """All that was written to `store`, in pieces; then it is gone."""
    with store:
        store.seek(0)
        while piece := store.read(PIECE_BYTES):
            yield piece


class Names:
    """File names that are safe on every system, and unique without regard to case and extension.

    The first picture of a name keeps it, later ones get their key before it. Remembers a hash of each name,
    about 70 bytes a picture: two names of one hash only cost the second one a longer name.
    """

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def name_for(self, key: str, name: str, file_path: str) -> str:
        extension = PurePosixPath(file_path).suffix
        stem = PurePosixPath(safe_name(name, default=key)).stem.strip(" .") or key
        for candidate in (stem, f"{key} {stem}", key):
            if self._take(candidate):
                return f"{candidate}{extension}"
        raise AssertionError(f"two pictures of the key {key}")

    def _take(self, stem: str) -> bool:
        mark = hash(stem.casefold())
        if mark in self._taken:
            return False
        self._taken.add(mark)
        return True


def numbers(labels: Iterable[str], *, first: int) -> dict[str, int]:
    """label -> class number, in the order of the labels."""
    return {label: number for number, label in enumerate(labels, first)}


def short(value: float) -> str:
    """Nine significant digits: far below a pixel, and without the noise of the last bits (0.1 + 0.2)."""
    return f"{value:.9g}"
