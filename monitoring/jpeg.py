"""A plain JPEG checked and made smaller in one call (`native/jpeg.c`), where that has been compiled.

Pillow and libwebp need four calls for it that let other threads run, and at full speed a decode thread waits
for the interpreter after each of them; and it goes from the planes of the JPEG to those of the WebP, without
RGB in between. To the eye the thumbnail is the same.
"""

from __future__ import annotations

from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_long, c_size_t, c_uint8, c_void_p, string_at
from typing import NamedTuple

from sessionsite.common import native

ROOM_BYTES = 96 * 1024  # four times the WebP of 300x300 px of noise
_NUMBER = POINTER(c_int)
_ARGUMENTS = (
    (c_char_p, c_size_t) + (c_int, c_long, c_float, c_int) + (c_void_p, c_size_t) + (_NUMBER, _NUMBER)
)


class Whole(NamedTuple):
    """What is known of a JPEG that was decoded to its end and is shown as it is stored."""

    width: int
    height: int
    thumbnail_webp: bytes


def look(data: bytes, *, longest_px: int, max_pixels: int, quality: int, method: int) -> Whole | None:
    """The picture when it is a plain JPEG without a flaw; None says nothing about it.

    Left to Pillow: what is progressive, grey, of more than max_pixels, or comes with EXIF, XMP, a colour
    profile or a second picture. longest_px: of the thumbnail.
    """
    make = native.function("jpeg", "jpeg_thumbnail", c_size_t, *_ARGUMENTS)
    if make is None:
        return None
    room, width, height = (c_uint8 * ROOM_BYTES)(), c_int(), c_int()
    about = (longest_px, max_pixels, quality, method)
    made_bytes = make(data, len(data), *about, room, ROOM_BYTES, byref(width), byref(height))
    return Whole(width.value, height.value, string_at(room, made_bytes)) if made_bytes else None
