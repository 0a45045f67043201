"""Gives a test run a data folder of its own before the settings are read (`-p` in pyproject.toml)."""

import os
import shutil
import tempfile

FOLDER = None
if "DATA_DIR" not in os.environ:
    FOLDER = os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="sessionsite-tests-")


def pytest_unconfigure(config) -> None:
    """Remove the folder this process made; workers of pytest-xdist inherit it and leave it alone."""
    if FOLDER is not None:
        shutil.rmtree(FOLDER, ignore_errors=True)
