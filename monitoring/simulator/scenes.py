"""How each kind of part lies before its camera, and where its defects are."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image

from monitoring.simulator import bottles, parts
from monitoring.simulator.backgrounds import belt, light_panel, rolling
from monitoring.simulator.defects import DRAW, MARGIN, PixelBox, Surface


@dataclass(frozen=True)
class Part:
    """One part of the line, the same whenever it is seen. x: where it is in the picture."""

    rng_seed: str
    x: float
    y: float
    degrees: float
    defect: str


@dataclass(frozen=True)
class Scene:
    """How one kind of part lies before the camera.

    spacing: px between neighbours; pitch: px the line moves from shot to shot; reach: half the length of a
    part; lanes: the middle of each row; play: how far a part may lie off its place (x, y in px) and turned
    (degrees); in_view: parts in a picture.
    """

    spacing: int
    pitch: int
    reach: int
    lanes: tuple[int, ...]
    play: tuple[float, float, float]
    in_view: int
    defects: tuple[str, ...]

    def background(self, moved_px: float) -> Image.Image:
        raise NotImplementedError

    def draw(self, picture: Image.Image, part: Part) -> PixelBox | None:
        """`part` is in the picture; returns the box of its defect, which may lie outside."""
        raise NotImplementedError


class _Plates(Scene):
    def background(self, moved_px: float) -> Image.Image:
        return rolling(belt((38, 42, 48), "plate"), moved_px)

    def draw(self, picture: Image.Image, part: Part) -> PixelBox | None:
        rng = random.Random(f"{part.rng_seed}/defect")
        hole = rng.randrange(len(parts.PLATE_HOLES)) if part.defect == "missing_hole" else None
        surface = _place(picture, parts.plate(part.degrees, missing_hole=hole), part)
        if hole is not None:
            return _round_box(_turned(part, *parts.PLATE_HOLES[hole]), parts.PLATE_HOLE_RADIUS + 6)
        if part.defect:
            spot = rng.choice(((-88, 0), (92, 44), (0, -76), (0, 76), (-72, -36), (-72, 44)))
            return DRAW[part.defect](surface, _turned(part, *spot), rng)
        return None


class _Bolts(Scene):
    def background(self, moved_px: float) -> Image.Image:
        return rolling(belt((30, 66, 58), "bolt"), moved_px)

    def draw(self, picture: Image.Image, part: Part) -> PixelBox | None:
        rng = random.Random(f"{part.rng_seed}/defect")
        surface = _place(picture, parts.bolt(part.degrees), part)
        if part.defect:
            spot = (-70, rng.uniform(-8, 8)) if part.defect == "dent" else (rng.uniform(-30, 60), 0)
            return DRAW[part.defect](surface, _turned(part, *spot), rng)
        return None


class _Bottles(Scene):
    def background(self, moved_px: float) -> Image.Image:
        return light_panel(moved_px)

    def draw(self, picture: Image.Image, part: Part) -> PixelBox | None:
        rng = random.Random(f"{part.rng_seed}/defect")
        level = rng.choice((164, 178, 192)) if part.defect == "underfill" else 104
        surface = _place(picture, bottles.bottle(cap=part.defect != "missing_cap", level=level), part)
        top = part.y - bottles.BOTTLE_CANVAS[1] / 2
        if part.defect == "missing_cap":
            return _span(part.x, bottles.BOTTLE_NECK_RADIUS + 7, top + bottles.BOTTLE_CAP[0], top + 58)
        if part.defect == "underfill":
            return _span(part.x, bottles.BOTTLE_RADIUS, top + 96, top + level + 6)
        if part.defect:
            spot = (part.x + rng.uniform(-14, 14), top + rng.uniform(*bottles.BOTTLE_LABEL))
            return DRAW[part.defect](surface, spot, rng)
        return None


SCENES: dict[str, Scene] = {
    "plate": _Plates(430, 430, 180, (238,), (10, 8, 5), 1, ("scratch", "dent", "missing_hole", "stain")),
    "bolt": _Bolts(216, 432, 120, (128, 240, 352), (12, 6, 12), 9, ("scratch", "dent", "stain")),
    "bottle": _Bottles(168, 504, 80, (240,), (3, 0, 0), 4, ("missing_cap", "underfill", "stain", "scratch")),
}


def _place(picture: Image.Image, sprite: parts.Sprite, part: Part) -> Surface:
    left, top = round(part.x) + sprite.left, round(part.y) + sprite.top
    picture.paste((6, 7, 9), (left, top), sprite.shadow)
    picture.paste(sprite.image, (left, top), sprite.image)
    return Surface(picture, sprite.surface(), left, top)


def _turned(part: Part, dx: float, dy: float) -> tuple[float, float]:
    """Where the point (dx, dy) of the part is in the picture."""
    angle = math.radians(-part.degrees)
    return (
        part.x + dx * math.cos(angle) - dy * math.sin(angle),
        part.y + dx * math.sin(angle) + dy * math.cos(angle),
    )


def _round_box(centre: tuple[float, float], radius: float) -> PixelBox:
    x, y = centre
    reach = radius + MARGIN
    return round(x - reach), round(y - reach), round(x + reach), round(y + reach)


def _span(x: float, half: float, top: float, bottom: float) -> PixelBox:
    return round(x - half - MARGIN), round(top - MARGIN), round(x + half + MARGIN), round(bottom + MARGIN)
