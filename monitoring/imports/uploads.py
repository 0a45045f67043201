"""The archive that somebody sent: opened with a look at everything that could be wrong with it."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from sessionsite.common.errors import DomainError

ENTRIES_MAX = 250_000
TEXT_BYTES_MAX = 16 * 1024 * 1024  # of a file that is read whole: a label text, an XML, a list
LONG_BYTES_MAX = 2 * 1024**3  # of a file that is read in pieces: a JSON, a table
RATIO_MAX, RATIO_FROM_BYTES = 200, 16 * 1024 * 1024  # what packs better than this is no annotation
NAME_BYTES_MAX = 1000
_DRIVE = re.compile(r"[A-Za-z]:")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, OSError, ValueError)


class BadArchive(DomainError):
    """Not a zip that is taken: damaged, too large, or made to do harm."""

    code = "bad_archive"


class Upload:
    """The files of an archive. `refused`: path -> why a file in it is not read at all."""

    def __init__(self, path: Path) -> None:
        """Raises BadArchive."""
        _check_count(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except BROKEN as error:
            raise BadArchive("This is not a whole zip archive.") from error
        self._files: dict[str, zipfile.ZipInfo] = {}
        self.refused: dict[str, str] = {}
        for entry in self._zip.infolist():
            if entry.is_dir():
                continue
            name = entry.filename.replace("\\", "/")
            problem = _problem(entry, name) or ("twice in the archive" if name in self._files else "")
            if problem:
                self.refused[name[:NAME_BYTES_MAX]] = problem
            else:
                self._files[name] = entry

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def names(self) -> list[str]:
        return list(self._files)

    def size_bytes(self, name: str) -> int:
        return self._files[name].file_size

    def read(self, name: str, limit: int = TEXT_BYTES_MAX) -> bytes:
        """The whole file. Raises BadArchive when it is damaged or over `limit`."""
        with self.open(name, limit) as source:
            try:
                data = source.read(limit + 1)
            except BROKEN as error:
                raise BadArchive(f"{name} is damaged.", file=name) from error
        if len(data) > limit:
            raise BadArchive(f"{name} is too large.", file=name, limit_bytes=limit)
        return data

    def text(self, name: str) -> str:
        """Raises BadArchive, also when it is not UTF-8."""
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadArchive(f"{name} is not UTF-8.", file=name) from error

    def open(self, name: str, limit: int = LONG_BYTES_MAX) -> BinaryIO:
        """The file for reading in pieces. Raises BadArchive."""
        entry = self._files[name]
        if entry.file_size > limit:
            raise BadArchive(f"{name} is too large.", file=name, limit_bytes=limit)
        if entry.file_size > RATIO_FROM_BYTES and entry.file_size > RATIO_MAX * max(entry.compress_size, 1):
            raise BadArchive(f"{name} is packed so tightly that it is not taken.", file=name)
        try:
            return self._zip.open(entry)
        except BROKEN as error:
            raise BadArchive(f"{name} is damaged.", file=name) from error

    def pieces(self, name: str, piece_bytes: int = 256 * 1024) -> Iterator[bytes]:
        with self.open(name) as source:
            while True:
                try:
                    piece = source.read(piece_bytes)
                except BROKEN as error:
                    raise BadArchive(f"{name} is damaged.", file=name) from error
                if not piece:
                    return
                yield piece


def _problem(entry: zipfile.ZipInfo, name: str) -> str:
    """Why the file is not read; empty when nothing is wrong with it."""
    parts = name.split("/")
    if name.startswith("/") or _DRIVE.match(name) or ".." in parts or "\0" in entry.orig_filename:
        return "its path leads out of the archive"
    if not name.isprintable() or len(name.encode("utf-8", "replace")) > NAME_BYTES_MAX:
        return "its name cannot be shown"
    mode = entry.external_attr >> 16
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        return "a link or device, not a file"
    if entry.flag_bits & 1:
        return "encrypted"
    if entry.compress_type not in _METHODS:
        return "packed in a way that is not read here"
    return ""


def _check_count(path: Path) -> None:
    """The directory's count and size, looked at before it is read into memory. Raises BadArchive."""
    if path.stat().st_size > settings.IMPORT_MAX_BYTES:
        raise BadArchive("The archive is too large.", limit_bytes=settings.IMPORT_MAX_BYTES)
    with open(path, "rb") as source:
        try:
            end = zipfile._EndRecData(source)  # the one reader of this record that the library has
        except BROKEN as error:
            raise BadArchive("This is not a whole zip archive.") from error
    if not end:
        raise BadArchive("This is not a zip archive.")
    count, directory_bytes = end[zipfile._ECD_ENTRIES_TOTAL], end[zipfile._ECD_SIZE]
    if count > ENTRIES_MAX or directory_bytes > ENTRIES_MAX * 400:
        raise BadArchive(f"The archive holds more than {ENTRIES_MAX:,} files.", limit=ENTRIES_MAX)
