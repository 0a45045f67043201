"""A JPEG looked at in C is what Pillow makes of it; what is not plain is left to Pillow."""

from __future__ import annotations

import ctypes
import hashlib
import io
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat

from monitoring import imaging, jpeg
from monitoring.imaging import inspect
from sessionsite.common import native
from sessionsite.common.errors import DomainError
from tests.services import need

SIZES = [(640, 480), (480, 640), (300, 300), (299, 17), (601, 599), (1, 1), (8, 9), (2390, 1201), (2400, 33)]
BY_PILLOW = {
    "progressive": {"progressive": True},
    "EXIF, which may turn it": {"exif": Image.Exif().tobytes()},
    "a colour profile": {"icc_profile": b"x" * 99},
    "XMP, which may turn it": {"xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"},
}


@pytest.fixture(scope="module", autouse=True)
def is_compiled() -> None:
    need("native/jpeg.c, compiled,", native.is_used("jpeg"))


def drawing(size: tuple[int, int] = (640, 480), mode: str = "RGB") -> Image.Image:
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0, 0, size[0] * 2 // 3, size[1] * 2 // 3), fill=(210, 40, 30))
    draw.rectangle((size[0] // 2, size[1] // 2, size[0], size[1]), fill=(20, 90, 220))
    return picture.convert(mode)


def encoded(picture: Image.Image, picture_format: str = "JPEG", **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, picture_format, **options)
    return stream.getvalue()


def made_in_c(data: bytes) -> jpeg.Whole | None:
    """What is known of it, where it is not left to Pillow."""
    return imaging._plain_jpeg(data)


def by_pillow(data: bytes) -> imaging.Picture:
    with patch.object(jpeg, "look", return_value=None):
        return inspect(data)


def expect_the_same(data: bytes, *, worst: int = 6) -> None:
    """Either way the picture is known as the same, and its thumbnail looks the same.

    worst: mean difference of a colour, of 255. Pillow makes RGB of it first, doubles the colours of a small
    picture smoothly and cuts off what no camera sends.
    """
    ours, pillows = inspect(data), by_pillow(data)
    assert replace(ours, thumbnail_webp=b"") == replace(pillows, thumbnail_webp=b"")
    one, other = (Image.open(io.BytesIO(each.thumbnail_webp)) for each in (ours, pillows))
    assert (one.size, one.mode) == (other.size, other.mode)
    assert max(ImageStat.Stat(ImageChops.difference(one, other)).mean) < worst


def refusal(ask: Callable[[bytes], imaging.Picture], data: bytes) -> tuple | None:
    try:
        ask(data)
    except DomainError as error:
        return type(error), error.args
    return None


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", SIZES)
def test_a_plain_jpeg_is_the_same_picture_either_way(size, subsampling):
    data = encoded(drawing(size), quality=80, subsampling=subsampling)
    assert made_in_c(data) is not None
    expect_the_same(data, worst=6 if size[0] * size[1] > 10_000 else 16)


SIDE = st.integers(1, 40) | st.integers(290, 330) | st.integers(1, 700)


@hypothesis_settings(max_examples=150, deadline=None)
@given(SIDE, SIDE, st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]))
def test_a_flat_picture_of_any_size_is_flat_to_its_edges(width, height, subsampling):
    made = made_in_c(encoded(Image.new("RGB", (width, height), (200, 60, 90)), subsampling=subsampling))
    assume(made is not None)  # the very long and thin
    thumbnail = Image.open(io.BytesIO(made.thumbnail_webp)).convert("RGB")
    for (low, high), sent in zip(thumbnail.getextrema(), (200, 60, 90), strict=True):
        assert sent - 8 <= low <= high <= sent + 8


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 1},
        {"quality": 100},
        {"optimize": True},
        {"restart_marker_blocks": 3},
        {"comment": b"camera 7"},
    ],
    ids=str,
)
def test_however_a_camera_has_encoded_it(options):
    data = encoded(drawing(), **options)
    assert made_in_c(data) is not None
    expect_the_same(data)


def test_bytes_behind_the_end_change_nothing():
    data = encoded(drawing()) + b"\0" * 500
    assert made_in_c(data) is not None
    expect_the_same(data)


@pytest.mark.parametrize("options", BY_PILLOW.values(), ids=BY_PILLOW.keys())
def test_what_is_not_plain_is_left_to_pillow(options):
    data = encoded(drawing(), **options)
    assert made_in_c(data) is None
    expect_the_same(data)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colours_are_left_to_pillow(mode):
    data = encoded(drawing(mode=mode))
    assert made_in_c(data) is None
    expect_the_same(data)


def test_several_pictures_in_one_file_are_left_to_pillow():
    data = encoded(drawing(), "MPO", save_all=True, append_images=[drawing((64, 48))])
    assert made_in_c(data) is None
    assert inspect(data).format == "JPEG"


def test_a_picture_much_larger_than_its_thumbnail_is_left_to_pillow():
    assert made_in_c(encoded(drawing((4801, 1000)))) is None
    assert made_in_c(encoded(drawing((4790, 1000)))) is not None


def test_a_turned_picture_is_still_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert (inspect(encoded(drawing(), exif=exif)).width, inspect(encoded(drawing())).width) == (480, 640)


def test_a_jpeg_cut_off_anywhere_is_refused():
    data = encoded(drawing((64, 48)))
    for length in range(1, len(data) - 1):
        refused = refusal(inspect, data[:length])
        assert refused is not None and refused[0] is imaging.NotAPicture
        assert refused == refusal(by_pillow, data[:length])


def test_the_cap_of_pixels_holds(settings):
    settings.MAX_IMAGE_PIXELS = 640 * 480 - 1
    assert made_in_c(encoded(drawing())) is None
    with pytest.raises(imaging.PictureTooLarge):
        inspect(encoded(drawing()))


WHOLE = [encoded(drawing((200, 120)), quality=60), encoded(drawing((333, 90)), subsampling="4:4:4")]


@hypothesis_settings(max_examples=400, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 2**32))
def test_damage_is_judged_as_pillow_judges_it(data, seed):
    chance, damaged = random.Random(seed), bytearray(data)
    for _ in range(chance.choice([1, 2, 8, 40])):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    refused = refusal(inspect, bytes(damaged))
    assert refused == refusal(by_pillow, bytes(damaged))
    if refused is None:
        expect_the_same(bytes(damaged), worst=64)


def test_threads_do_not_disturb_each_other():
    pictures = [encoded(drawing((640, 400 + number))) for number in range(8)]
    alone = [made_in_c(data) for data in pictures]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(made_in_c, pictures)) == alone


@pytest.mark.parametrize("is_reached", [True, False])
def test_the_hash_is_that_of_the_bytes_whether_openssl_is_reached_or_not(is_reached):
    data = encoded(drawing())
    with patch.object(jpeg, "_sha256", jpeg._sha256 if is_reached else lambda: None):
        assert (made_in_c(data).sha256 is not None) == is_reached
        assert inspect(data).sha256 == hashlib.sha256(data).hexdigest()


def test_a_hash_that_fails_leaves_the_picture_to_pillow():
    fails = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)(
        lambda *_: None
    )
    data = encoded(drawing())
    with patch.object(jpeg, "_sha256", lambda: ctypes.cast(fails, ctypes.c_void_p)):
        assert made_in_c(data) is None
        assert inspect(data).sha256 == hashlib.sha256(data).hexdigest()


def test_without_the_helper_pillow_does_it(settings):
    settings.NATIVE = False
    assert made_in_c(encoded(drawing())) is None
    assert inspect(encoded(drawing())).width == 640
