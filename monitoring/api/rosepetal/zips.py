"""A zip of pictures, written while it is sent: a folder per label, one file at a time in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence

from monitoring.models import Image
from sessionsite.common.files import media_file, safe_name

CHUNK = 200  # rows per query
PIECE_BYTES = 256 * 1024
UNLABELLED = "Unclassified"
MISSING_LIST = "missing.txt"


class _Pipe(io.RawIOBase):
    """Takes what zipfile writes and gives it away; it cannot seek, so sizes follow each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def zip_of(image_ids: Sequence[int]) -> Iterator[bytes]:
    """The zip of these pictures (primary keys), stored uncompressed: they are compressed already.

    A picture whose file is gone by now is named in `missing.txt`. Between two pieces no query is open.
    """
    pipe = _Pipe()
    names: set[str] = set()
    missing: list[str] = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for start in range(0, len(image_ids), CHUNK):
            images = Image.objects.in_bulk(image_ids[start : start + CHUNK])
            for image_id in image_ids[start : start + CHUNK]:
                if image_id in images:
                    yield from _add(archive, pipe, images[image_id], names, missing)
        if missing:
            archive.writestr(MISSING_LIST, "".join(f"{line}\n" for line in missing))
    yield pipe.take()


def _add(
    archive: zipfile.ZipFile, pipe: _Pipe, image: Image, names: set[str], missing: list[str]
) -> Iterator[bytes]:
    try:
        source = open(media_file(image.file_path), "rb")  # noqa: SIM115 - closed below; opened before the entry is
    except FileNotFoundError:
        missing.append(f"{image.key} {image.name}")
        return
    entry = zipfile.ZipInfo(_entry_name(image, names), image.taken_at.timetuple()[:6])
    entry.external_attr = 0o644 << 16
    with source, archive.open(entry, "w") as target:
        while piece := source.read(PIECE_BYTES):
            target.write(piece)
            yield pipe.take()
    yield pipe.take()


def _entry_name(image: Image, names: set[str]) -> str:
    """`<label>/<name>`, with the key in front of a name that is there already."""
    folder = safe_name(image.label.replace("/", "_").replace("\\", "_"), default=UNLABELLED)
    extension = image.file_path.rpartition(".")[2]
    name = safe_name(image.name, default=f"{image.key}.{extension}")
    path = f"{folder}/{name}"
    if path.casefold() in names:
        path = f"{folder}/{image.key}_{name}"
    names.add(path.casefold())
    return path
