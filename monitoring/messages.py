"""What of pictures and tags leaves the server, the same on every wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitoring.models import Image, PictureEditor, Tag
from monitoring.store import boxes_of
from sessionsite.common.clock import iso
from sessionsite.common.rows import row_of

# What a picture's JSON is made of, for `rows_of(Image.objects…, IMAGE_ROW)`.
IMAGE_ROW = (
    "id", "organisation_id", "key", "name", "label", "split", "review", "review_comment", "reviewed_by",
    "reviewed_at", "monitor__slug", "session__key", "dataset__key", "taken_at", "received_at", "width",
    "height", "size_bytes", "format", "sha256", "author", "revision", "deleted_at", "pinned_at",
)  # fmt: skip
# What `box_json` takes after the picture's key, in its order.
TAG_COLUMNS = (
    "key", "label", "x_frac", "y_frac", "w_frac", "h_frac", "author", "source", "revision", "updated_at",
)  # fmt: skip


@dataclass(frozen=True)
class TagMessage:
    key: str
    image: str
    label: str
    x: float
    y: float
    w: float
    h: float
    author: str
    source: str
    revision: int
    updated_at: str


@dataclass(frozen=True)
class ImageMessage:
    key: str
    name: str
    label: str
    split: str
    review: str
    review_comment: str
    reviewed_by: str
    reviewed_at: str | None
    monitor: str | None
    session: str | None
    dataset: str | None
    taken_at: str
    received_at: str
    width: int
    height: int
    size_bytes: int
    format: str
    sha256: str
    author: str
    revision: int
    deleted_at: str | None
    pinned_at: str | None
    thumbnail_url: str
    file_url: str
    tags: list[dict]


@dataclass(frozen=True)
class EditorMessage:
    client: str
    name: str
    tag: str
    renewed_at: str


def editor_json(editor: PictureEditor) -> dict:
    return dict(vars(EditorMessage(editor.client, editor.name, editor.tag_key, iso(editor.renewed_at))))


def tag_json(tag: Tag, image_key: str) -> dict:
    return box_json(image_key, *(getattr(tag, column) for column in TAG_COLUMNS))


def box_json(
    image: str,
    key: str,
    label: str,
    x: float,
    y: float,
    w: float,
    h: float,
    author: str,
    source: str,
    revision: int,
    updated_at: datetime,
) -> dict:
    """A TagMessage, from its values."""
    return {
        "key": key,
        "image": image,
        "label": label,
        "x": x,
        "y": y,
        "w": w,
        "h": h,
        "author": author,
        "source": source,
        "revision": revision,
        "updated_at": iso(updated_at),
    }


def image_json(image: Image) -> dict:
    """`image` as JSON; needs ImageQuerySet.for_messages."""
    return _image_json(row_of(image, IMAGE_ROW), [tag_json(tag, image.key) for tag in image.shown_tags])


def image_rows_json(rows: Sequence) -> list[dict]:
    """The same of each of these rows of IMAGE_ROW, in one query."""
    boxes: dict[int, list[tuple]] = defaultdict(list)
    for image_id, *values in boxes_of([row.id for row in rows]):
        boxes[image_id].append(values)
    return [_image_json(row, [box_json(row.key, *box) for box in boxes.get(row.id, ())]) for row in rows]


def _image_json(row: Any, tags: list[dict]) -> dict:
    """An ImageMessage, of the values of IMAGE_ROW."""
    return {
        "key": row.key,
        "name": row.name,
        "label": row.label,
        "split": row.split,
        "review": row.review,
        "review_comment": row.review_comment,
        "reviewed_by": row.reviewed_by,
        "reviewed_at": row.reviewed_at and iso(row.reviewed_at),
        "monitor": row.monitor__slug,
        "session": row.session__key,
        "dataset": row.dataset__key,
        "taken_at": iso(row.taken_at),
        "received_at": iso(row.received_at),
        "width": row.width,
        "height": row.height,
        "size_bytes": row.size_bytes,
        "format": row.format,
        "sha256": row.sha256,
        "author": row.author,
        "revision": row.revision,
        "deleted_at": row.deleted_at and iso(row.deleted_at),
        "pinned_at": row.pinned_at and iso(row.pinned_at),
        "thumbnail_url": f"/api/v1/images/{row.key}/thumbnail/",
        "file_url": f"/api/v1/images/{row.key}/file/",
        "tags": tags,
    }
