"""The metal parts on the line: machined plates and bolts, drawn once and kept."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFont

from monitoring.simulator import textures as tx
from monitoring.simulator.textures import SCALE


@dataclass(frozen=True)
class Sprite:
    """A drawn part (RGBA) and the mask of its shadow. left, top: from the part's middle to its corner, px."""

    image: Image.Image
    shadow: Image.Image
    left: int
    top: int

    @classmethod
    def of(cls, image: Image.Image, shadow: Image.Image) -> Sprite:
        """Both lie on one canvas whose middle is the part's; what is empty around them is cut off."""
        box = ImageChops.lighter(image.getchannel("A"), shadow).getbbox()
        left, top = box[0] - image.width // 2, box[1] - image.height // 2
        return cls(image.crop(box), shadow.crop(box), left, top)

    def surface(self) -> Image.Image:
        """Where the part is solid."""
        return self.image.getchannel("A").point(lambda v: 255 if v > 200 else 0)


def canvas(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] * SCALE, size[1] * SCALE


def font(px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(px)


def finished(
    body: Image.Image, outline: Image.Image, *, blur: float, strength: float, offset: tuple[int, int]
) -> tuple[Image.Image, Image.Image]:
    """The part and its shadow at their final size."""
    small = tx.reduced(outline)
    return tx.reduced(body), tx.shadow(ImageChops.offset(small, *offset), blur=blur, strength=strength)


def turned(image: Image.Image, shadow: Image.Image, degrees: float) -> Sprite:
    return Sprite.of(
        image.rotate(degrees, Image.Resampling.BICUBIC), shadow.rotate(degrees, Image.Resampling.BILINEAR)
    )


PLATE_CANVAS = (340, 300)
PLATE_SIZE = (288, 208)
PLATE_HOLES = ((-112, -72), (112, -72), (-112, 72), (112, 72))
PLATE_HOLE_RADIUS = 15
PLATE_BORE_RADIUS = 47


@lru_cache(maxsize=64)
def plate(degrees: float = 0, *, missing_hole: int | None = None) -> Sprite:
    """A brushed steel plate with a bore and four counterbored holes; one of them may be missing."""
    return turned(*_flat_plate(missing_hole), degrees)


@lru_cache(maxsize=8)
def _flat_plate(missing_hole: int | None) -> tuple[Image.Image, Image.Image]:
    rng = random.Random("plate")
    size = canvas(PLATE_CANVAS)
    middle = size[0] / 2, size[1] / 2
    half = PLATE_SIZE[0] * SCALE / 2, PLATE_SIZE[1] * SCALE / 2
    corners = (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])
    outline = Image.new("L", size)
    ImageDraw.Draw(outline).rounded_rectangle(corners, radius=24 * SCALE, fill=255)
    body = tx.gradient(size, [(0.15, (203, 208, 214)), (0.5, (170, 176, 184)), (0.85, (140, 147, 157))])
    body = tx.grain(body, tx.brushed(size, rng), 0.75)
    tx.bevel(body, outline, 2 * SCALE)
    _laser_mark(body, rng, (round(middle[0] + 62 * SCALE), round(middle[1] - 20 * SCALE)))
    alpha = outline.copy()
    _bore(body, alpha, middle, PLATE_BORE_RADIUS * SCALE, rim=9 * SCALE)
    for number, (dx, dy) in enumerate(PLATE_HOLES):
        if number != missing_hole:
            place = middle[0] + dx * SCALE, middle[1] + dy * SCALE
            _bore(body, alpha, place, PLATE_HOLE_RADIUS * SCALE, rim=6 * SCALE)
    body.putalpha(alpha)
    return finished(body, outline, blur=9, strength=0.72, offset=(7, 9))


def _bore(
    body: Image.Image, alpha: Image.Image, at: tuple[float, float], radius: float, *, rim: float
) -> None:
    """A chamfered hole through the part: the belt is seen in it, with the wall's shadow at the upper left."""
    size = body.size
    ring = tx.disc(size, at, radius + rim)
    hole = tx.disc(size, at, radius)
    tx.darken(body, ring, 70)
    lit = ImageChops.subtract(ring, ImageChops.offset(ring, -SCALE * 3, -SCALE * 3))
    dark = ImageChops.subtract(ring, ImageChops.offset(ring, SCALE * 3, SCALE * 3))
    tx.darken(body, tx.soft(dark, SCALE), 150)
    tx.lighten(body, tx.soft(lit, SCALE), 150)
    inner = ImageChops.subtract(tx.disc(size, at, radius + SCALE * 1.5), hole)
    tx.lighten(body, inner, 120)
    tx.darken(body, hole, 255, colour=(12, 13, 16))
    through = tx.disc(size, (at[0] + radius * 0.16, at[1] + radius * 0.2), radius * 0.84)
    through = ImageChops.multiply(through, hole)
    alpha.paste(70, (0, 0), through)


