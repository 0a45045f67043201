"""Small disks that can be filled: file systems in memory of a few megabytes."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1024 * 1024
FILLER = "filler"
CHUNK_BYTES = 4096


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """`folder` is a disk of its own with so much room; skips the test where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_bytes},mode=0755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a disk in memory cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        if subprocess.run(["umount", str(folder)], capture_output=True).returncode:
            subprocess.run(["umount", "-l", str(folder)], check=True)  # a file of it is still open


def fill(disk: Path, *, leave_bytes: int = 0) -> None:
    """The disk has no more than `leave_bytes` left."""
    with contextlib.suppress(OSError), open(disk / FILLER, "ab", buffering=0) as file:
        while (room := shutil.disk_usage(disk).free - leave_bytes) > 0:
            file.write(b"\0" * min(room, MIB))


def empty(disk: Path) -> None:
    """What `fill` took is free again."""
    (disk / FILLER).unlink()
