"""Surfaces and light for drawn parts: metal, rubber, noise, bevels, shadows. Everything from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SCALE = 3  # parts are drawn this much larger and reduced, which smooths their edges
Colour = tuple[int, int, int]


def noise(size: tuple[int, int], spread: float, rng: random.Random) -> Image.Image:
    """Grey noise around 128, the same for the same rng."""
    width, height = size
    values = bytes(rng.choices(range(256), weights=_bell(spread), k=4096 * 8))
    tile = Image.frombytes("L", (256, 128), values)
    out = Image.new("L", size)
    for y in range(0, height, 128):
        for x in range(0, width, 256):
            shift = rng.randrange(256), rng.randrange(128)
            out.paste(ImageChops.offset(tile, *shift), (x, y))
    return out


def _bell(spread: float) -> list[float]:
    return [2.718281828 ** (-(((value - 128) / max(spread, 0.1)) ** 2) / 2) for value in range(256)]


def gradient(
    size: tuple[int, int], stops: Sequence[tuple[float, Colour]], *, across: bool = False
) -> Image.Image:
    """A smooth run of colours from top to bottom (left to right with `across`); stops: (0..1, colour)."""
    length = size[0] if across else size[1]
    line = Image.new("RGB", (length, 1) if across else (1, length))
    for place in range(length):
        colour = colour_at(stops, place / max(1, length - 1))
        line.putpixel((place, 0) if across else (0, place), colour)
    return line.resize(size)


def colour_at(stops: Sequence[tuple[float, Colour]], place: float) -> Colour:
    for (start, first), (end, second) in zip(stops, stops[1:], strict=False):
        if place <= end:
            share = (place - start) / ((end - start) or 1)
            return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return stops[-1][1]


def grain(image: Image.Image, texture: Image.Image, strength: float) -> Image.Image:
    """`image` lit and darkened by a grey texture around 128; strength 0..1."""
    flat = Image.new("L", image.size, 128)
    layer = Image.blend(flat, texture, strength)
    return ImageChops.overlay(image, Image.merge("RGB", [layer] * 3))


def brushed(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Grey texture of metal brushed from left to right."""
    width, height = size
    streaks = noise((max(4, width // 48), height), 46, rng).resize(size, Image.Resampling.BICUBIC)
    fine = noise((max(4, width // 10), height), 40, rng).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(streaks, fine, 0.45)


def soft(mask: Image.Image, radius: float) -> Image.Image:
    return mask.filter(ImageFilter.GaussianBlur(radius))


def bevel(image: Image.Image, mask: Image.Image, depth: int, *, light: int = 90, shade: int = 110) -> None:
    """Edges of `mask` catch light from the upper left and lose it at the lower right. Changes `image`."""
    lit = ImageChops.subtract(mask, ImageChops.offset(mask, depth, depth))
    dark = ImageChops.subtract(mask, ImageChops.offset(mask, -depth, -depth))
    lighten(image, soft(lit, depth * 0.6), light)
    darken(image, soft(dark, depth * 0.6), shade)


def lighten(image: Image.Image, mask: Image.Image, amount: int) -> None:
    image.paste((255, 255, 255), (0, 0), mask.point(lambda v: v * amount // 255))


def darken(image: Image.Image, mask: Image.Image, amount: int, colour: Colour = (8, 10, 14)) -> None:
    image.paste(colour, (0, 0), mask.point(lambda v: v * amount // 255))


def disc(size: tuple[int, int], centre: tuple[float, float], radius: float) -> Image.Image:
    """A mask with one filled circle."""
    mask = Image.new("L", size)
    x, y = centre
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def reduced(image: Image.Image) -> Image.Image:
    """The picture of a part at its final size."""
    size = image.width // SCALE, image.height // SCALE
    return image.resize(size, Image.Resampling.LANCZOS)


def shadow(alpha: Image.Image, *, blur: float, strength: float) -> Image.Image:
    """The mask of the shadow that a part with this alpha throws."""
    return soft(alpha, blur).point(lambda v: int(v * strength))
