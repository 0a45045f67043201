"""Gives a test run a data folder of its own before the settings are read (`-p` in pyproject.toml)."""

import os
import shutil
import tempfile
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def _own_folder() -> Path:
    """A fresh folder, inside DATA_DIR where one is named: what is kept there is never touched.

    A worker of pytest-xdist inherits the folder of the run and takes a part of it.
    """
    parent = os.environ.get("DATA_DIR")
    if WORKER:
        return Path(parent) / WORKER
    if parent:
        Path(parent).mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="tests-", dir=parent))


FOLDER = _own_folder()
os.environ["DATA_DIR"] = str(FOLDER)
# No test cuts the power of its own process: what it writes need not wait for the disk.
os.environ.setdefault("DURABILITY", "process")
# Two workers on one Redis do not hear each other.
os.environ["CHANNEL_PREFIX"] = f"{FOLDER.parent.name}-{FOLDER.name}"


def pytest_unconfigure(config) -> None:
    """Remove the folder with everything in it."""
    if not WORKER:
        shutil.rmtree(FOLDER, ignore_errors=True)
