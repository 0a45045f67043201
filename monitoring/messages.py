"""What of pictures and tags leaves the server, the same on every wire."""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.models import Image, PictureEditor, Tag
from sessionsite.common.clock import iso


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
    message = TagMessage(
        tag.key,
        image_key,
        tag.label,
        tag.x_frac,
        tag.y_frac,
        tag.w_frac,
        tag.h_frac,
        tag.author,
        tag.source,
        tag.revision,
        iso(tag.updated_at),
    )
    return dict(vars(message))


def image_json(image: Image) -> dict:
    """`image` as JSON; needs ImageQuerySet.for_messages."""
    message = ImageMessage(
        key=image.key,
        name=image.name,
        label=image.label,
        split=image.split,
        review=image.review,
        review_comment=image.review_comment,
        reviewed_by=image.reviewed_by,
        reviewed_at=iso(image.reviewed_at) if image.reviewed_at else None,
        monitor=image.monitor.slug if image.monitor_id else None,
        session=image.session.key if image.session_id else None,
        dataset=image.dataset.key if image.dataset_id else None,
        taken_at=iso(image.taken_at),
        received_at=iso(image.received_at),
        width=image.width,
        height=image.height,
        size_bytes=image.size_bytes,
        format=image.format,
        sha256=image.sha256,
        author=image.author,
        revision=image.revision,
        deleted_at=iso(image.deleted_at) if image.deleted_at else None,
        pinned_at=iso(image.pinned_at) if image.pinned_at else None,
        thumbnail_url=f"/api/v1/images/{image.key}/thumbnail/",
        file_url=f"/api/v1/images/{image.key}/file/",
        tags=[tag_json(tag, image.key) for tag in image.shown_tags],
    )
    return dict(vars(message))
