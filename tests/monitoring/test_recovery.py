"""At the start of a process, what dead ones left half-way is put right."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from monitoring.models import Image
from monitoring.services import NewImage, add_image
from monitoring.services.recovery import known_paths, recover
from sessionsite.common.files import media_path
from sessionsite.common.ids import new_key
from tests.pictures import picture

pytestmark = pytest.mark.django_db

DIES = """
import os, sys
from tests.environment import FOLDER
import django
django.setup()
from django.conf import settings
settings.MEDIA_ROOT = sys.argv[1]
from sessionsite.common.files import inflight
batch = inflight().batch()
for path in sys.argv[2:]:
    batch.add(path, b"x" * 100)
batch.publish()
waiting = inflight().batch()
waiting.add(sys.argv[2] + "x", b"half")
os._exit(9)
"""


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def die_with(media, *paths: str) -> None:
    """A process places these files and dies before their rows commit."""
    ended = subprocess.run([sys.executable, "-c", DIES, str(media), *paths], env=os.environ, timeout=60)
    assert ended.returncode == 9


def test_files_of_a_dead_process_without_a_row_are_gone_and_those_with_one_stay(monitor, session, media):
    key = new_key("im")
    orphan, kept = media_path("default", new_key("im"), "jpg"), media_path("default", key, "jpg")
    thumbnail = media_path("default", key, "thumb.webp")
    die_with(media, orphan, kept, thumbnail)
    # The row of one of them had committed before its process died.
    Image.objects.create(
        key=key,
        organisation=monitor.organisation,
        session=session,
        monitor=monitor,
        file_path=kept,
        thumbnail_path=thumbnail,
        format="JPEG",
        size_bytes=200,
        sha256="0" * 64,
        width=1,
        height=1,
        taken_at=session.started_at,
    )
    recover()
    assert not (media / orphan).exists()
    assert (media / kept).exists() and (media / thumbnail).exists()
    assert not list(media.rglob("*.part"))
    entry = session.events.order_by("-seq").first()
    assert entry.kind == "server_restarted"


def test_nothing_of_a_living_process_is_touched(monitor, session, media):
    add_image(NewImage(data=picture(), monitor=monitor))
    image = Image.objects.get()
    recover()
    assert (media / image.file_path).exists() and (media / image.thumbnail_path).exists()
    assert add_image(NewImage(data=picture(1), monitor=monitor)).session == session.key


def test_paths_are_known_by_both_names_of_a_row(image):
    other = image.file_path.replace(".jpg", ".png")
    asked = [image.file_path, image.thumbnail_path, other, media_path("default", new_key("im"), "jpg")]
    assert known_paths(asked) == {image.file_path, image.thumbnail_path}
