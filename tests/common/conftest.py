import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionsite.common import files, native
from sessionsite.common.files import places
from sessionsite.common.ids import new_key
from tests.services import need


@pytest.fixture(params=["in C", "in Python"])
def media(request, settings, tmp_path) -> Path:
    settings.NATIVE = request.param == "in C"
    need("native/files.c, compiled,", native.is_used("files") or not settings.NATIVE)
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DURABILITY = "power"
    yield settings.MEDIA_ROOT
    files.close_leases()


@pytest.fixture
def path() -> Callable[[], str]:
    return lambda: files.media_path("default", new_key("im"), "jpg")


@pytest.fixture
def in_python(media, settings) -> None:
    """Files are written by Python's own calls, which a test can see and replace."""
    settings.NATIVE = False


@pytest.fixture
def synced(in_python, monkeypatch) -> list[Path]:
    """What was synced, in order."""
    seen: list[Path] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        seen.append(Path(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    monkeypatch.setattr(places.os, "fsync", fsync)
    return seen
