"""Files against rows, both ways: files that no row names, rows whose file is gone, temporary left-overs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.conf import settings

from monitoring.models import Image
from monitoring.services.recovery import known_paths
from sessionsite.common.files import BadPath, check_path, media_file, media_root, remove_media
from sessionsite.common.files.places import INFLIGHT

GRACE_S = 3600  # younger files may belong to a picture whose row is not committed yet
CHUNK = 500
ROWS_PER_QUERY = 2000


@dataclass(frozen=True)
class StrayFile:
    """A file that nobody needs. path: for media below the media folder, else absolute."""

    path: str
    size_bytes: int


@dataclass
class Walk:
    """What a walk through the media folder has seen so far. foreign: files that are no media files."""

    files: int = 0
    size_bytes: int = 0
    young: int = 0
    foreign: int = 0


def _media_entries(folder: Path, depth: int = 0) -> Iterator[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:  # emptied and removed meanwhile
        return
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            # Names with a dot in front are ours: the quarantine, a restore on its way.
            if depth or not (entry.name == INFLIGHT or entry.name.startswith(".")):
                yield from _media_entries(Path(entry.path), depth + 1)
        else:
            yield entry


def find_orphans(walk: Walk) -> Iterator[StrayFile]:
    """Media files older than an hour that no row names; `walk` counts everything that was seen."""
    entries = _old_files(walk, time.time() - GRACE_S) if media_root().is_dir() else iter(())
    while chunk := list(islice(entries, CHUNK)):
        known = known_paths([file.path for file in chunk])
        yield from (file for file in chunk if file.path not in known)


def _old_files(walk: Walk, before_s: float) -> Iterator[StrayFile]:
    root = media_root()
    for entry in _media_entries(root):
        with suppress(FileNotFoundError):  # a purge may run meanwhile
            path, status = os.path.relpath(entry.path, root), entry.stat(follow_symlinks=False)
            if entry.is_symlink() or not _is_media(path):
                walk.foreign += 1
                continue
            walk.files += 1
            walk.size_bytes += status.st_size
            if status.st_mtime >= before_s:
                walk.young += 1
            else:
                yield StrayFile(path, status.st_size)


def _is_media(path: str) -> bool:
    try:
        check_path(path)
    except BadPath:
        return False
    return True


def remove_orphans(files: list[StrayFile]) -> int:
    """These files are gone, and folders that became empty. Returns the bytes set free.

    Each is looked at again: one that a row names by now stays.
    """
    paths = [file.path for file in files]
    known = known_paths(paths) if paths else set()
    unknown = [path for path in paths if path not in known]
    freed_bytes = remove_media(unknown)
    for folder in sorted({media_file(path).parent for path in unknown}, reverse=True):
        _remove_empty(folder)
    return freed_bytes


def _remove_empty(folder: Path) -> None:
    """`folder` and the ones above it, as far as they are empty; a writer makes what it needs anew."""
    while folder != media_root():
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def find_left_over(*, uploads_only: bool = False) -> Iterator[StrayFile]:
    """Temporary files older than an hour: half uploads, and half writes beside media files.

    uploads_only: the media folder, which may hold millions of files, is not walked.
    """
    before_s = time.time() - GRACE_S
    is_walked = media_root().is_dir() and not uploads_only
    halves = media_root().rglob(".*.part") if is_walked else ()
    uploads = Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*")
    for path in (*uploads, *halves):
        with suppress(FileNotFoundError):
            status = path.lstat()
            if path.is_file() and not path.is_symlink() and status.st_mtime < before_s:
                yield StrayFile(str(path), status.st_size)


def remove_left_over(*, uploads_only: bool = False) -> int:
    """Temporary files that nobody writes any more are gone. Returns the bytes set free."""
    freed_bytes = 0
    for file in list(find_left_over(uploads_only=uploads_only)):
        with suppress(FileNotFoundError):
            os.unlink(file.path)
            freed_bytes += file.size_bytes
    return freed_bytes


def remove_one_left_over(path: str) -> bool:
    """The temporary file is gone; False when it is not one, is still being written, or went by itself."""
    with suppress(FileNotFoundError):
        if Path(path).lstat().st_mtime < time.time() - GRACE_S:
            os.unlink(path)
            return True
    return False


def remove_left_over_uploads() -> int:
    """What broken uploads left is gone; called in the background."""
    return remove_left_over(uploads_only=True)


def find_missing() -> Iterator[tuple[str, str]]:
    """(image key, media path) of every file that a row names and that is not there. Nothing is changed."""
    after = 0
    while True:
        rows = Image.objects.filter(pk__gt=after).order_by("pk")
        chunk = list(rows.values_list("pk", "key", "file_path", "thumbnail_path")[:ROWS_PER_QUERY])
        if not chunk:
            return
        after = chunk[-1][0]
        for _, key, *paths in chunk:
            for path in paths:
                if not media_file(path).is_file() and Image.objects.filter(key=key).exists():
                    yield key, path
