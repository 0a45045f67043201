"""A backup is made: one file that holds the rows of one moment and every picture that they name.

The database is copied first, the media files afterwards: they never change once their row is there. While
that goes on no picture is removed for good (monitoring.services.hold), so none of them can be missed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
from django.conf import settings
from django.db import transaction

from monitoring.services.hold import nothing_is_removed
from monitoring.services.ondisk import OnDisk
from sessionsite import __version__
from sessionsite.accounts.services import audit
from sessionsite.backup import archive, snapshot, swap
from sessionsite.common.clock import iso, now
from sessionsite.common.errors import Conflict, DomainError, NoRoom
from sessionsite.common.files import media_file
from sessionsite.common.files.places import disk_errors, sync_folders

TELL_EVERY_S = 5.0
NAMED = 20
MARGIN_BYTES = 64 << 20


class BackupExists(Conflict):
    code = "backup_exists"


@dataclass(frozen=True)
class Made:
    """A finished backup. missing: media paths that rows name and that were not there, the first 20."""

    path: Path
    size_bytes: int
    manifest: dict
    complete: dict

    @property
    def missing(self) -> int:
        return self.complete["missing_files"]


class Teller:
    """Hands on what is told at most every 5 s."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._told_at = tell, time.monotonic()

    def __call__(self, text: str) -> None:
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            self._tell(text)


def back_up(
    target: Path, *, tell: Callable[[str], None], with_secret_key: bool = False, overwrite: bool = False
) -> Made:
    """`target` is a whole backup, mode 0600, or there is no new file at all; the server may go on recording.

    Every picture that was acknowledged before the call is in it. Raises BackupExists, NoRoom, ProgramMissing,
    ProgramFailed, BackupRunning, RestoreRunning.
    """
    target = target.absolute()
    if target.exists() and not overwrite:
        raise BackupExists(f"{target} is there already; --overwrite replaces it.")
    if not target.parent.is_dir():
        raise DomainError(f"There is no folder {target.parent}.")
    swap.be_at_work()
    remove_dead_parts(target)
    with ExitStack() as stack:
        part = stack.enter_context(_part_of(target, "tar"))
        database = stack.enter_context(_part_of(target, "database"))
        listing = stack.enter_context(_part_of(target, "listing"))
        stack.enter_context(nothing_is_removed())
        progress = Teller(tell)
        with disk_errors():
            taken = snapshot.take(database, listing, progress)
            _check_room(target.parent, taken)
            manifest = _manifest(taken, with_secret_key)
            complete = _write(part, taken, manifest, with_secret_key, progress)
        os.rename(part, target)
        sync_folders({target.parent})
    made = Made(target, target.stat().st_size, manifest, complete)
    _audit(made)
    return made


@transaction.atomic
def _audit(made: Made) -> None:
    after = {"size_bytes": made.size_bytes, "counts": made.manifest["counts"], **made.complete}
    audit(None, "backed_up", OnDisk("backup", made.path.name), by="backup", after=after)


@contextmanager
def _part_of(target: Path, what: str) -> Iterator[Path]:
    """A file beside the target, locked for as long as its process lives; gone afterwards, unless renamed."""
    path = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.{what}.part")
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(fd)


def remove_dead_parts(target: Path) -> int:
    """What backups that were killed left beside `target` is gone. Returns how many files."""
    removed = 0
    for path in target.parent.glob(f".{target.name}.*.part"):
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


def _check_room(folder: Path, taken: snapshot.Snapshot) -> None:
    needed = taken.media_bytes + taken.file.stat().st_size + MARGIN_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(
            f"The backup needs {needed:,} bytes and {folder} has {free:,} left.",
            needed_bytes=needed,
            free_bytes=free,
        )


def _manifest(taken: snapshot.Snapshot, with_secret_key: bool) -> dict:
    return {
        "product": "sessionsite",
        "format": archive.FORMAT,
        "version": __version__,
        "made_at": iso(now()),
        "database": taken.as_json(),
        "migrations": taken.migrations,
        "counts": taken.counts,
        "media": {"files": taken.media_files, "size_bytes": taken.media_bytes},
        "has_secret_key": with_secret_key,
    }


def _write(
    part: Path,
    taken: snapshot.Snapshot,
    manifest: dict,
    with_secret_key: bool,
    progress: Callable[[str], None],
) -> dict:
    """The archive is whole and on the disk. Returns its end."""
    missing, named = 0, []
    with part.open("wb", buffering=archive.READ_BYTES) as stream:
        writer = archive.Writer(stream)
        writer.add_bytes(archive.MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        writer.add_file(manifest["database"]["file"], taken.file)
        if with_secret_key:
            writer.add_bytes(archive.SECRET_KEY, settings.SECRET_KEY.encode())
        with taken.listing.open() as paths:
            for path in map(str.strip, paths):
                if not writer.add_media(path, media_file(path)):
                    missing += 1
                    named += [path] if len(named) < NAMED else []
                progress(
                    f"media: {writer.media_files:,} of {taken.media_files:,} files, "
                    f"{writer.media_bytes:,} of {taken.media_bytes:,} bytes"
                )
        complete = writer.close(missing_files=missing, missing=named)
        stream.flush()
        os.fsync(stream.fileno())
    return complete
