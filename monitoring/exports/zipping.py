"""A zip that is written while it is sent, in memory that does not grow with it.

Format: PKWARE APPNOTE 6.3. Small files and pictures carry their sizes in front, so that every unzipper reads
them from a stream; a large file has them behind it, with 64 bits. The directory of the archive waits on disk.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from monitoring.exports.parts import spool, unspooled

WHOLE_BYTES = 256 * 1024  # a file of up to this size is written with its sizes in front
PIECE_BYTES = 256 * 1024
STORED, DEFLATED = 0, 8
LEVEL = 3  # of 1..9: 6 takes twice as long for a few percent
_UTF8, _SIZES_BEHIND = 0x0800, 0x0008
_VERSION, _VERSION_64 = 20, 45
_UNIX_FILE = 0o100644 << 16
_MAX_32, _MAX_16 = 0xFFFFFFFF, 0xFFFF


class ZipStream:
    """The pieces of one archive, in order. Every method yields what is to be sent next."""

    def __init__(self, moment: datetime) -> None:
        self._offset = 0
        self._count = 0
        self._directory = spool()
        self._moment = _dos_time(moment)

    def file(self, path: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """A file with this content, compressed."""
        head, pieces = bytearray(), iter(pieces)
        for piece in pieces:
            head += piece
            if len(head) > WHOLE_BYTES:
                yield from self._long_file(path, bytes(head), pieces)
                return
        yield from self._whole_file(path, bytes(head))

    def _whole_file(self, path: str, data: bytes) -> Iterator[bytes]:
        packed = _deflate(data)
        method = DEFLATED if len(packed) < len(data) else STORED
        entry = _Entry(path, method, self._moment, self._offset, zlib.crc32(data), len(packed), len(data))
        if method == STORED:
            entry.packed_bytes, packed = len(data), data
        yield self._sent(entry.local_header())
        if packed:
            yield self._sent(packed)
        self._note(entry)

    def _long_file(self, path: str, head: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
        entry = _Entry(path, DEFLATED, self._moment, self._offset, sizes_behind=True)
        yield self._sent(entry.local_header())
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        for piece in _chain(head, rest):
            entry.crc = zlib.crc32(piece, entry.crc)
            entry.size_bytes += len(piece)
            if packed := packer.compress(piece):
                entry.packed_bytes += len(packed)
                yield self._sent(packed)
        packed = packer.flush()
        entry.packed_bytes += len(packed)
        yield self._sent(packed + entry.descriptor())
        self._note(entry)

    def picture(self, path: str, source: BinaryIO, moment: datetime) -> Iterator[bytes]:
        """The open file `source` as it is: pictures are compressed already. Read twice, for its checksum."""
        crc = size_bytes = 0
        while piece := source.read(PIECE_BYTES):
            crc, size_bytes = zlib.crc32(piece, crc), size_bytes + len(piece)
        source.seek(0)
        entry = _Entry(path, STORED, _dos_time(moment), self._offset, crc, size_bytes, size_bytes)
        yield self._sent(entry.local_header())
        while piece := source.read(PIECE_BYTES):
            yield self._sent(piece)
        self._note(entry)

    def end(self) -> Iterator[bytes]:
        """The directory; the archive is whole."""
        start, size = self._offset, self._directory.tell()
        for piece in unspooled(self._directory):
            yield self._sent(piece)
        count = self._count
        if count >= _MAX_16 or start >= _MAX_32 or size >= _MAX_32:
            record = struct.pack(
                "<4sQHHIIQQQQ", b"PK\6\6", 44, _VERSION_64, _VERSION_64, 0, 0, count, count, size, start
            )
            yield self._sent(record + struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1))
        count, size, start = min(count, _MAX_16), min(size, _MAX_32), min(start, _MAX_32)
        yield struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, size, start, 0)

    def close(self) -> None:
        """What waits on disk is gone, also when the archive was given up half-way."""
        self._directory.close()

    def _sent(self, data: bytes) -> bytes:
        self._offset += len(data)
        return data

    def _note(self, entry: _Entry) -> None:
        self._directory.write(entry.central_header())
        self._count += 1


class _Entry:
    """One file of the archive, and how it is written down."""

    def __init__(
        self, path: str, method: int, moment: tuple[int, int], offset: int,
        crc: int = 0, packed_bytes: int = 0, size_bytes: int = 0, *, sizes_behind: bool = False,
    ) -> None:  # fmt: skip
        self.name = path.encode()
        self.method, self.moment, self.offset = method, moment, offset
        self.crc, self.packed_bytes, self.size_bytes = crc, packed_bytes, size_bytes
        self.flags = _UTF8 | (_SIZES_BEHIND if sizes_behind else 0)
        self.version = _VERSION_64 if sizes_behind else _VERSION

    def local_header(self) -> bytes:
        behind = bool(self.flags & _SIZES_BEHIND)
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if behind else b""
        sizes = (0, _MAX_32, _MAX_32) if behind else (self.crc, self.packed_bytes, self.size_bytes)
        head = struct.pack(
            "<4sHHHHHIIIHH", b"PK\3\4", self.version, self.flags, self.method, *self.moment, *sizes,
            len(self.name), len(extra),
        )  # fmt: skip
        return head + self.name + extra

    def descriptor(self) -> bytes:
        return struct.pack("<4sIQQ", b"PK\7\10", self.crc, self.packed_bytes, self.size_bytes)

    def central_header(self) -> bytes:
        wide = [value for value in (self.size_bytes, self.packed_bytes, self.offset) if value >= _MAX_32]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        version = _VERSION_64 if wide else self.version
        head = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 3 << 8 | version, version, self.flags, self.method,
            *self.moment, self.crc, min(self.packed_bytes, _MAX_32), min(self.size_bytes, _MAX_32),
            len(self.name), len(extra), 0, 0, 0, _UNIX_FILE, min(self.offset, _MAX_32),
        )  # fmt: skip
        return head + self.name + extra


def open_if_there(path: Path) -> BinaryIO | None:
    """The file for reading; None when it is gone."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _chain(head: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _dos_time(moment: datetime) -> tuple[int, int]:
    """(time, date) as zip keeps them: UTC, in steps of two seconds, from 1980 to 2107."""
    at = moment.astimezone(UTC)
    year = min(max(at.year, 1980), 2107)
    return at.hour << 11 | at.minute << 5 | at.second // 2, (year - 1980) << 9 | at.month << 5 | at.day
