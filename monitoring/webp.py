"""A picture made smaller and encoded as WebP in one go, by the libwebp that Pillow itself has loaded.

Pillow does both too, but scales four bytes a pixel without vector instructions and copies the pixels twice
on the way: 1.2 ms for a thumbnail, where all of an upload is 2.9. libwebp reads the pixels where Pillow has
them and scales the planes that it encodes, 1.5 bytes a pixel: 0.8 ms. Where that library cannot be reached,
`encoder()` is None and Pillow does it.

Structures and functions: webp/encode.h, encoder ABI 2.x. The library refuses an ABI of another major number,
and the structures end with room for the fields that a later minor one may add. Pixels: the Arrow C data
interface, arrow.apache.org/docs/format/CDataInterface.html.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import (
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_float,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_void_p,
    cast,
    py_object,
)
from functools import cache

from PIL import Image, _webp

ABI = 0x0210
PRESET_DEFAULT = 0
BYTES_PER_PIXEL = 4  # RGBX: how Pillow keeps RGB
_ROOM = ("room", ctypes.c_uint8 * 256)


class _Config(Structure):
    _fields_ = [
        ("lossless", c_int),
        ("quality", c_float),
        ("method", c_int),
        ("image_hint", c_int),
        ("target_size", c_int),
        ("target_psnr", c_float),
        ("segments", c_int),
        ("sns_strength", c_int),
        ("others", c_int * 21),
        _ROOM,
    ]


class _Picture(Structure):
    _fields_ = [
        ("use_argb", c_int),
        ("colorspace", c_int),
        ("width", c_int),
        ("height", c_int),
        ("planes", c_void_p * 3),
        ("strides", c_int * 2),
        ("alpha", c_void_p),
        ("alpha_stride", c_int),
        ("pad1", c_uint32 * 2),
        ("argb", c_void_p),
        ("argb_stride", c_int),
        ("pad2", c_uint32 * 3),
        ("writer", c_void_p),
        ("writer_target", c_void_p),
        ("others", c_void_p * 32),
        _ROOM,
    ]


class _Memory(Structure):
    _fields_ = [("bytes", c_void_p), ("size", c_size_t), ("max_size", c_size_t), ("pad", c_uint32), _ROOM]


class _ArrowArray(Structure):
    """Of an RGB image: one child, whose second buffer holds the pixels."""


_ArrowArray._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(_ArrowArray))),
    ("others", c_void_p * 3),
]
_capsule_pointer = ctypes.PYFUNCTYPE(c_void_p, py_object, c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class Encoder:
    """libwebp's own functions. Any number of threads may use it; the long calls let other threads run."""

    def __init__(self, library: str) -> None:
        """Raises OSError, AttributeError, ValueError where this library cannot be used so."""
        slow, quick = ctypes.CDLL(library), ctypes.PyDLL(library)
        self._import = _function(slow.WebPPictureImportRGBX, POINTER(_Picture), c_void_p, c_int)
        self._rescale = _function(slow.WebPPictureRescale, POINTER(_Picture), c_int, c_int)
        self._encode = _function(slow.WebPEncode, POINTER(_Config), POINTER(_Picture))
        self._begin_config = _function(quick.WebPConfigInitInternal, POINTER(_Config), c_int, c_float, c_int)
        self._begin = _function(quick.WebPPictureInitInternal, POINTER(_Picture), c_int)
        self._free = _function(quick.WebPPictureFree, POINTER(_Picture))
        self._begin_memory = _function(quick.WebPMemoryWriterInit, POINTER(_Memory))
        self._free_memory = _function(quick.WebPMemoryWriterClear, POINTER(_Memory))
        self._write = cast(quick.WebPMemoryWrite, c_void_p)
        self._config(75, 0)

    @cache  # noqa: B019 - there is one encoder for the life of the process, and a few settings
    def _config(self, quality: int, method: int) -> _Config:
        config = _Config()
        if not self._begin_config(byref(config), PRESET_DEFAULT, quality, ABI):
            raise ValueError("another ABI")
        config.method = method
        # The same quality everywhere: for a thumbnail an eighth quicker, no larger and nearer to the picture.
        config.segments, config.sns_strength = 1, 0
        return config

    def encode(self, image: Image.Image, size: tuple[int, int], *, quality: int, method: int) -> bytes:
        """The RGB `image` at `size`, not larger than it is, as a lossy WebP. Raises MemoryError."""
        picture, memory = _Picture(), _Memory()
        self._begin(byref(picture), ABI)
        self._begin_memory(byref(memory))
        picture.width, picture.height = image.size
        picture.writer, picture.writer_target = self._write, ctypes.addressof(memory)
        pixels, owner = _pixels(image)
        try:
            done = self._import(byref(picture), pixels, image.width * BYTES_PER_PIXEL)
            del owner
            if done and size != image.size:
                done = self._rescale(byref(picture), *size)
            if not (done and self._encode(byref(self._config(quality, method)), byref(picture))):
                raise MemoryError("the thumbnail could not be encoded")
            return ctypes.string_at(memory.bytes, memory.size)
        finally:
            self._free_memory(byref(memory))
            self._free(byref(picture))


def _pixels(image: Image.Image) -> tuple[object, object]:
    """The RGBX rows of an RGB image, one after the other, and what keeps them there: where they are, if
    Pillow has them in one piece, else a copy.
    """
    try:
        _, capsule = image.__arrow_c_array__()
    except ValueError:
        copied = image.tobytes("raw", "RGBX")
        return copied, copied
    array = cast(_capsule_pointer(capsule, b"arrow_array"), POINTER(_ArrowArray)).contents
    return array.children[0].contents.buffers[1], capsule


def _function(function: Callable, *arguments: type) -> Callable:
    function.argtypes = arguments
    return function


@cache
def encoder() -> Encoder | None:
    """The encoder of this process; None where Pillow's libwebp keeps its functions to itself."""
    try:
        return Encoder(_webp.__file__)  # a symbol is looked for in what the library itself has loaded, too
    except (OSError, AttributeError, ValueError):
        return None
