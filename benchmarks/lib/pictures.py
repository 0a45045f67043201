"""Pictures of one size that differ in every byte that counts, made anew each time and always the same."""

from __future__ import annotations

import io
import random
from pathlib import Path

from PIL import Image

SIZE = (640, 480)
WANTED_BYTES = 60_000
STEPS = 9  # of the bisection: within a few percent of the wanted size


def write_pictures(folder: Path, *, count: int, extension: str) -> list[Path]:
    """`count` different pictures of 640x480 and about 60 kB. extension: jpg or png."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{extension}-{number:02}.{extension}" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(_jpeg(number) if extension == "jpg" else _png(number))
    return paths


def _noise(number: int) -> Image.Image:
    return Image.frombytes("RGB", SIZE, random.Random(number).randbytes(SIZE[0] * SIZE[1] * 3))


def _gradient(number: int) -> Image.Image:
    grey = Image.linear_gradient("L").resize(SIZE)
    return Image.merge("RGB", (grey, grey.rotate(90 * (number % 4)), grey.rotate(180)))


def _jpeg(number: int) -> bytes:
    """Grain over a gradient, as a camera gives it; the amount of grain decides the size."""
    grain, ground = _noise(number), _gradient(number)
    return _of_wanted_size(lambda amount: _encoded(Image.blend(ground, grain, amount), "JPEG", quality=85))


def _png(number: int) -> bytes:
    """A gradient with a grainy strip; its height decides the size."""
    grain, ground = _noise(number), _gradient(number)

    def encode(amount: float) -> bytes:
        picture = ground.copy()
        picture.paste(grain.crop((0, 0, SIZE[0], max(1, round(SIZE[1] * amount)))))
        return _encoded(picture, "PNG")

    return _of_wanted_size(encode)


def _encoded(picture: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def _of_wanted_size(encode) -> bytes:
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        data = encode(middle)
        low, high = (middle, high) if len(data) < WANTED_BYTES else (low, middle)
    return data
