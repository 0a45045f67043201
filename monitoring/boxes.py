"""What a box tag may be: fractions of the picture from the top left, and a label for people."""

import unicodedata
from typing import NamedTuple

from sessionsite.common.errors import DomainError

EDGE_TOLERANCE = 1e-6  # clients that add x and w in single precision end a hair over the edge
MAX_LABEL_CHARS = 100
_NOT_IN_LABELS = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, line and paragraph breaks


class BadTag(DomainError):
    """A box or a label that cannot be drawn or stored; details name the field."""

    code = "bad_tag"


class Box(NamedTuple):
    """A box in fractions of the picture, 0..1, from the top left corner."""

    x: float
    y: float
    w: float
    h: float


def validate_box(x: object, y: object, w: object, h: object) -> Box:
    """The box with the client's own floats, unrounded. Raises BadTag when it is not inside the picture."""
    box = Box(*(_number(name, value) for name, value in zip("xywh", (x, y, w, h), strict=True)))
    for name, value in (("x", box.x), ("y", box.y)):
        if value < 0:
            raise BadTag(f"{name} must not be negative", field=name)
    for name, value in (("w", box.w), ("h", box.h)):
        if value <= 0:
            raise BadTag(f"{name} must be greater than 0", field=name)
    for name, end in (("w", box.x + box.w), ("h", box.y + box.h)):
        if end > 1 + EDGE_TOLERANCE:
            raise BadTag(f"the box leaves the picture: {'xy'['wh'.index(name)]}+{name} is over 1", field=name)
    return box


def validate_label(label: object, *, empty_allowed: bool = False) -> str:
    """The label without surrounding blanks: 1 to 100 characters on one line. Raises BadTag.

    empty_allowed: a picture may have no label; a box may not.
    """
    if not isinstance(label, str):
        raise BadTag("the label must be text", field="label")
    label = label.strip()
    if not label and not empty_allowed:
        raise BadTag("the label is empty", field="label")
    if len(label) > MAX_LABEL_CHARS:
        raise BadTag(f"the label has more than {MAX_LABEL_CHARS} characters", field="label")
    if any(unicodedata.category(char) in _NOT_IN_LABELS for char in label):
        raise BadTag("the label holds control characters or line breaks", field="label")
    return label


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadTag(f"{name} must be a number from 0 to 1", field=name)
    if not -1e9 < value < 1e9:  # false for NaN as well
        raise BadTag(f"{name} must be a finite number from 0 to 1", field=name)
    return float(value)
