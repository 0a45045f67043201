"""Thumbnails by libwebp itself, and the same by Pillow where its functions cannot be reached."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from monitoring import imaging, webp
from monitoring.imaging import PictureTooLarge, inspect

SIZES = [
    (640, 480),
    (480, 640),
    (3000, 200),
    (301, 301),
    (300, 300),
    (40, 30),
    (1, 1),
    (2, 5000),
    (20_000, 1),
]


def a_part(size: tuple[int, int], picture_format: str = "PNG") -> bytes:
    """A drawing with colours, edges and a gradient."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0, 0, size[0] * 2 // 3, size[1] * 2 // 3), fill=(210, 40, 30))
    draw.rectangle((size[0] // 2, size[1] // 2, size[0], size[1]), fill=(20, 90, 220))
    stream = io.BytesIO()
    picture.save(stream, picture_format, **({"quality": 90} if picture_format == "JPEG" else {}))
    return stream.getvalue()


def thumbnail_of(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(inspect(data).thumbnail_webp), formats=["WEBP"])


@pytest.fixture
def without_libwebp(monkeypatch):
    """Pillow keeps libwebp's functions to itself from `call` on."""
    return lambda: monkeypatch.setattr(webp, "encoder", lambda: None)


def test_the_pinned_pillow_lets_libwebp_be_used():
    assert webp.encoder() is not None


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", SIZES)
def test_both_ways_give_thumbnails_of_the_same_size_and_look(size, picture_format, without_libwebp):
    data = a_part(size, picture_format)
    direct = thumbnail_of(data)
    without_libwebp()
    by_pillow = thumbnail_of(data)
    assert direct.size == by_pillow.size
    assert direct.mode == by_pillow.mode == "RGB"
    difference = ImageStat.Stat(ImageChops.difference(direct, by_pillow))
    assert max(difference.mean) < 6  # of 255: edges are smoothed a little differently


def test_pixels_that_pillow_keeps_in_pieces_give_the_same_thumbnail():
    """Pillow splits what is larger than a block of its memory, 16 MiB unless told otherwise."""
    data = a_part((640, 480))
    in_one_piece = inspect(data).thumbnail_webp
    block_bytes = Image.core.get_block_size()
    Image.core.set_block_size(64 * 1024)
    try:
        with pytest.raises(ValueError, match="contiguous"):
            Image.new("RGB", (640, 480)).__arrow_c_array__()
        assert inspect(data).thumbnail_webp == in_one_piece
    finally:
        Image.core.set_block_size(block_bytes)


def test_threads_do_not_disturb_each_other():
    drawings = [a_part((640, 400 + number), "JPEG") for number in range(8)]
    alone = [inspect(data).thumbnail_webp for data in drawings]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert [picture.thumbnail_webp for picture in pool.map(inspect, drawings)] == alone


def test_an_encoder_without_memory_refuses_the_picture(monkeypatch):
    monkeypatch.setattr(webp.encoder(), "_encode", lambda *_: 0)
    with pytest.raises(PictureTooLarge, match="memory"):
        inspect(a_part((640, 480)))


def test_a_library_without_these_functions_is_not_used(monkeypatch):
    monkeypatch.setattr(webp._webp, "__file__", Image.core.__file__)
    webp.encoder.cache_clear()
    try:
        assert webp.encoder() is None
        assert thumbnail_of(a_part((640, 480))).size == (imaging.THUMBNAIL_PX, 225)
    finally:
        webp.encoder.cache_clear()


def test_another_abi_is_not_used(monkeypatch):
    monkeypatch.setattr(webp, "ABI", 0x0310)
    webp.encoder.cache_clear()
    try:
        assert webp.encoder() is None
    finally:
        webp.encoder.cache_clear()
