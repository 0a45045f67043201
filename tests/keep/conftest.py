"""A small site with everything that the doctor counts, in a media folder of its own."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from monitoring.models import Image, Monitor
from monitoring.services import NewImage, add_image, add_tag, create_monitor, delete_image, start_monitor
from monitoring.services.monitors import stop_monitor
from sessions_app.models import Session
from sessionsite.common.files import close_leases, media_file, media_root
from tests.pictures import picture


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    yield
    close_leases()


def post(monitor: Monitor, number: int = 0, **about) -> Image:
    return Image.objects.get(key=add_image(NewImage(data=picture(number), monitor=monitor, **about)).key)


def original(image: Image) -> Path:
    return media_file(image.file_path)


def thumbnail(image: Image) -> Path:
    return media_file(image.thumbnail_path)


def grow_old() -> None:
    """Every file is two hours old."""
    moment = timezone.now().timestamp() - 7200
    for path in media_root().rglob("*"):
        if path.is_file():
            os.utime(path, (moment, moment))


def orphan(name: str = "im_01kaj00000000000000000000z.jpg", *, hours: float = 2) -> Path:
    """A media file of 100 bytes that no row names, so many hours old."""
    path = media_root() / "default" / "2026" / "01" / "02" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)
    moment = timezone.now().timestamp() - hours * 3600
    os.utime(path, (moment, moment))
    return path


@dataclass
class Site:
    ended: Session
    running: Session
    images: list[Image]

    @property
    def monitor(self) -> Monitor:
        return Monitor.objects.get(slug="cam-1")


@pytest.fixture
def site(organisation, monitor) -> Site:
    """A session that ended (three pictures, two labels, a box, one deleted) and one that runs (two)."""
    start_monitor(monitor, by="ann")
    images = [post(monitor, number, label=label) for number, label in enumerate(["OK", "OK", "dent"])]
    add_tag(images[2], label="scratch", x=0, y=0, w=1, h=1, by="ann")
    delete_image(images[0], by="ann")
    ended = stop_monitor(monitor, by="ann")
    other = create_monitor(organisation, slug="cam-2", by="test")
    running = start_monitor(other, by="ann")
    images += [post(other, 10 + number) for number in range(2)]
    return Site(ended, running, images)


@dataclass
class Report:
    code: int
    faults: dict
    repairs: dict
    checked: dict
    left: int

    def found(self) -> dict[str, list[str]]:
        return {kind: [one["where"] for one in group["examples"]] for kind, group in self.faults.items()}


@pytest.fixture
def doctor() -> Callable[..., Report]:
    """doctor("--repair") -> what the command reported."""

    def run(*words: str) -> Report:
        printed, code = io.StringIO(), 0
        try:
            call_command("doctor", "--json", *words, stdout=printed, stderr=io.StringIO())
        except SystemExit as ended:
            code = ended.code
        report = json.loads(printed.getvalue())
        return Report(code, report["faults"], report["repairs"], report["checked"], report["left"])

    return run
