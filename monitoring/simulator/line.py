"""An endless inspection line seen by one camera: shot number n of a seed is always the same picture."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from monitoring.simulator.backgrounds import HEIGHT, WIDTH, through_the_lens
from monitoring.simulator.defects import PixelBox
from monitoring.simulator.scenes import SCENES, Part

OK, DEFECT = "OK", "DEFECT"
KINDS = ("plate", "bottle", "bolt")
MIN_VISIBLE = 0.6  # a defect of which the edge of the picture leaves less than this is not boxed


@dataclass(frozen=True)
class TrueBox:
    """A defect that was drawn, in fractions of the picture."""

    label: str
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True)
class Shot:
    """One picture and what is known of it. label: DEFECT when a defect is boxed, else OK."""

    number: int
    data: bytes
    format: str
    label: str
    boxes: tuple[TrueBox, ...]


class Line:
    """The line in front of one camera. defect_rate: the share of pictures that show a defect, 0..1, about."""

    def __init__(self, seed: int | str, *, kind: str | None = None, defect_rate: float = 0.1) -> None:
        self.seed = str(seed)
        self.kind = kind or KINDS[random.Random(self.seed).randrange(len(KINDS))]
        if self.kind not in KINDS:
            raise ValueError(f"no such kind of part: {self.kind}")
        self._scene = SCENES[self.kind]
        self._part_defect_rate = 1 - (1 - defect_rate) ** (1 / self._scene.in_view)

    def shot(self, number: int, *, picture_format: str = "JPEG") -> Shot:
        """Picture `number` of this line, 640x480, with its defects boxed."""
        rng = random.Random(f"{self.seed}/shot/{number}")
        jitter = rng.uniform(-14, 14)
        picture = self._scene.background(number * self._scene.pitch + jitter)
        found: list[TrueBox] = []
        for part in self._parts(number, jitter):
            box = self._scene.draw(picture, part)
            if box is not None:
                found += _as_true_box(part.defect, box)
        picture = through_the_lens(picture, self.kind, rng)
        data = _encoded(picture, picture_format)
        return Shot(number, data, picture_format, DEFECT if found else OK, tuple(found))

    def _parts(self, number: int, jitter: float) -> Iterator[Part]:
        scene = self._scene
        reach = math.ceil((WIDTH / 2 + scene.reach) / scene.spacing)
        step = round(scene.pitch / scene.spacing)
        for place in range(number * step - reach, number * step + reach + 1):
            x = WIDTH / 2 + (number * step - place) * scene.spacing + jitter
            for lane, y in enumerate(scene.lanes):
                yield self._part(f"{self.seed}/{place}/{lane}", x, y)

    def _part(self, seed: str, x: float, y: float) -> Part:
        rng = random.Random(seed)
        scene = self._scene
        dx, dy = rng.uniform(-1, 1) * scene.play[0], rng.uniform(-1, 1) * scene.play[1]
        degrees = rng.randint(-4, 4) / 4 * scene.play[2]
        # Last, so that the same part lies at the same place whether it has a defect or not.
        defect = rng.choice(scene.defects) if rng.random() < self._part_defect_rate else ""
        return Part(seed, x + dx, y + dy, degrees, defect)


def _as_true_box(label: str, box: PixelBox) -> list[TrueBox]:
    left, top, right, bottom = box
    inside = max(left, 0), max(top, 0), min(right, WIDTH), min(bottom, HEIGHT)
    width, height = inside[2] - inside[0], inside[3] - inside[1]
    if width <= 0 or height <= 0 or width * height < MIN_VISIBLE * (right - left) * (bottom - top):
        return []
    return [TrueBox(label, inside[0] / WIDTH, inside[1] / HEIGHT, width / WIDTH, height / HEIGHT)]


def _encoded(picture: Image.Image, picture_format: str) -> bytes:
    stream = io.BytesIO()
    options = {"quality": 88} if picture_format == "JPEG" else {"compress_level": 1}
    picture.save(stream, picture_format, **options)
    return stream.getvalue()
