"""Small real pictures for tests."""

import io

from PIL import Image


def picture(number: int = 0, *, size: tuple[int, int] = (64, 48), format: str = "JPEG") -> bytes:
    """A whole picture; another number gives other bytes."""
    colour = (number * 37 % 256, number * 101 % 256, number // 256 % 256)
    image = Image.new("RGB", size, colour)
    image.putpixel((number % size[0], number % size[1]), (255 - colour[0], colour[1], 128))
    stream = io.BytesIO()
    image.save(stream, format)
    return stream.getvalue()
