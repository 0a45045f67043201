"""A plain JPEG checked, made smaller and hashed in one call (`native/jpeg.c`), where that has been compiled.

Pillow, libwebp and hashlib need five calls for it that let other threads run, and at full speed a decode
thread waits for the interpreter after each of them; and it goes from the planes of the JPEG to those of the
WebP, without RGB in between. To the eye the thumbnail is the same.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_long, c_size_t, c_uint8, c_void_p, string_at
from functools import cache
from typing import NamedTuple

from sessionsite.common import native

ROOM_BYTES = 96 * 1024  # four times the WebP of 300x300 px of noise
SHA256_BYTES = 32
_NUMBER = POINTER(c_int)
_ARGUMENTS = (
    (c_char_p, c_size_t)
    + (c_int, c_long, c_float, c_int)
    + (c_void_p, c_size_t)
    + (_NUMBER, _NUMBER)
    + (c_void_p, c_void_p)
)


class Whole(NamedTuple):
    """What is known of a JPEG that was decoded to its end and is shown as it is stored.

    sha256: of its bytes, in hexadecimal digits; None where OpenSSL is not reached from here.
    """

    width: int
    height: int
    thumbnail_webp: bytes
    sha256: str | None


def look(data: bytes, *, longest_px: int, max_pixels: int, quality: int, method: int) -> Whole | None:
    """The picture when it is a plain JPEG without a flaw; None says nothing about it.

    Left to Pillow: what is progressive, grey, of more than max_pixels, or comes with EXIF, XMP, a colour
    profile or a second picture. longest_px: of the thumbnail.
    """
    make = native.function("jpeg", "jpeg_thumbnail", c_size_t, *_ARGUMENTS)
    if make is None:
        return None
    room, width, height = (c_uint8 * ROOM_BYTES)(), c_int(), c_int()
    hash_function, digest = _sha256(), (c_uint8 * SHA256_BYTES)()
    about = (longest_px, max_pixels, quality, method)
    size = (byref(width), byref(height))
    made_bytes = make(data, len(data), *about, room, ROOM_BYTES, *size, hash_function, digest)
    if not made_bytes:
        return None
    sha256 = bytes(digest).hex() if hash_function else None
    return Whole(width.value, height.value, string_at(room, made_bytes), sha256)


@cache
def _sha256() -> c_void_p | None:
    """OpenSSL's own function, in the library that Python's hashlib has loaded."""
    try:
        import _hashlib  # not in a Python that was built without OpenSSL

        return ctypes.cast(ctypes.CDLL(_hashlib.__file__).SHA256, c_void_p)
    except (ImportError, OSError, AttributeError):  # or it is part of Python, and hides its names
        return None
