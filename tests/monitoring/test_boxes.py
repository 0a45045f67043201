import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.boxes import EDGE_TOLERANCE, BadTag, Box, validate_box, validate_label

THIRD = 1 / 3


def test_a_box_keeps_the_clients_floats_unrounded():
    assert validate_box(0.1, 0.2, THIRD, 0.4) == Box(0.1, 0.2, THIRD, 0.4)


def test_the_whole_picture_and_integers_are_a_box():
    assert validate_box(0, 0, 1, 1) == Box(0.0, 0.0, 1.0, 1.0)
    assert all(isinstance(side, float) for side in validate_box(0, 0, 1, 1))


def test_a_hair_over_the_edge_is_rounding_more_is_not():
    validate_box(0.5, 0.5, 0.5 + EDGE_TOLERANCE / 2, 0.5)
    with pytest.raises(BadTag):
        validate_box(0.5, 0.5, 0.5 + EDGE_TOLERANCE * 3, 0.5)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "0.5",
        True,
        False,
        float("nan"),
        float("inf"),
        -float("inf"),
        [],
        {},
        10**400,
        -(10**400),
        1 + 0j,
    ],
)
@pytest.mark.parametrize("side", range(4))
def test_what_is_no_finite_number_is_refused_in_every_place(side, value):
    sides = [0.1, 0.1, 0.2, 0.2]
    sides[side] = value
    with pytest.raises(BadTag) as refusal:
        validate_box(*sides)
    assert (refusal.value.code, refusal.value.status) == ("bad_tag", 400)
    assert refusal.value.details == {"field": "xywh"[side]}


@pytest.mark.parametrize(
    ("box", "field"),
    [
        ((-1e-9, 0.1, 0.2, 0.2), "x"), ((0.1, -0.1, 0.2, 0.2), "y"), ((0.1, 0.1, 0, 0.2), "w"),
        ((0.1, 0.1, 0.2, -0.2), "h"), ((0.9, 0.1, 0.2, 0.2), "w"), ((0.1, 0.9, 0.2, 0.2), "h"),
        ((1.5, 0.1, 0.1, 0.1), "w"),
    ],
)  # fmt: skip
def test_a_box_outside_the_picture_is_refused_and_names_the_field(box, field):
    with pytest.raises(BadTag) as refusal:
        validate_box(*box)
    assert refusal.value.details == {"field": field}


@given(*[st.one_of(st.floats(), st.integers(), st.text(), st.none())] * 4)
def test_any_input_is_a_box_inside_the_picture_or_refused(x, y, w, h):
    try:
        box = validate_box(x, y, w, h)
    except BadTag:
        return
    assert box.x >= 0 and box.y >= 0 and box.w > 0 and box.h > 0
    assert box.x + box.w <= 1 + EDGE_TOLERANCE and box.y + box.h <= 1 + EDGE_TOLERANCE


@pytest.mark.parametrize("label", ["OK", "scratch, deep", "Kratzer", "傷", "x" * 100, "a/b"])
def test_labels_of_every_script_are_kept(label):
    assert validate_label(f"  {label} ") == label


@pytest.mark.parametrize(
    "label", [None, 5, "", "   ", "x" * 101, "a\nb", "a\0b", "\x7f", "a\u2028b", "\ud800"]
)
def test_other_labels_are_refused(label):
    with pytest.raises(BadTag) as refusal:
        validate_label(label)
    assert refusal.value.details == {"field": "label"}


def test_only_a_picture_may_be_without_a_label():
    assert validate_label(" ", empty_allowed=True) == ""
    with pytest.raises(BadTag):
        validate_label("x" * 101, empty_allowed=True)
