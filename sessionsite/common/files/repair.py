"""What dead processes leave of their files, put in order: see leases.py."""

import contextlib
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .leases import leases_locked, remove_lease
from .places import INFLIGHT, BadPath, check_path, media_root

KNOWN_CHUNK = 500


@dataclass
class RepairReport:
    """What `repair_dead_leases` found. The `living` leases were not touched."""

    living: int = 0
    dead: int = 0
    kept_files: int = 0
    removed_files: int = 0
    removed_temporary: int = 0
    freed_bytes: int = 0


def repair_dead_leases(is_known: Callable[[list[str]], set[str]]) -> RepairReport:
    """What dead processes left is in order: files with a row stay, files without one and half files are gone.

    is_known: takes media paths (at most 500) and returns those that a committed row names. An error in it
    leaves that lease and the rest for the next call. Nothing of a living process is touched; a second run
    changes nothing.
    """
    report = RepairReport()
    root = media_root()
    for folder in _folders(root):
        fd = _claim(root, folder)
        if fd is None:
            report.living += 1
            continue
        try:
            _repair(root, folder, is_known, report)
        finally:
            os.close(fd)
    return report


def dead_leases() -> list[str]:
    """The names of lease folders whose owner is dead; nothing is changed."""
    root = media_root()
    names = []
    for folder in _folders(root):
        fd = _claim(root, folder)
        if fd is not None:
            os.close(fd)
            names.append(folder.name)
    return names


def _folders(root: Path) -> list[Path]:
    """Of all leases, whoever holds them."""
    return sorted(path for path in (root / INFLIGHT).glob("*-*") if path.is_dir())


def _claim(root: Path, folder: Path) -> int | None:
    """The open, locked descriptor of a dead lease; None when its owner lives or another repair has it."""
    with leases_locked(root), contextlib.suppress(FileNotFoundError):
        fd = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)  # makes it where its owner died before
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        if folder.is_dir():
            return fd
        os.close(fd)  # another repair ended between our open and our lock
    return None


def _repair(
    root: Path, folder: Path, is_known: Callable[[list[str]], set[str]], report: RepairReport
) -> None:
    intended = _intended(folder)
    for start in range(0, len(intended), KNOWN_CHUNK):
        present = [path for path in intended[start : start + KNOWN_CHUNK] if (root / path).is_file()]
        known = is_known(present) if present else set()
        report.kept_files += len(known.intersection(present))
        for path in present:
            if path not in known:
                report.freed_bytes += _remove(root / path)
                report.removed_files += 1
    for part in folder.glob("*.part"):
        report.freed_bytes += _remove(part)
        report.removed_temporary += 1
    remove_lease(folder)
    report.dead += 1


def _intended(folder: Path) -> list[str]:
    """Every path that the lease's intents name, once; a torn last line and junk are skipped."""
    paths: dict[str, None] = {}
    for file in sorted(folder.glob("intents-*")):
        for line in file.read_text(errors="replace").split("\n")[:-1]:
            with contextlib.suppress(BadPath):
                paths[check_path(line)] = None
    return list(paths)


def _remove(path: Path) -> int:
    size_bytes = path.stat().st_size
    path.unlink()
    return size_bytes
