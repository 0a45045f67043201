"""What is wrong with a part: scratches, dents and stains, drawn on its surface so that their box is known."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw

from monitoring.simulator import textures as tx
from monitoring.simulator.textures import SCALE

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom
MARGIN = 3  # px of surroundings inside a box, as a person would draw it


@dataclass(frozen=True)
class Surface:
    """A part in a picture: the mask of its solid metal, glass or paper, and where its corner is."""

    picture: Image.Image
    mask: Image.Image
    left: int
    top: int

    def cut(self, mask: Image.Image, at: tuple[int, int]) -> Image.Image:
        """What of `mask`, lying at `at` in the picture, is on the part."""
        left, top = at[0] - self.left, at[1] - self.top
        return ImageChops.multiply(mask, self.mask.crop((left, top, left + mask.width, top + mask.height)))

    def paint(self, colour: tx.Colour, mask: Image.Image, at: tuple[int, int], strength: float) -> None:
        mask = self.cut(mask, at).point(lambda v: int(v * strength))
        self.picture.paste(colour, (*at, at[0] + mask.width, at[1] + mask.height), mask)

    def box(self, mask: Image.Image, at: tuple[int, int]) -> PixelBox | None:
        """The box around what of `mask` is on the part."""
        seen = self.cut(mask, at).getbbox()
        if seen is None:
            return None
        left, top, right, bottom = seen
        return (at[0] + left - MARGIN, at[1] + top - MARGIN, at[0] + right + MARGIN, at[1] + bottom + MARGIN)


def scratch(surface: Surface, at: tuple[float, float], rng: random.Random) -> PixelBox | None:
    """A bright crooked line with a dark side."""
    length, direction = rng.uniform(46, 92), rng.uniform(0, math.tau)
    points, angle = [(0.0, 0.0)], direction
    for _ in range(6):
        angle += rng.uniform(-0.22, 0.22)
        x, y = points[-1]
        points.append((x + math.cos(angle) * length / 6, y + math.sin(angle) * length / 6))
    middle = points[3]
    half = int(length) + 8
    line = [((x - middle[0] + half) * SCALE, (y - middle[1] + half) * SCALE) for x, y in points]
    mask = Image.new("L", (half * 2 * SCALE,) * 2)
    ImageDraw.Draw(mask).line(line, fill=255, width=int(1.9 * SCALE), joint="curve")
    mask = tx.reduced(mask)
    place = round(at[0] - half), round(at[1] - half)
    surface.paint((30, 32, 38), ImageChops.offset(mask, 1, 1), place, 0.8)
    surface.paint((252, 253, 255), mask, place, 0.95)
    return surface.box(mask, place)


def dent(surface: Surface, at: tuple[float, float], rng: random.Random) -> PixelBox | None:
    """A hollow: dark where the light comes from, bright at the far side."""
    radius, squeeze = rng.uniform(13, 22), rng.uniform(0.7, 1.0)
    half = int(radius) + 10
    side = half * 2 * SCALE
    mask = Image.new("L", (side, side))
    rx, ry = radius * SCALE, radius * squeeze * SCALE
    ImageDraw.Draw(mask).ellipse((side / 2 - rx, side / 2 - ry, side / 2 + rx, side / 2 + ry), fill=255)
    mask = tx.reduced(mask)
    step = max(3, int(radius * 0.35))
    dark = tx.soft(ImageChops.subtract(mask, ImageChops.offset(mask, step, step)), 2.5)
    lit = tx.soft(ImageChops.subtract(mask, ImageChops.offset(mask, -step, -step)), 2.0)
    place = round(at[0] - half), round(at[1] - half)
    surface.paint((40, 43, 50), tx.soft(mask, 2), place, 0.32)
    surface.paint((14, 15, 19), dark, place, 0.85)
    surface.paint((255, 255, 255), lit, place, 0.9)
    return surface.box(mask, place)


def stain(surface: Surface, at: tuple[float, float], rng: random.Random) -> PixelBox | None:
    """A patch of oil or dirt: dark brown, denser at its rim."""
    radius = rng.uniform(16, 26)
    half = int(radius * 1.7) + 6
    side = half * 2 * SCALE
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    for _ in range(7):
        x, y = (side / 2 + rng.uniform(-0.6, 0.6) * radius * SCALE for _ in range(2))
        r = rng.uniform(0.35, 0.75) * radius * SCALE
        draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
    mask = tx.soft(tx.reduced(mask), 1.6)
    rim = ImageChops.subtract(mask, tx.soft(mask, 5))
    place = round(at[0] - half), round(at[1] - half)
    surface.paint((58, 40, 16), mask, place, 0.62)
    surface.paint((30, 18, 6), rim, place, 0.9)
    return surface.box(mask.point(lambda v: 255 if v > 90 else 0), place)


DRAW = {"scratch": scratch, "dent": dent, "stain": stain}
