"""What lies behind the parts, and what the lens and the sensor add."""

from __future__ import annotations

import random
from functools import cache, lru_cache

from PIL import Image, ImageChops, ImageDraw

from monitoring.simulator import textures as tx

WIDTH, HEIGHT = 640, 480
_BELT_LENGTH = 1280
_CHAIN_PITCH = 48


@cache
def belt(colour: tx.Colour, name: str) -> Image.Image:
    """A rubber belt between two steel rails, twice: any stretch of one belt length can be cut out."""
    rng = random.Random(f"belt {name}")
    size = (_BELT_LENGTH, HEIGHT)
    light = tuple(min(255, c + 16) for c in colour)
    belt = tx.gradient(size, [(0, colour), (0.45, light), (1, colour)])
    belt = tx.grain(belt, tx.noise(size, 30, rng), 0.5)
    draw = ImageDraw.Draw(belt, "RGBA")
    for x in range(0, _BELT_LENGTH, 16):  # ribs across the belt
        draw.line((x, 0, x, HEIGHT), fill=(0, 0, 0, 60), width=2)
        draw.line((x + 2, 0, x + 2, HEIGHT), fill=(255, 255, 255, 14), width=1)
    for _ in range(40):  # wear
        x, y = rng.randrange(_BELT_LENGTH), rng.randrange(60, HEIGHT - 60)
        draw.line(
            (x, y, x + rng.randrange(20, 160), y + rng.randrange(-2, 3)), fill=(255, 255, 255, 10), width=2
        )
    double = Image.new("RGB", (_BELT_LENGTH * 2, HEIGHT))
    double.paste(belt, (0, 0))
    double.paste(belt, (_BELT_LENGTH, 0))
    return double


def rolling(belt: Image.Image, moved_px: float) -> Image.Image:
    """The belt after it has moved to the right by `moved_px`, with the rails, which stand still."""
    left = -int(moved_px) % _BELT_LENGTH
    picture = belt.crop((left, 0, left + WIDTH, HEIGHT))
    for rail, y in zip(_rails(), (0, HEIGHT - 44), strict=True):
        picture.paste(rail, (0, y), rail)
    return picture


@cache
def _rails() -> tuple[Image.Image, Image.Image]:
    """The upper and the lower side rail with their screws, 44 px high, shadow included."""
    stops = [(0, (70, 74, 80)), (0.3, (176, 181, 188)), (0.55, (132, 137, 145)), (1, (58, 61, 67))]
    rails = []
    for is_upper in (True, False):
        rail = Image.new("RGBA", (WIDTH, 44))
        steel = tx.grain(tx.gradient((WIDTH, 30), stops), tx.brushed((WIDTH, 30), random.Random("rail")), 0.5)
        draw = ImageDraw.Draw(steel)
        for x in range(58, WIDTH, 175):
            draw.ellipse((x - 7, 8, x + 7, 22), fill=(96, 100, 107), outline=(44, 46, 51))
            draw.line((x - 4, 12, x + 4, 18), fill=(36, 38, 42), width=2)
        rail.paste(steel, (0, 0 if is_upper else 14))
        fade = ImageDraw.Draw(rail)
        for row in range(14):
            strength = int(150 * (1 - row / 14) ** 1.5)
            y = 30 + row if is_upper else 13 - row
            fade.line((0, y, WIDTH, y), fill=(0, 0, 0, strength))
        rails.append(rail)
    return rails[0], rails[1]


@lru_cache(maxsize=_CHAIN_PITCH)
def _chain(shift: int) -> Image.Image:
    """The conveyor under the bottles, 52 px high."""
    base = tx.gradient(
        (WIDTH, 52), [(0, (196, 201, 206)), (0.12, (120, 125, 132)), (0.5, (66, 70, 76)), (1, (30, 32, 36))]
    )
    draw = ImageDraw.Draw(base, "RGBA")
    for x in range(shift - _CHAIN_PITCH, WIDTH + _CHAIN_PITCH, _CHAIN_PITCH):
        draw.line((x, 3, x, 30), fill=(18, 20, 23, 230), width=3)
        draw.line((x + 2, 3, x + 2, 30), fill=(255, 255, 255, 60), width=1)
        draw.ellipse((x + 18, 12, x + 28, 22), fill=(36, 39, 43, 255), outline=(150, 154, 160, 255))
    return base


@cache
def _panel() -> Image.Image:
    """A light panel behind frosted glass, with the guide rail before it out of focus."""
    glow = ImageChops.invert(Image.radial_gradient("L").resize((int(WIDTH * 1.9), int(HEIGHT * 1.9))))
    left, top = (glow.width - WIDTH) // 2, (glow.height - HEIGHT) // 2
    glow = glow.crop((left, top, left + WIDTH, top + HEIGHT))
    panel = Image.composite(
        Image.new("RGB", (WIDTH, HEIGHT), (250, 252, 255)),
        Image.new("RGB", (WIDTH, HEIGHT), (128, 148, 168)),
        glow,
    )
    rail = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(rail).rectangle((0, 352, WIDTH, 364), fill=255)
    tx.darken(panel, tx.soft(rail, 4), 120, colour=(70, 84, 98))
    return panel


def light_panel(moved_px: float) -> Image.Image:
    """The panel behind the bottles, and the conveyor's chain after it has moved right by `moved_px`."""
    picture = _panel().copy()
    picture.paste(_chain(int(moved_px) % _CHAIN_PITCH), (0, HEIGHT - 52))
    return picture


@cache
def _vignette(strength: float) -> Image.Image:
    edge = (
        Image.radial_gradient("L")
        .resize((WIDTH, HEIGHT))
        .point(lambda v: int(255 - (v / 255) ** 2 * 255 * strength))
    )
    return Image.merge("RGB", [edge] * 3)


@cache
def _sensor_noise(number: int) -> Image.Image:
    rng = random.Random(f"sensor {number}")
    return Image.merge("RGB", [tx.noise((WIDTH, HEIGHT), 3.2, rng) for _ in range(3)])


def through_the_lens(picture: Image.Image, kind: str, rng: random.Random) -> Image.Image:
    """Darker corners, and the noise of the sensor."""
    picture = ImageChops.multiply(picture, _vignette(0.25 if kind == "bottle" else 0.5))
    return ImageChops.add(picture, _sensor_noise(rng.randrange(3)), 1, -128)
