"""What Rosepetal clients send, read strictly: what is not as published is refused with its reason."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from monitoring import imaging
from monitoring.boxes import validate_label
from monitoring.services.images import DATASET_KEY_MAX, NewImage
from sessionsite.common.clock import from_epoch_ms
from sessionsite.common.errors import DomainError

if TYPE_CHECKING:
    from monitoring.models import Monitor

TEXT_MAX = 200


class BadBody(DomainError):
    """The body is not the JSON that this address takes."""

    code = "bad_body"


class BadDataset(DomainError):
    """The dataset is unknown, or the picture is of another one."""

    code = "bad_dataset"

    def __init__(self) -> None:
        super().__init__("Dataset reference invalid")


def json_object(body: bytes) -> dict:
    """The body as a JSON object. Raises BadBody, for nesting over orjson's own limit too."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody("the body is not JSON") from error
    if not isinstance(value, dict):
        raise BadBody("the body must be a JSON object")
    return value


def text_of(value: object, name: str, *, limit: int = TEXT_MAX) -> str:
    """Text on one line; absent is empty. Raises BadBody."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadBody(f"{name} must be text")
    if len(value) > limit:
        raise BadBody(f"{name} has more than {limit} characters")
    if not all(char.isprintable() for char in value):
        raise BadBody(f"{name} holds control characters")
    return value


def dataset_key(value: object) -> str | None:
    """A dataset's id, None where none is named. An id holds no slash. Raises BadDataset."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > DATASET_KEY_MAX or "/" in value or not value.isprintable():
        raise BadDataset
    return value


def new_image(body: bytes, monitor: Monitor, *, author: str, idempotency_key: str | None = None) -> NewImage:
    """The picture in the body of POST /monitor/<id>/image, not yet looked at.

    Raises BadBody, BadDataset, BadTag, BadTime, NotAPicture (no picture, or not base64), PictureTooLarge.
    """
    sent = json_object(body)
    about = sent.get("image_data")
    if about is None:
        about = {}
    if not isinstance(about, dict):
        raise BadBody("image_data must be an object")
    return NewImage(
        data=imaging.decode_base64(sent.get("image")),
        monitor=monitor,
        name=_name(about.get("name")),
        taken_at=_date(about.get("date")),
        label=validate_label("" if about.get("tag") is None else about["tag"], empty_allowed=True),
        dataset_key=dataset_key(about.get("dataset")),
        idempotency_key=text_of(idempotency_key, "Idempotency-Key") or None,
        author=author,
    )


def _name(value: object) -> str:
    """The name as sent; the verb makes it safe."""
    if value is not None and not isinstance(value, str):
        raise BadBody("image_data.name must be text")
    return value or ""


def _date(value: object) -> datetime | None:
    return None if value is None else from_epoch_ms(value)


def boxes_of(value: object) -> list[dict]:
    """The boxes of updateTags as the verb takes them; what is in each is checked there. Raises BadBody."""
    if not isinstance(value, list) or not all(isinstance(box, dict) for box in value):
        raise BadBody("tags must be a list of objects")
    return [{"label": box.get("tag"), **{side: box.get(side) for side in "xywh"}} for box in value]


def whole_number(text: str | None, name: str, *, default: int, low: int, high: int) -> int:
    """A query parameter. Raises BadBody."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise BadBody(f"{name} must be a whole number from {low} to {high}")
    return int(text)
