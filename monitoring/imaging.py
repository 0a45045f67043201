"""Is this a picture, whole, of a size we take? And its thumbnail.

Every picture is decoded to the end of its coded data; a JPEG at a reduced scale, which still reads the whole
stream. The original bytes are never changed. Of a file with several pictures the first one is shown.
"""

import binascii
import contextlib
import hashlib
import io
import math
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pybase64
from django.conf import settings
from PIL import (  # the named plugins register the formats that `Image.open` may use
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from monitoring import jpeg, picture_ends, webp
from sessionsite.common.errors import DomainError, TooLarge

FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
        GifImagePlugin.GifImageFile,
    )
)
THUMBNAIL_PX = 300
THUMBNAIL_QUALITY = 78
THUMBNAIL_METHOD = 0  # of 0..6: 4 takes three times as long for a fifth fewer bytes
LARGE_PIXELS = 8_000_000
LARGE_AT_ONCE = 4
_DEEP_MODES = ("I", "F")  # 16 and 32 bits per pixel: I, I;16, I;16B, F
_GREY_RANGES = (256, 1024, 4096, 16384, 65536)  # cameras of 8, 10, 12, 14 and 16 bits
_ORIENTATIONS_ON_THE_SIDE = {5, 6, 7, 8}
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*;base64,", re.ASCII | re.IGNORECASE)

# The cap of the settings is checked by name before a decode; this makes Pillow refuse what only it sees.
Image.MAX_IMAGE_PIXELS = settings.MAX_IMAGE_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# Oddities in metadata are no reason to refuse a picture, nor to fill the log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_large_decodes = threading.BoundedSemaphore(LARGE_AT_ONCE)


class NotAPicture(DomainError):
    """Nothing that can be shown: empty, cut off, damaged, or of a format that is not taken."""

    code = "not_a_picture"


class PictureTooLarge(TooLarge):
    """Over MAX_IMAGE_BYTES or MAX_IMAGE_PIXELS; the details name the limit."""

    code = "picture_too_large"


@dataclass(frozen=True)
class Picture:
    """What is known of a whole picture. width, height: as displayed, EXIF orientation honoured.

    format: JPEG, PNG, WEBP, TIFF, BMP or GIF. The thumbnail has at most 300 px on its long side.
    sha256: of the bytes as they came, in hexadecimal digits.
    """

    format: str
    width: int
    height: int
    size_bytes: int
    thumbnail_webp: bytes
    sha256: str


def inspect(data: bytes) -> Picture:
    """`data` is a whole picture: its measures and thumbnail. Raises NotAPicture, PictureTooLarge."""
    check_size_bytes(len(data))
    if not data:
        raise NotAPicture("the picture is empty")
    if (whole := _plain_jpeg(data)) is not None:
        digest = whole.sha256 or sha256_of(data)
        return Picture("JPEG", whole.width, whole.height, len(data), whole.thumbnail_webp, digest)
    with _refusing():
        image = _open(data)
        _check_pixels(*image.size)
        if image.width * image.height > LARGE_PIXELS:
            with _large_decodes:
                return _decode(image, data)
        return _decode(image, data)


def _plain_jpeg(data: bytes) -> jpeg.Whole | None:
    """None: Pillow is to say what it is."""
    return jpeg.look(
        data,
        longest_px=THUMBNAIL_PX,
        max_pixels=min(LARGE_PIXELS, settings.MAX_IMAGE_PIXELS),
        quality=THUMBNAIL_QUALITY,
        method=THUMBNAIL_METHOD,
    )


