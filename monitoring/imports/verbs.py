"""What an import writes: new pictures with their boxes, boxes on pictures that are there; with history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from monitoring import imaging
from monitoring.messages import tag_json
from monitoring.models import Dataset, Image, Tag, TagChange
from monitoring.services.edits import change_image
from monitoring.services.images import NAME_MAX, columns_of
from monitoring.services.tags import replace_tags
from sessionsite.accounts.services import audit
from sessionsite.common.files import Batch, inflight, publish, safe_name
from sessionsite.common.ids import new_key

SOURCE = "import"


@dataclass(frozen=True)
class NewPicture:
    """A picture that no session saw. boxes: (label, x, y, w, h), checked before."""

    data: bytes
    name: str
    taken_at: datetime | None
    label: str
    split: str
    boxes: list[tuple]


def add_pictures(dataset: Dataset, pictures: list[NewPicture], *, job: str, by: str) -> list[Image]:
    """The pictures are in the dataset with their boxes and history, durably; after an error none is.

    Raises NotAPicture, PictureTooLarge, NoRoom.
    """
    files: list[Batch] = []
    try:
        images = []
        for new in pictures:
            image, batch = _prepared(dataset, new, by)
            images.append(image)
            files.append(batch)
        publish(files)
    except BaseException:
        for batch in files:
            batch.discard()
        raise
    try:
        with transaction.atomic():
            _write(dataset, images, pictures, job=job, by=by)
    except BaseException:
        for batch in files:
            batch.discard()
        raise
    for batch in files:
        batch.settle()
    return images


def _prepared(dataset: Dataset, new: NewPicture, by: str) -> tuple[Image, Batch]:
    """The row, not saved, and its files under temporary names."""
    picture, key, now = imaging.inspect(new.data), new_key("im"), timezone.now()
    image = Image(
        key=key,
        organisation_id=dataset.organisation_id,
        dataset=dataset,
        **columns_of(dataset.organisation.slug, key, new.data, picture),
        taken_at=new.taken_at or now,
        received_at=now,
        name=safe_name(new.name, default="")[:NAME_MAX],
        label=new.label,
        split=new.split,
        author=by,
    )
    batch = inflight().batch()
    try:
        batch.add(image.file_path, new.data)
        batch.add(image.thumbnail_path, picture.thumbnail_webp)
    except BaseException:
        batch.discard()
        raise
    return image, batch


def _write(dataset: Dataset, images: list[Image], pictures: list[NewPicture], *, job: str, by: str) -> None:
    for image in images:
        image.save(force_insert=True)
    tags = [
        Tag(image=image, label=label, x_frac=x, y_frac=y, w_frac=w, h_frac=h, author=by, source=SOURCE)
        for image, new in zip(images, pictures, strict=True)
        for label, x, y, w, h in new.boxes
    ]
    Tag.objects.bulk_create(tags)
    TagChange.objects.bulk_create(
        TagChange(
            image=tag.image,
            tag_key=tag.key,
            verb="added",
            after=tag_json(tag, tag.image.key),
            author=by,
            source=SOURCE,
            image_revision=tag.image.revision,
        )
        for tag in tags
    )
    told = {"job": job, "images": len(images), "boxes": len(tags)}
    audit(dataset.organisation, "imported", dataset, by=by, after=told)


@transaction.atomic
def add_to_picture(image: Image, boxes: list[tuple], *, label: str, split: str, by: str) -> None:
    """`image` has these boxes, too, and a label and split where it had none. Nothing to add changes nothing.

    Raises what replace_tags and change_image raise; then nothing is changed.
    """
    changes = {
        name: value
        for name, value in (("label", label), ("split", split))
        if value and not getattr(image, name)
    }
    if changes:
        image = change_image(image, by=by, source=SOURCE, **changes)
    if boxes:
        there = [tag_json(tag, image.key) for tag in Tag.objects.filter(image=image).order_by("pk")]
        kept = [{name: tag[name] for name in ("label", "x", "y", "w", "h")} for tag in there]
        added = [dict(zip(("label", "x", "y", "w", "h"), box, strict=True)) for box in boxes]
        replace_tags(image, tags=kept + added, by=by, source=SOURCE, revision=image.revision)
