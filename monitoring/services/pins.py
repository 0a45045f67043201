"""Pictures that must never be removed by themselves."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from monitoring.models import Image
from monitoring.services.edits import locked, note_change


@transaction.atomic
def pin_image(image: Image, *, by: str, pinned: bool = True) -> Image:
    """No retention touches the picture, or it may again. Twice changes nothing."""
    image = locked(image)
    if (image.pinned_at is not None) != pinned:
        Image.objects.filter(pk=image.pk).update(pinned_at=timezone.now() if pinned else None)
        note_change(image, "image_pinned" if pinned else "image_unpinned", {}, by=by)
    return image
