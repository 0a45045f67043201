"""What of pictures and tags leaves the server, the same on every wire."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from monitoring.models import Image, Tag
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
    thumbnail_url: str
    file_url: str
    tags: list[dict]


def tag_json(tag: Tag, image_key: str) -> dict:
    return asdict(
        TagMessage(
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
    )


def image_json(image: Image) -> dict:
    """`image` as JSON; needs ImageQuerySet.for_messages."""
    return asdict(
        ImageMessage(
            key=image.key,
            name=image.name,
            label=image.label,
            split=image.split,
            review=image.review,
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
            thumbnail_url=f"/api/v1/images/{image.key}/thumbnail/",
            file_url=f"/api/v1/images/{image.key}/file/",
            tags=[tag_json(tag, image.key) for tag in image.shown_tags],
        )
    )
