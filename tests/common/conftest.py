import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionsite.common import files
from sessionsite.common.files import places
from sessionsite.common.ids import new_key


@pytest.fixture
def media(settings, tmp_path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DURABILITY = "power"
    yield settings.MEDIA_ROOT
    files.close_leases()


@pytest.fixture
def path() -> Callable[[], str]:
    return lambda: files.media_path("default", new_key("im"), "jpg")


@pytest.fixture
def synced(monkeypatch) -> list[Path]:
    """What was synced, in order."""
    seen: list[Path] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        seen.append(Path(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    monkeypatch.setattr(places.os, "fsync", fsync)
    return seen
