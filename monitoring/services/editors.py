"""Who has a picture open to edit it: a lease per open page, on the database's clock, seen by all who look."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from monitoring.models import Image, PictureEditor
from sessions_app.dbclock import database_now
from sessionsite.common.live import publish_on_commit

LEASE_S = 30
EDITORS_MAX = 50  # per picture


def picture_topic(image: Image) -> str:
    return f"image:{image.key}"


def topic_revision(image: Image) -> int:
    """Rises with every change of what image:<key> shows: the picture's own, and of those who edit it."""
    return image.revision + image.editors_revision


@transaction.atomic
def edit_picture(image: Image, *, client: str, name: str, tag_key: str = "") -> list[PictureEditor]:
    """`name` has the picture open on the page `client`, with this box chosen, for LEASE_S seconds from now.

    client: a word that each open page makes for itself. Returns everybody who edits it.
    """
    now = database_now()
    forget_editors(now, PictureEditor.objects.filter(image=image))
    if PictureEditor.objects.filter(image=image).exclude(client=client).count() < EDITORS_MAX:
        PictureEditor.objects.update_or_create(
            image=image, client=client, defaults={"name": name, "tag_key": tag_key, "renewed_at": now}
        )
        _tell(image)
    return list(PictureEditor.objects.filter(image=image).order_by("pk"))


@transaction.atomic
def leave_picture(image: Image, *, client: str, name: str) -> None:
    """The page `client` of `name` has it open no more."""
    if PictureEditor.objects.filter(image=image, client=client, name=name).delete()[0]:
        _tell(image)


def forget_editors(now: datetime, rows=None) -> int:
    """Leases that have run out are gone: their pages closed without a word. Returns how many."""
    rows = PictureEditor.objects.all() if rows is None else rows
    return rows.filter(renewed_at__lte=now - timedelta(seconds=LEASE_S)).delete()[0]


def forget_gone_editors() -> int:
    """Every lease that has run out is gone; a background loop calls this."""
    return forget_editors(database_now())


def _tell(image: Image) -> None:
    Image.objects.filter(pk=image.pk).update(editors_revision=F("editors_revision") + 1)
    image.refresh_from_db(fields=["revision", "editors_revision"])
    publish_on_commit(picture_topic(image), revision=topic_revision(image), urgent=True)
