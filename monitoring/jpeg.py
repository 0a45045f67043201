"""A plain JPEG checked and made smaller in one call (`native/jpeg.c`), where that has been compiled.

Pillow and libwebp need four calls for it that let other threads run, and at full speed a decode thread waits
for the interpreter after each of them. The thumbnail is the same to the byte.
"""

from __future__ import annotations

from ctypes import c_char_p, c_float, c_int, c_size_t, c_uint8, c_void_p, string_at

from sessionsite.common import native

ROOM_BYTES = 96 * 1024  # four times the WebP of 300x300 px of noise
_ARGUMENTS = (c_char_p, c_size_t, c_int, c_int, c_int, c_float, c_int, c_void_p, c_size_t)


def thumbnail(
    data: bytes, size: tuple[int, int], *, longest_px: int, quality: int, method: int
) -> bytes | None:
    """The WebP of a plain JPEG that was decoded to its end without a flaw; None says nothing about it.

    size: of the picture, as its header says. Left to Pillow: what is progressive, grey, or has EXIF, XMP or
    several pictures.
    """
    make = native.function("jpeg", "jpeg_thumbnail", c_size_t, *_ARGUMENTS)
    if make is None:
        return None
    room = (c_uint8 * ROOM_BYTES)()
    made_bytes = make(data, len(data), *size, longest_px, quality, method, room, ROOM_BYTES)
    return string_at(room, made_bytes) if made_bytes else None
