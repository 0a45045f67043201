"""The bottles on the line, drawn once and kept."""

from __future__ import annotations

import math
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from monitoring.simulator import textures as tx
from monitoring.simulator.parts import Sprite, canvas, finished, font
from monitoring.simulator.textures import SCALE

BOTTLE_CANVAS = (150, 400)
BOTTLE_RADIUS = 54
BOTTLE_NECK_RADIUS = 18
BOTTLE_TOP, BOTTLE_BOTTOM = 24, 392
BOTTLE_LABEL = (222, 318)
BOTTLE_CAP = (18, 46)
_GLASS = [(0, (38, 17, 4)), (0.07, (92, 42, 8)), (0.2, (198, 112, 28)), (0.45, (236, 160, 62)),
          (0.62, (222, 138, 44)), (0.85, (150, 76, 16)), (0.95, (74, 33, 7)), (1, (34, 15, 4))]  # fmt: skip


@lru_cache(maxsize=8)
def bottle(*, cap: bool = True, level: int = 104) -> Sprite:
    """An amber bottle before a light panel, filled up to `level` px from its canvas' top."""
    size = canvas(BOTTLE_CANVAS)
    outline = _bottle_outline(size)
    glass = _round_glass(size)
    _liquid(glass, outline, level * SCALE)
    tx.darken(glass, ImageChops.subtract(outline, tx.soft(outline, 2.5 * SCALE)), 235, colour=(28, 12, 3))
    _glints(glass, outline)
    _paper_label(glass)
    alpha = outline.point(lambda v: v * 246 // 255)
    if cap:
        _crown_cap(glass, alpha)
    glass.putalpha(alpha)
    return Sprite.of(*finished(glass, alpha, blur=6, strength=0.25, offset=(0, 4)))


def _bottle_outline(size: tuple[int, int]) -> Image.Image:
    """Body, shoulder and neck as one smooth mask."""
    middle = size[0] / 2
    left, right = [], []
    for y in range(BOTTLE_TOP * SCALE, BOTTLE_BOTTOM * SCALE + 1, SCALE):
        half = _bottle_half_width(y / SCALE) * SCALE
        left.append((middle - half, y))
        right.append((middle + half, y))
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon([*left, *reversed(right)], fill=255)
    return mask


def _bottle_half_width(y: float) -> float:
    neck_end, shoulder_end = 96, 178
    if y < neck_end:
        lip = 3.5 if 44 <= y < 54 else 0
        return BOTTLE_NECK_RADIUS + lip + max(0, (y - 60) / 36) * 3
    if y < shoulder_end:
        share = (y - neck_end) / (shoulder_end - neck_end)
        rise = (1 - math.cos(math.pi * share)) / 2
        return BOTTLE_NECK_RADIUS + 3 + (BOTTLE_RADIUS - BOTTLE_NECK_RADIUS - 3) * rise
    foot = BOTTLE_BOTTOM - 14
    if y > foot:
        return BOTTLE_RADIUS - 12 + math.sqrt(max(0, 1 - ((y - foot) / 14) ** 2)) * 12
    return BOTTLE_RADIUS


def _round_glass(size: tuple[int, int]) -> Image.Image:
    """Glass that is round at every height: the same run of colours, as wide as the bottle is there."""
    profile = tx.gradient((256, 1), _GLASS, across=True)
    glass = Image.new("RGB", size)
    for y in range(0, size[1], SCALE):
        half = round(_bottle_half_width(y / SCALE) * SCALE)
        row = profile.resize((half * 2, SCALE), Image.Resampling.BILINEAR)
        glass.paste(row, (size[0] // 2 - half, y))
    return glass


def _liquid(glass: Image.Image, outline: Image.Image, level: int) -> None:
    """Above the level the glass is brighter; the surface itself is a dark line with a bright one."""
    above = outline.copy()
    above.paste(0, (0, level, glass.width, glass.height))
    tx.lighten(glass, above, 78)
    half = _bottle_half_width(level / SCALE) * SCALE
    middle = glass.width / 2
    draw = ImageDraw.Draw(glass, "RGBA")
    draw.ellipse((middle - half, level - 3 * SCALE, middle + half, level + 3 * SCALE), fill=(70, 30, 4, 150))
    draw.arc((middle - half, level - 3 * SCALE, middle + half, level + 3 * SCALE), 10, 170,
             fill=(255, 226, 170, 210), width=SCALE)  # fmt: skip


def _glints(glass: Image.Image, outline: Image.Image) -> None:
    middle = glass.width / 2
    mask = Image.new("L", glass.size)
    draw = ImageDraw.Draw(mask)
    for side, width, strength in ((-0.66, 7, 190), (0.74, 4, 120)):
        x = middle + side * BOTTLE_RADIUS * SCALE
        draw.rounded_rectangle((x, 182 * SCALE, x + width * SCALE, 372 * SCALE), width * SCALE, fill=strength)
    for side, width, strength in ((-0.55, 4, 200), (0.6, 3, 110)):
        x = middle + side * BOTTLE_NECK_RADIUS * SCALE
        draw.rounded_rectangle((x, 56 * SCALE, x + width * SCALE, 104 * SCALE), width * SCALE, fill=strength)
    tx.lighten(glass, ImageChops.multiply(tx.soft(mask, SCALE), outline), 200)


def _paper_label(glass: Image.Image) -> None:
    top, bottom = (y * SCALE for y in BOTTLE_LABEL)
    half = BOTTLE_RADIUS * SCALE
    width, height = int(half * 2), bottom - top
    paper = [(0, (120, 116, 108)), (0.12, (206, 201, 190)), (0.4, (246, 243, 235)), (0.7, (232, 228, 218)),
             (0.92, (168, 163, 153)), (1, (104, 100, 93))]  # fmt: skip
    band = [(place, tuple(c * t // 255 for c, t in zip(colour, (46, 98, 84), strict=True)))
            for place, colour in paper]  # fmt: skip
    label = tx.gradient((width, height), paper, across=True)
    strip = tx.gradient((width, height // 3), band, across=True)
    label.paste(strip, (0, height // 8))
    draw = ImageDraw.Draw(label)
    draw.text((width / 2, height * 0.29), "ALTA", font=font(24 * SCALE), fill=(238, 234, 222), anchor="mm")
    draw.text((width / 2, height * 0.61), "SPRING TEA", font=font(12 * SCALE), fill=(70, 66, 58), anchor="mm")
    draw.text((width / 2, height * 0.79), "330 ml", font=font(10 * SCALE), fill=(110, 104, 94), anchor="mm")
    glass.paste(label, (int(glass.width / 2 - half), top))


def _crown_cap(glass: Image.Image, alpha: Image.Image) -> None:
    top, bottom = (y * SCALE for y in BOTTLE_CAP)
    half = (BOTTLE_NECK_RADIUS + 7) * SCALE
    stops = [(0, (84, 10, 14)), (0.3, (206, 44, 44)), (0.45, (246, 130, 120)), (0.6, (196, 36, 38)),
             (1, (70, 8, 12))]  # fmt: skip
    cap = tx.gradient((half * 2, bottom - top), stops, across=True)
    outline = Image.new("L", cap.size)
    draw = ImageDraw.Draw(outline)
    skirt = cap.height - 4 * SCALE
    upper = [(half * 0.3, 0), (half * 1.7, 0)]
    lower = [(half * 2, skirt), (half * 2, cap.height), (0, cap.height), (0, skirt)]
    draw.polygon(upper + lower, fill=255)
    lines = ImageDraw.Draw(cap, "RGBA")
    for number in range(9):
        x = half * 2 * (number + 0.5) / 9
        lines.line((x, cap.height * 0.45, x, cap.height), fill=(50, 4, 8, 130), width=SCALE)
    tx.bevel(cap, outline, SCALE)
    place = int(glass.width / 2 - half), top
    glass.paste(cap, place, outline)
    alpha.paste(outline, place, outline)
