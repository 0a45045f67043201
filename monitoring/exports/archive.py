"""An export as a zip: rows of a dataset or a session, through the writer of a format, while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.utils import timezone

from monitoring.exports import automl, cells, coco, cvat, label_studio, voc, yolo
from monitoring.exports.parts import File, Part, Picture, spool, unspooled
from monitoring.exports.rows import labels_of, rows_of
from monitoring.exports.selection import Selection
from monitoring.exports.zipping import ZipStream, open_if_there
from sessionsite.common.clock import iso
from sessionsite.common.files import media_file

FORMATS = {
    "coco": coco.write,
    "yolo": yolo.write,
    "voc": voc.write,
    "csv": automl.write,
    "label_studio": label_studio.write,
    "cvat": cvat.write,
}
INDEX, MISSING = "pictures.csv", "missing.txt"
INDEX_COLUMNS = (
    "file", "key", "name", "label", "split", "review", "taken_at", "monitor", "session", "sha256",
)  # fmt: skip


def export_zip(
    selection: Selection, format: str, *, with_pictures: bool, note: Callable[[int], None] = lambda done: None
) -> Iterator[bytes]:
    """The zip of `selection`, made piece by piece; between two pieces no query is open.

    format: a key of FORMATS. note: told after each picture how many have passed; it may raise to end it all.
    Beside the format's own files stands `pictures.csv`, with what the format has no place for, and
    `missing.txt` when files of pictures are gone.
    """
    labels = labels_of(selection.all)
    rows = rows_of(selection.pictures, selection.datasets, labels)
    parts = FORMATS[format](rows, labels, title=selection.title, aside=with_pictures)
    archive = _Archive(parts, with_pictures, note)
    try:
        yield from archive.pieces()
    finally:
        archive.close()


class _Archive:
    """The parts of a format on their way into a zip."""

    def __init__(self, parts: Iterator[Part], with_pictures: bool, note: Callable[[int], None]) -> None:
        self._parts, self._with_pictures, self._note = parts, with_pictures, note
        self._zip = ZipStream(timezone.now())
        self._index, self._missing = spool(), spool()
        self._begun: File | Picture | None = None  # met while the file before it was read
        self._passed = 0

    def pieces(self) -> Iterator[bytes]:
        self._index.write(cells.line(INDEX_COLUMNS))
        while part := self._next():
            if isinstance(part, File):
                yield from self._zip.file(part.path, self._content())
            else:
                yield from self._picture(part)
        yield from self._zip.file(INDEX, unspooled(self._index))
        if self._missing.tell():
            yield from self._zip.file(MISSING, unspooled(self._missing))
        yield from self._zip.end()

    def close(self) -> None:
        """What waits on disk is gone, also when the archive was given up half-way."""
        for store in (self._zip, self._index, self._missing):
            store.close()

    def _next(self) -> File | Picture | None:
        """The next part that is a file of its own."""
        part, self._begun = self._begun or next(self._parts, None), None
        while isinstance(part, Picture):
            self._list(part)
            if self._with_pictures:
                return part
            part = next(self._parts, None)
        return part

    def _content(self) -> Iterator[bytes]:
        """The bytes of the file that has begun."""
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, Picture) and not self._with_pictures:
                self._list(part)
            else:
                self._begun = part
                return

    def _list(self, part: Picture) -> None:
        row = part.row
        about = {name: getattr(row, name) for name in INDEX_COLUMNS} | {"taken_at": iso(row.taken_at)}
        self._index.write(cells.line((about | {"file": part.path}).values()))
        self._passed += 1
        self._note(self._passed)

    def _picture(self, part: Picture) -> Iterator[bytes]:
        source = open_if_there(media_file(part.row.file_path))
        if source is None:
            self._missing.write(f"{part.row.key} {part.path}\n".encode())
            return
        with source:
            yield from self._zip.picture(part.path, source, part.row.taken_at)