def _laser_mark(body: Image.Image, rng: random.Random, at: tuple[int, int]) -> None:
    """A code of dark modules and a number, as a marking laser leaves them."""
    draw = ImageDraw.Draw(body)
    module, dark = 3 * SCALE, (92, 97, 106)
    for row in range(12):
        for column in range(12):
            edge = column == 0 or row == 11 or (row == 0 and column % 2 == 0) or (column == 11 and row % 2)
            if edge or rng.random() < 0.5:
                x, y = at[0] + column * module, at[1] + row * module
                draw.rectangle((x, y, x + module - 2, y + module - 2), fill=dark)
    text = (at[0] - 2 * SCALE, at[1] + 12 * module + 3 * SCALE)
    draw.text(text, "P-204 B", font=font(11 * SCALE), fill=dark)


BOLT_CANVAS = (230, 230)
BOLT_LENGTH = 176
BOLT_HEAD = (34, 64)
BOLT_SHANK_RADIUS = 17
_STEEL = [(0, (70, 74, 80)), (0.18, (150, 155, 162)), (0.36, (236, 238, 240)), (0.6, (146, 150, 158)),
          (0.85, (84, 88, 96)), (1, (54, 57, 64))]  # fmt: skip


@lru_cache(maxsize=16)
def bolt(degrees: float = 0) -> Sprite:
    """A hexagon bolt lying on the belt, head to the left."""
    return turned(*_flat_bolt(), degrees)


@lru_cache(maxsize=1)
def _flat_bolt() -> tuple[Image.Image, Image.Image]:
    size = canvas(BOLT_CANVAS)
    left, middle = (size[0] - BOLT_LENGTH * SCALE) // 2, size[1] // 2
    body, alpha = Image.new("RGB", size), Image.new("L", size)
    head_width, head_height = BOLT_HEAD[0] * SCALE, BOLT_HEAD[1] * SCALE
    _shank(body, alpha, left + head_width - SCALE, middle)
    _bolt_head(body, alpha, left, middle - head_height // 2, head_width, head_height)
    streaks = tx.brushed(size, random.Random("bolt")).rotate(90)
    body = tx.grain(body, streaks.resize(size), 0.3)
    body.putalpha(alpha)
    return finished(body, alpha, blur=5, strength=0.75, offset=(4, 7))


def _shank(body: Image.Image, alpha: Image.Image, left: int, middle: int) -> None:
    length, radius = (BOLT_LENGTH - BOLT_HEAD[0]) * SCALE, BOLT_SHANK_RADIUS * SCALE
    smooth = length // 4
    cylinder = tx.gradient((length, radius * 2), _STEEL)
    draw = ImageDraw.Draw(cylinder, "RGBA")
    pitch, lean = 6 * SCALE, 4 * SCALE
    for x in range(smooth, length + pitch, pitch):
        draw.line((x, 0, x - lean, radius * 2), fill=(20, 22, 26, 190), width=2 * SCALE)
        draw.line(
            (x + pitch // 2, 0, x + pitch // 2 - lean, radius * 2), fill=(255, 255, 255, 90), width=SCALE
        )
    outline = Image.new("L", cylinder.size)
    shape = ImageDraw.Draw(outline)
    shape.rectangle((0, 2 * SCALE, smooth, radius * 2 - 2 * SCALE), fill=255)
    chamfer = 6 * SCALE
    edge = length - 1
    shape.polygon([(smooth, 0), (edge - chamfer, 0), (edge, chamfer), (edge, radius * 2 - chamfer),
                   (edge - chamfer, radius * 2), (smooth, radius * 2)], fill=255)  # fmt: skip
    for x in range(smooth, length, pitch):  # the thread's teeth seen against the belt
        for y in (0, radius * 2):
            shape.ellipse((x - SCALE * 1.4, y - SCALE * 2.2, x + SCALE * 1.4, y + SCALE * 2.2), fill=0)
    body.paste(cylinder, (left, middle - radius), outline)
    alpha.paste(outline, (left, middle - radius), outline)


def _bolt_head(body: Image.Image, alpha: Image.Image, left: int, top: int, width: int, height: int) -> None:
    stops = [(0, (96, 101, 108)), (0.245, (150, 155, 162)), (0.25, (214, 218, 222)), (0.6, (196, 200, 206)),
             (0.745, (170, 174, 181)), (0.75, (92, 96, 103)), (1, (62, 66, 73))]  # fmt: skip
    head = tx.gradient((width, height), stops)
    outline = Image.new("L", head.size)
    cut = 7 * SCALE
    points = [(0, cut), (cut, 0), (width, 0), (width, height), (cut, height), (0, height - cut)]
    ImageDraw.Draw(outline).polygon(points, fill=255)
    draw = ImageDraw.Draw(head, "RGBA")
    for share in (0.0, 0.25, 0.75):
        upper, lower = share * height, {0.0: 0.25, 0.25: 0.75, 0.75: 1.0}[share] * height
        draw.chord((-cut * 0.4, upper, cut * 2.2, lower), 90, 270, fill=(255, 255, 255, 55))
    draw.line((width - 3 * SCALE, 0, width - 3 * SCALE, height), fill=(25, 27, 32, 150), width=2 * SCALE)
    tx.bevel(head, outline, SCALE)
    body.paste(head, (left, top), outline)
    alpha.paste(outline, (left, top), outline)