def sha256_of(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def check_size_bytes(size_bytes: int) -> None:
    """Raises PictureTooLarge for more bytes than MAX_IMAGE_BYTES."""
    if size_bytes > settings.MAX_IMAGE_BYTES:
        raise PictureTooLarge(
            f"the picture has more than {settings.MAX_IMAGE_BYTES:,} bytes",
            limit_bytes=settings.MAX_IMAGE_BYTES,
        )


def decode_base64(text: object) -> bytes:
    """The bytes of strict base64 (padded, no line breaks), with or without a data-URL prefix.

    Raises NotAPicture, and PictureTooLarge before it decodes more than MAX_IMAGE_BYTES.
    """
    if not isinstance(text, str):
        raise NotAPicture("the picture must be base64 text")
    start = 0
    if text[:5].lower() == "data:":
        prefix = _DATA_URL.match(text[:200])
        if prefix is None:
            raise NotAPicture("the data URL must begin like data:image/png;base64,")
        start = prefix.end()
    check_size_bytes((len(text) - start) * 3 // 4 - 2)
    try:
        return pybase64.b64decode(text[start:] if start else text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NotAPicture("the picture is not base64 (padded, without line breaks)") from exc


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Whatever Pillow raises inside becomes a refusal: broken files lead its readers into any exception."""
    try:
        yield
    except DomainError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_many_pixels() from exc
    except MemoryError as exc:
        raise PictureTooLarge("the picture needs more memory than there is") from exc
    except Exception as exc:
        raise NotAPicture("the picture is cut off or damaged") from exc


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError as exc:
        if re.search(rb"<svg[\s>]", data[:4096]):
            raise NotAPicture("SVG is not taken: send a JPEG, PNG, WebP, TIFF, BMP or GIF") from exc
        raise NotAPicture("not a whole JPEG, PNG, WebP, TIFF, BMP or GIF picture") from exc


def _check_pixels(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise NotAPicture("the picture has no pixels")
    if width * height > settings.MAX_IMAGE_PIXELS:
        raise _too_many_pixels()


def _too_many_pixels() -> PictureTooLarge:
    limit = settings.MAX_IMAGE_PIXELS
    return PictureTooLarge(f"the picture has more than {limit:,} pixels", limit_pixels=limit)


def _decode(image: Image.Image, data: bytes) -> Picture:
    picture_format = "JPEG" if image.format == "MPO" else image.format  # phones store several JPEGs in one
    width, height = image.size
    image.draft(None, _fitting(width, height))
    image.load()
    picture_ends.check(picture_format, data)
    orientation = _orientation(image)
    if picture_format == "TIFF":
        width, height = image.size  # Pillow turns a TIFF itself
    elif orientation in _ORIENTATIONS_ON_THE_SIDE:
        width, height = height, width
    thumbnail = _thumbnail(image, orientation)
    return Picture(picture_format, width, height, len(data), thumbnail, sha256_of(data))


def _fitting(width: int, height: int) -> tuple[int, int]:
    """The size of the thumbnail, never larger than the picture."""
    scale = min(1, THUMBNAIL_PX / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _orientation(image: Image.Image) -> int:
    """1..8; a picture whose EXIF cannot be read is shown as it is stored."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # the same reader, the same zoo of exceptions
        return 1
    return value if value in range(1, 9) else 1


def _thumbnail(image: Image.Image, orientation: int) -> bytes:
    size = _fitting(*image.size)
    if image.mode.startswith(_DEEP_MODES):
        small = _eight_bits(image.resize(size, Image.Resampling.BILINEAR))
    else:
        small = _nearly(_continuous(image), size)
    is_transparent = small.mode.lower().endswith("a")
    mode = "RGBA" if is_transparent else "RGB"
    small = small if small.mode == mode else small.convert(mode)
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    if orientation in _ORIENTATIONS_ON_THE_SIDE:
        size = size[::-1]
    direct = None if is_transparent else webp.encoder()
    if direct is not None:
        return direct.encode(small, size, quality=THUMBNAIL_QUALITY, method=THUMBNAIL_METHOD)
    stream = io.BytesIO()
    small = small if small.size == size else small.resize(size, Image.Resampling.BILINEAR)
    small.save(stream, "WEBP", quality=THUMBNAIL_QUALITY, method=THUMBNAIL_METHOD)
    return stream.getvalue()


def _nearly(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture by a whole number smaller, but not smaller than `size`: the cheap part of the way."""
    factor = min(image.width // size[0], image.height // size[1])
    return image.reduce(factor) if factor > 1 else image


def _continuous(image: Image.Image) -> Image.Image:
    """The picture in a mode whose pixels can be averaged."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image.convert("RGBA") if image.mode == "PA" else image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deep grey as 8 bits, so that a 12-bit camera in a 16-bit file is not shown black.

    Black stays black and white is the smallest camera range that holds the brightest pixel; values outside
    0..65535, and fractions over 1, are stretched from the darkest to the brightest.
    """
    is_float = image.mode == "F"
    image = image.convert("F")
    low, high = image.getextrema()
    if not math.isfinite(high - low):
        return image.convert("L")
    if low >= 0 and is_float and high <= 1:
        low, high = 0, 1
    elif low >= 0 and high < _GREY_RANGES[-1]:
        low, high = 0, next(size for size in _GREY_RANGES if high < size) - 1
    scale = 255 / ((high - low) or 1)
    return image.point(lambda value: value * scale - low * scale).convert("L")


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
