"""What simulated cameras see: the same line for the same seed, and boxes that are true."""

import io
from itertools import pairwise

import pytest
from PIL import Image, ImageChops

from monitoring.boxes import validate_box, validate_label
from monitoring.imaging import inspect
from monitoring.simulator.line import DEFECT, KINDS, OK, Line, Shot, TrueBox

WIDTH, HEIGHT = 640, 480
FAINT = 40  # grey levels: shadows and reflections of a defect may reach a little over its box


def pixels(shot: Shot) -> Image.Image:
    return Image.open(io.BytesIO(shot.data)).convert("RGB")


def pixel_box(box: TrueBox) -> tuple[int, int, int, int]:
    sides = box.x * WIDTH, box.y * HEIGHT, (box.x + box.w) * WIDTH, (box.y + box.h) * HEIGHT
    return tuple(round(side) for side in sides)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shot_is_a_whole_picture_of_640_by_480(kind):
    line = Line(3, kind=kind)
    for picture_format in ("JPEG", "PNG"):
        picture = inspect(line.shot(0, picture_format=picture_format).data)
        assert (picture.format, picture.width, picture.height) == (picture_format, WIDTH, HEIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_and_number_give_the_same_shot(kind):
    shots = [Line(7, kind=kind, defect_rate=0.5).shot(number) for number in (4, 9, 4)]
    assert shots[0] == shots[2] != shots[1]
    assert Line(8, kind=kind, defect_rate=0.5).shot(4).data != shots[0].data


def test_a_part_keeps_its_defect_while_it_moves_through_the_picture():
    line = Line(2, kind="bolt", defect_rate=0.9)
    came_in = 0
    for first, second in pairwise(line.shot(number) for number in range(20)):
        for box in first.boxes:
            if 0.05 < box.x < 0.25 - box.w:
                came_in += 1
                assert any(box.label == later.label and abs(box.y - later.y) < 0.01 for later in second.boxes)
    assert came_in > 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_label_says_whether_a_defect_is_boxed_and_boxes_are_valid_tags(kind):
    for number in range(40):
        shot = Line(1, kind=kind, defect_rate=0.5).shot(number)
        assert shot.label == (DEFECT if shot.boxes else OK)
        for box in shot.boxes:
            validate_box(box.x, box.y, box.w, box.h)
            assert validate_label(box.label) == box.label


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.6])
def test_about_the_asked_share_of_pictures_shows_a_defect(kind, rate):
    line = Line(5, kind=kind, defect_rate=rate)
    share = sum(line.shot(number).label == DEFECT for number in range(80)) / 80
    assert share == pytest.approx(rate, abs=0.0 if rate == 0 else 0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_holds_its_defect_and_the_rest_of_the_picture_has_none(kind):
    with_defects, without = Line(11, kind=kind, defect_rate=0.7), Line(11, kind=kind, defect_rate=0)
    labels = set()
    for number in range(25):
        shot = with_defects.shot(number, picture_format="PNG")
        difference = ImageChops.difference(pixels(shot), pixels(without.shot(number, picture_format="PNG")))
        strong = difference.convert("L").point(lambda v: 255 if v > FAINT else 0)
        for box in shot.boxes:
            assert strong.crop(pixel_box(box)).getbbox(), f"nothing is wrong in {box} of shot {number}"
            strong.paste(0, pixel_box(box))
            labels.add(box.label)
        # Parts that leave the picture may show a bit of a defect that is not boxed.
        middle = strong.crop((120, 0, WIDTH - 120, HEIGHT))
        assert middle.getbbox() is None, f"a defect of shot {number} is not in its box"
    assert len(labels) >= 3


def test_an_unknown_kind_of_part_is_refused():
    with pytest.raises(ValueError, match="no such kind"):
        Line(1, kind="biscuit")
