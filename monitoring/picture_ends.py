"""Is the file there to its last byte? Looks at what Pillow skips once it has its pixels.

Pillow stops a PNG at its last row and checks no checksum of it, a GIF at its first frame, a TIFF at its first
page. JPEG, WebP and BMP need nothing: there the decoder itself refuses a missing end.
"""

import struct
import zlib
from typing import NamedTuple

PNG_SIGNATURE_BYTES = 8
GIF_HEADER_BYTES = 13
MAX_PLACES = 1_000_000
_GIF_EXTENSION, _GIF_IMAGE, _GIF_TRAILER = 0x21, 0x2C, 0x3B
_TIFF_PLACES = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
_TIFF_PLACE_TAGS = {tag for pair in _TIFF_PLACES for tag in pair}
_TIFF_NUMBERS = {3: "H", 4: "I", 13: "I", 16: "Q"}


class CutOff(ValueError):
    """The coded data end before the file says they do."""


def check(picture_format: str, data: bytes) -> None:
    """`data` reach to the end. Raises CutOff, struct.error, IndexError or OverflowError where they do not."""
    if picture_format == "PNG":
        _check_png(data)
    elif picture_format == "GIF":
        _check_gif(data)
    elif picture_format == "TIFF":
        _check_tiff(data)


def _check_png(data: bytes) -> None:
    """Every critical chunk has its checksum, and the last one is IEND."""
    view, at, kind = memoryview(data), PNG_SIGNATURE_BYTES, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        is_critical = not kind[0] & 0x20
        if is_critical and zlib.crc32(view[at + 4 : end]) != checksum:
            raise CutOff("a PNG chunk is damaged")
        at = end + 4


def _check_gif(data: bytes) -> None:
    """Every block of every frame is there, up to the trailer."""
    at = GIF_HEADER_BYTES + _colour_table_bytes(data[10])
    while (kind := data[at]) != _GIF_TRAILER:
        if kind == _GIF_EXTENSION:
            at += 2
        elif kind == _GIF_IMAGE:
            at += 10 + _colour_table_bytes(data[at + 9]) + 1
        else:
            raise CutOff("unknown GIF block")
        while data[at]:
            at += data[at] + 1
        at += 1


def _colour_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _check_tiff(data: bytes) -> None:
    """The coded data of every page behind the first lie inside the file."""
    order = "<" if data[:2] == b"II" else ">"
    (version,) = struct.unpack_from(f"{order}H", data, 2)
    kind = _BIG_TIFF if version == 43 else _CLASSIC_TIFF
    (at,) = struct.unpack_from(order + kind.pointer, data, kind.first_pointer)
    places_left, pages = MAX_PLACES, set()
    while at and at not in pages:
        pages.add(at)
        entries, at = _tiff_page(data, order, kind, at)
        if len(pages) == 1:
            continue  # decoded already
        for offsets, counts in _TIFF_PLACES:
            if offsets in entries and counts in entries:
                places_left -= entries[offsets].count + entries[counts].count
                if places_left < 0:
                    raise CutOff("a TIFF with too many strips")
                ends = zip(entries[offsets].values(data), entries[counts].values(data), strict=False)
                if any(offset + count > len(data) for offset, count in ends):
                    raise CutOff("a TIFF page is cut off")


class _TiffKind(NamedTuple):
    """How the two kinds of TIFF write their numbers."""

    pointer: str
    first_pointer: int
    entry_count: str
    entry_bytes: int


_CLASSIC_TIFF = _TiffKind("I", 4, "H", 12)
_BIG_TIFF = _TiffKind("Q", 8, "Q", 20)


class _TiffEntry(NamedTuple):
    """One tag of a page: `count` numbers, at byte `at` of the file."""

    letter: str
    count: int
    at: int

    def values(self, data: bytes) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.letter[0]}{self.count}{self.letter[1]}", data, self.at)


def _tiff_page(data: bytes, order: str, kind: _TiffKind, at: int) -> tuple[dict[int, _TiffEntry], int]:
    """The entries that say where the data of the page at `at` lie, and where the next page is (0: none)."""
    (count,) = struct.unpack_from(order + kind.entry_count, data, at)
    at += struct.calcsize(order + kind.entry_count)
    entries = {}
    for start in range(at, min(at + count * kind.entry_bytes, len(data)), kind.entry_bytes):
        tag, number, values = struct.unpack_from(f"{order}HH{kind.pointer}", data, start)
        letter = _TIFF_NUMBERS.get(number)
        if letter and tag in _TIFF_PLACE_TAGS:
            field = start + 4 + struct.calcsize(order + kind.pointer)
            if values * struct.calcsize(order + letter) > struct.calcsize(order + kind.pointer):
                (field,) = struct.unpack_from(order + kind.pointer, data, field)
            entries[tag] = _TiffEntry(order + letter, values, field)
    (following,) = struct.unpack_from(order + kind.pointer, data, at + count * kind.entry_bytes)
    return entries, following
