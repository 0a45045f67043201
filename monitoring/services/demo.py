"""The demo goes in one step: its monitors, their sessions, pictures and files."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from monitoring.models import Image, Monitor
from monitoring.services.hold import check_not_held
from monitoring.services.monitors import AlreadyStopped, stop_monitor, touch_monitor
from sessions_app.models import Session
from sessionsite.accounts.models import ApiToken, Organisation
from sessionsite.accounts.services import audit, revoke_token, touch_organisation
from sessionsite.common.clock import now
from sessionsite.common.files import remove_media

IMAGES_AT_ONCE = 500
CAMERAS = {"demo-cam-1": "Demo camera 1", "demo-cam-2": "Demo camera 2"}  # slug -> name, of the token too
BY = "demo"


def token_path() -> Path:
    """Where the simulated cameras find their tokens."""
    return settings.DATA_DIR / "demo-token"


def remove_demo(organisation: Organisation, *, by: str) -> dict[str, int]:
    """No demo monitor of the organisation is left, nor its sessions, pictures, files and usable tokens.

    Returns how many monitors, sessions, images and bytes. Pictures go in batches, each a transaction
    of its own: a call that was cut off is completed by the next one. Files go after the commit of their rows.
    Raises RemovalHeld while a backup is made.
    """
    gone: Counter[str] = Counter({"monitors": 0, "sessions": 0, "images": 0, "bytes": 0})
    for monitor in Monitor.objects.filter(organisation=organisation, is_demo=True).order_by("pk"):
        _take_off_the_wall(monitor, by)
        while _remove_images(_images_of(monitor)[:IMAGES_AT_ONCE], gone):
            pass
        _remove_monitor(monitor, gone)
    if gone["monitors"]:
        with transaction.atomic():
            touch_organisation(organisation.pk)
            audit(organisation, "removed_demo", organisation, by=by, before=dict(gone))
    _end_tokens(organisation, by)
    return dict(gone)


@transaction.atomic
def _end_tokens(organisation: Organisation, by: str) -> None:
    """The simulated cameras open nothing any more, and the file with their secrets is gone."""
    its = ApiToken.objects.filter(organisation=organisation, created_by=BY, name__in=CAMERAS.values())
    for token in its.filter(revoked_at=None).order_by("pk"):
        revoke_token(token, by=by)
    if its.exists():
        transaction.on_commit(lambda: token_path().unlink(missing_ok=True), robust=True)


@transaction.atomic
def _take_off_the_wall(monitor: Monitor, by: str) -> None:
    """Nothing runs on it and nothing can be started: the pictures that are left stay as many as they are."""
    with suppress(AlreadyStopped):
        stop_monitor(monitor, by=by, reason="demo removed")
    touch_organisation(monitor.organisation_id)
    touch_monitor(monitor, urgent=True, archived_at=monitor.archived_at or now())


def _images_of(monitor: Monitor):
    return Image.objects.filter(Q(monitor=monitor) | Q(session__monitor=monitor)).order_by("pk")


@transaction.atomic
def _remove_images(images, gone: Counter[str]) -> int:
    check_not_held()
    rows = list(images.values_list("pk", "file_path", "thumbnail_path", "size_bytes"))
    if rows:
        Image.objects.filter(pk__in=[row[0] for row in rows]).delete()
        paths = [path for row in rows for path in row[1:3]]
        transaction.on_commit(lambda: remove_media(paths), robust=True)
        gone["images"] += len(rows)
        gone["bytes"] += sum(row[3] for row in rows)
    return len(rows)


@transaction.atomic
def _remove_monitor(monitor: Monitor, gone: Counter[str]) -> None:
    """The monitor with its sessions, and with what came in while the pictures were being removed."""
    check_not_held()
    # Row locks on PostgreSQL: a picture on its way in waits here and then finds no session to be counted in.
    sessions = list(Session.objects.select_for_update().filter(monitor=monitor).order_by("pk"))
    _remove_images(_images_of(monitor), gone)
    gone["sessions"] += len(sessions)
    Session.objects.filter(pk__in=[session.pk for session in sessions]).delete()
    Monitor.objects.filter(pk=monitor.pk).delete()
    gone["monitors"] += 1
