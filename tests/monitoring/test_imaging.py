import io
import struct
import threading
import warnings
import zlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageDraw

from monitoring import imaging
from monitoring.imaging import NotAPicture, PictureTooLarge, inspect

# Broken metadata, which these tests make: in the server the module's own filter hides it.
pytestmark = pytest.mark.filterwarnings("ignore:(Corrupt EXIF|Truncated File|Tag data|Metadata Warn)")

SIZE = (96, 64)
FORMATS = {"JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"}


def drawn(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with a red upper left, in `mode`."""
    picture = Image.effect_noise(size, 40).convert("RGB")
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 2 - 1, size[1] // 2 - 1), fill=(230, 20, 20))
    if mode.startswith("I;16"):
        return picture.convert("L").convert("I").point(lambda v: v * 257).convert(mode)
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        return ImageCms.applyTransform(picture, to_lab)
    return picture.convert(mode)


def encoded(picture_format: str, mode: str = "RGB", *, size: tuple[int, int] = SIZE, **options) -> bytes:
    stream = io.BytesIO()
    drawn(mode, size).save(stream, picture_format, **options)
    return stream.getvalue()


def frames(count: int) -> dict:
    return {"save_all": True, "append_images": [drawn().rotate(10 * turn) for turn in range(1, count)]}


def thumbnail(picture: imaging.Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.thumbnail_webp), formats=["WEBP"])


SAMPLES = {
    "jpeg": encoded("JPEG"),
    "jpeg progressive": encoded("JPEG", progressive=True),
    "jpeg grey": encoded("JPEG", "L"),
    "jpeg cmyk": encoded("JPEG", "CMYK"),
    "png": encoded("PNG"),
    "png alpha": encoded("PNG", "RGBA"),
    "png grey alpha": encoded("PNG", "LA"),
    "png palette": encoded("PNG", "P"),
    "png palette with transparency": encoded("PNG", "P", transparency=3),
    "png bits": encoded("PNG", "1"),
    "png 16 bit grey": encoded("PNG", "I;16"),
    "png animated": encoded("PNG", **frames(3)),
    "webp": encoded("WEBP"),
    "webp lossless alpha": encoded("WEBP", "RGBA", lossless=True),
    "webp animated": encoded("WEBP", **frames(3)),
    "tiff": encoded("TIFF"),
    "tiff lzw": encoded("TIFF", compression="tiff_lzw"),
    "tiff deflate": encoded("TIFF", compression="tiff_adobe_deflate"),
    "tiff jpeg": encoded("TIFF", compression="jpeg"),
    "tiff packbits": encoded("TIFF", compression="packbits"),
    "tiff group 4": encoded("TIFF", "1", compression="group4"),
    "tiff cmyk": encoded("TIFF", "CMYK"),
    "tiff lab": encoded("TIFF", "LAB"),
    "tiff 16 bit grey": encoded("TIFF", "I;16"),
    "tiff 16 bit grey, big endian": encoded("TIFF", "I;16B"),
    "tiff 32 bit": encoded("TIFF", "I"),
    "tiff float": encoded("TIFF", "F"),
    "tiff pages": encoded("TIFF", **frames(3)),
    "bigtiff pages": encoded("TIFF", big_tiff=True, **frames(2)),
    "bmp": encoded("BMP"),
    "bmp palette": encoded("BMP", "P"),
    "gif": encoded("GIF"),
    "gif animated": encoded("GIF", **frames(3)),
}


@pytest.fixture(params=SAMPLES)
def sample(request) -> bytes:
    return SAMPLES[request.param]


# --- what is taken ---


@pytest.mark.parametrize("name", SAMPLES)
def test_a_whole_picture_is_measured_and_gets_a_webp_thumbnail(name):
    picture = inspect(SAMPLES[name])
    assert picture.format in FORMATS and picture.format.lower() in name.replace("big", "")
    assert (picture.width, picture.height) == SIZE
    assert picture.size_bytes == len(SAMPLES[name])
    small = thumbnail(picture)
    small.load()
    assert small.size == SIZE  # smaller than 300 px: never enlarged


def test_a_16_bit_rgb_png_is_taken():
    row = b"\0" + b"\xff\xff\x10\x00\x10\x00" * 8
    assert inspect(png_of(8, 4, depth=16, colour=2, rows=row * 4)).width == 8


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1200, 800), (300, 200)), ((800, 1200), (200, 300)), ((3000, 2), (300, 1)), ((2, 2), (2, 2))],
)
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
def test_the_thumbnail_has_at_most_300_px_on_its_long_side(picture_format, size, expected):
    picture = inspect(encoded(picture_format, size=size))
    assert (picture.width, picture.height) == size
    assert thumbnail(picture).size == expected


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera_is_shown_upright_and_measured_as_shown(picture_format, orientation):
    upright = Image.new("RGB", (60, 40), (20, 20, 230))
    ImageDraw.Draw(upright).rectangle((0, 0, 29, 19), fill=(230, 20, 20))
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)  # fmt: skip
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stream = io.BytesIO()
    (upright.transpose(stored) if stored is not None else upright).save(stream, picture_format, exif=exif)
    picture = inspect(stream.getvalue())
    assert (picture.width, picture.height) == (60, 40)
    small = thumbnail(picture).convert("RGB")
    assert small.size == (60, 40)
    red, blue = small.getpixel((8, 5)), small.getpixel((50, 33))
    assert red[0] > 180 > red[2] and blue[2] > 180 > blue[0]


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"]
)
def test_broken_exif_is_no_reason_to_refuse_a_picture(exif):
    assert inspect(encoded("JPEG", exif=b"Exif\0\0" + exif)).width == SIZE[0]


def test_a_12_bit_camera_in_a_16_bit_file_is_not_shown_black():
    grey = Image.new("I;16", (40, 40), 4000)
    stream = io.BytesIO()
    grey.save(stream, "TIFF")
    value = thumbnail(inspect(stream.getvalue())).convert("L").getpixel((20, 20))
    assert value > 240


@pytest.mark.parametrize(
    ("mode", "value", "grey"),
    [
        ("I;16", 65535, 255),
        ("I;16", 32768, 128),
        ("I;16", 0, 0),
        ("F", 0.5, 128),
        ("F", 200.0, 200),
        ("I", 255, 255),
    ],
)  # fmt: skip
def test_deep_grey_keeps_its_brightness_in_the_thumbnail(mode, value, grey):
    stream = io.BytesIO()
    Image.new(mode, (40, 40), value).save(stream, "TIFF")
    assert thumbnail(inspect(stream.getvalue())).convert("L").getpixel((20, 20)) == pytest.approx(grey, abs=3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -5.0, 1e30])
def test_odd_floats_are_taken(value):
    picture = Image.new("F", (20, 20), value)
    picture.putpixel((3, 3), 1.0)
    stream = io.BytesIO()
    picture.save(stream, "TIFF")
    assert inspect(stream.getvalue()).format == "TIFF"


def test_transparency_stays_in_the_thumbnail():
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    stream = io.BytesIO()
    clear.save(stream, "PNG")
    assert thumbnail(inspect(stream.getvalue())).getpixel((5, 5))[3] == 0


def test_a_phones_jpeg_with_a_second_picture_inside_is_a_jpeg():
    stream = io.BytesIO()
    drawn().save(stream, "MPO", save_all=True, append_images=[drawn()])
    assert inspect(stream.getvalue()).format == "JPEG"


def test_bytes_behind_the_end_of_a_jpeg_are_left_alone():
    assert inspect(SAMPLES["jpeg"] + b"\0" * 100).size_bytes == len(SAMPLES["jpeg"]) + 100


# --- what is refused ---


def test_a_picture_cut_anywhere_is_refused(sample):
    cuts = {*range(0, len(sample), max(1, len(sample) // 60)), *(len(sample) - cut for cut in (1, 2, 3))}
    allowed = padding_bytes(sample)
    for cut in sorted(cuts):
        if cut < len(sample) - allowed:
            with pytest.raises(NotAPicture):
                inspect(sample[:cut])


@pytest.mark.parametrize("name", ["jpeg", "jpeg progressive", "jpeg grey", "jpeg cmyk"])
def test_a_jpeg_cut_at_any_tenth_byte_or_without_its_end_marker_is_refused(name):
    data = SAMPLES[name]
    for cut in [*range(0, len(data), 10), len(data) - 2, len(data) - 1]:
        with pytest.raises(NotAPicture):
            inspect(data[:cut])


def test_a_large_jpeg_cut_near_its_end_is_refused_although_it_is_decoded_small():
    data = encoded("JPEG", size=(2400, 1600), quality=70)
    for cut in (len(data) - 3, len(data) - 1000, len(data) // 2):
        with pytest.raises(NotAPicture, match="cut off or damaged"):
            inspect(data[:cut])


def test_a_png_with_one_flipped_bit_in_its_pixels_is_refused():
    data = bytearray(SAMPLES["png"])
    data[len(data) // 2] ^= 4
    with pytest.raises(NotAPicture):
        inspect(bytes(data))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "empty"),
        (b"not a picture at all", "not a whole JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "SVG"),
        (b"<?xml version='1.0'?>\n<!-- a --><svg width='9'/>", "SVG"),
        (b"%PDF-1.7\n", "not a whole JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a whole JPEG"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"P6 1 1 255\n\0\0\0", "not a whole JPEG"),
    ],
)
def test_other_files_are_refused_with_a_reason(data, text):
    with pytest.raises(NotAPicture, match=text) as refusal:
        inspect(data)
    assert (refusal.value.code, refusal.value.status) == ("not_a_picture", 400)


def test_more_bytes_than_the_cap_are_refused(settings):
    settings.MAX_IMAGE_BYTES = len(SAMPLES["jpeg"])
    inspect(SAMPLES["jpeg"])
    with pytest.raises(PictureTooLarge) as refusal:
        inspect(SAMPLES["jpeg"] + b"\0")
    assert (refusal.value.code, refusal.value.status) == ("picture_too_large", 413)
    assert refusal.value.details == {"limit_bytes": settings.MAX_IMAGE_BYTES}


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff", "bmp", "gif"])
def test_more_pixels_than_the_cap_are_refused_from_the_header(name, settings):
    settings.MAX_IMAGE_PIXELS = SIZE[0] * SIZE[1]
    inspect(SAMPLES[name])
    settings.MAX_IMAGE_PIXELS -= 1
    with pytest.raises(PictureTooLarge) as refusal:
        inspect(SAMPLES[name])
    assert refusal.value.details == {"limit_pixels": settings.MAX_IMAGE_PIXELS}


@pytest.mark.parametrize("side", [9_000, 12_000, 30_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_is_unpacked(side):
    with pytest.raises((PictureTooLarge, NotAPicture)), warnings.catch_warnings():
        warnings.simplefilter("error")
        inspect(png_of(side, side, depth=8, colour=2, rows=b"\0" * 1000))


def test_no_more_than_four_large_pictures_are_decoded_at_once(monkeypatch):
    monkeypatch.setattr(imaging, "LARGE_PIXELS", 10)
    at_once, most, lock, enough = 0, 0, threading.Lock(), threading.Event()
    real = imaging._decode

    def counted(image, data):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            if at_once == imaging.LARGE_AT_ONCE:
                enough.set()
        enough.wait(30)
        try:
            return real(image, data)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(imaging, "_decode", counted)
    threads = [threading.Thread(target=inspect, args=(SAMPLES["jpeg"],)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == imaging.LARGE_AT_ONCE


def test_a_decoder_without_memory_refuses_the_picture(monkeypatch):
    def exhausted(_image, _data):
        raise MemoryError

    monkeypatch.setattr(imaging, "_decode", exhausted)
    with pytest.raises(PictureTooLarge, match="memory"):
        inspect(SAMPLES["png"])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_picture_is_taken_or_refused_and_nothing_else(data):
    mutated = bytearray(SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)), label="sample")])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.one_of(st.integers(0, 80), st.integers(0, len(mutated))))
        new = data.draw(
            st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 4, b"\0" * 4]))
        )
        mutated[at : at + data.draw(st.sampled_from([0, len(new), 40]))] = new
    if data.draw(st.booleans()):
        del mutated[data.draw(st.integers(0, len(mutated))) :]
    try:
        picture = inspect(bytes(mutated))
    except (NotAPicture, PictureTooLarge):
        return
    assert picture.format in FORMATS and thumbnail(picture).size[0] <= 300


@given(st.binary(max_size=300))
@example(b"II*\0\x08\0\0\0\0\0")
@example(b"BM" + b"\0" * 60)
@example(b"RIFF\x04\0\0\0WEBP")
def test_any_bytes_are_taken_or_refused(data):
    with pytest.raises((NotAPicture, PictureTooLarge)):
        inspect(data)


# --- helpers ---


def png_of(width: int, height: int, *, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG with this header, whatever its rows say."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def padding_bytes(data: bytes) -> int:
    """A TIFF writer pads the last page to a multiple of 16: nothing is lost with that."""
    return 15 if data[:2] in (b"II", b"MM") and inspect(data).format == "TIFF" else 0
