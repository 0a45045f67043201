"""Names and places of files: the media folder, safe names, whole writes.

An accepted media file lies at `MEDIA_ROOT/<organisation>/<yyyy>/<mm>/<dd>/<key>.<ext>`; how it gets there,
and how it is taken back when its row does not commit, is in `leases.py`.
"""

import contextlib
import ctypes
import errno
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t
from datetime import date
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from .. import native
from ..errors import DomainError, NoRoom
from ..ids import created_at_of

INFLIGHT = "inflight"
QUARANTINE = ".quarantine"  # no media path begins like this, so nothing in it is ever served
MAX_NAME_BYTES = 150
_COMPONENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_PATH = re.compile(rf"(?!{INFLIGHT}/){_COMPONENT}(?:/{_COMPONENT})+", re.ASCII)
_EXTENSION = re.compile(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?", re.ASCII)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}(\.[A-Za-z0-9]{1,9})?", re.ASCII)  # what cameras send
TEXTS, SIZES, NUMBER = POINTER(c_char_p), POINTER(c_size_t), POINTER(c_int)
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1  # Linux, fcntl.h and linux/fs.h
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}  # control, direction and joining marks, surrogates, unassigned


class BadPath(DomainError):
    """The name would lead out of the media folder, or is no name of a media file."""

    code = "bad_path"


def media_root() -> Path:
    """The folder of all media; everything below it belongs to this server."""
    return Path(settings.MEDIA_ROOT)


def media_path(organisation_slug: str, key: str, ext: str) -> str:
    """`<organisation>/<yyyy>/<mm>/<dd>/<key>.<ext>`, the day taken from the key. Raises BadPath, BadKey.

    ext: `jpg`, or two parts such as `thumb.webp`.
    """
    [path] = media_paths(organisation_slug, key, ext)
    return path


def media_paths(organisation_slug: str, key: str, *exts: str) -> list[str]:
    """What `media_path` gives for each of `exts`."""
    stem = check_path(f"{_folder_of(organisation_slug, created_at_of(key).date())}/{key}")
    return [f"{stem}.{_checked_extension(ext)}" for ext in exts]


@lru_cache(maxsize=1024)
def _folder_of(organisation_slug: str, day: date) -> str:
    if "/" in organisation_slug:
        raise BadPath("not the parts of a media path")
    folder = f"{INFLIGHT}.org" if organisation_slug == INFLIGHT else organisation_slug  # no slug has a dot
    return f"{folder}/{day:%Y/%m/%d}"


@lru_cache(maxsize=64)
def _checked_extension(ext: str) -> str:
    if _EXTENSION.fullmatch(ext) is None:
        raise BadPath("not the parts of a media path")
    return ext


def check_path(path: str) -> str:
    """`path` when it is the relative path of a media file. Raises BadPath for anything else."""
    if _PATH.fullmatch(path) is None:
        raise BadPath("not the path of a media file")
    return path


def media_file(path: str) -> Path:
    """Where the media file `path` lies on disk. Raises BadPath."""
    return media_root() / check_path(path)


def remove_media(paths: Iterable[str]) -> int:
    """The media files `paths` are gone; one that was not there is no error. Returns the bytes set free."""
    freed_bytes = 0
    for path in paths:
        target = media_file(path)
        with contextlib.suppress(FileNotFoundError):
            size_bytes = target.stat().st_size
            target.unlink()
            freed_bytes += size_bytes
    return freed_bytes


def safe_name(text: object, default: str = "file") -> str:
    """A name for display and attachments: one line, no path, no invisible characters, at most 150 bytes.

    Letters of every script stay. The extension survives the cut. `default` when nothing is left.
    """
    if isinstance(text, str) and _PLAIN_NAME.fullmatch(text):
        return text
    name = unicodedata.normalize("NFC", str(text).encode("utf-8", "ignore").decode())
    name = "".join(" " if char.isspace() else char for char in name)
    name = "".join(char for char in name if unicodedata.category(char) not in _UNSEEN)
    name = re.sub(r'[<>:"|?*]', "_", re.split(r"[/\\]", name)[-1])
    name = re.sub(r" +", " ", name).strip(" .")
    stem, ext = os.path.splitext(name)
    if len(ext) > 10:
        stem, ext = name, ""
    stem = stem.encode()[: MAX_NAME_BYTES - len(ext.encode())].decode(errors="ignore").strip(" .")
    return f"{stem}{ext}" if stem else default


def write_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """`path` holds `data`, whole or not at all, and with DURABILITY=power also after a power cut.

    Raises NoRoom.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        write_new(temporary, data, mode=mode)
        os.rename(temporary, path)
        sync_folders({path.parent})
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_new(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """`path`, which did not exist, holds `data`, synced as DURABILITY asks. Raises NoRoom, FileExistsError.

    After an error a part of the file may be there.
    """
    write_all_new([(path, data)], mode=mode)


def write_all_new(files: Iterable[tuple[str | Path, bytes]], *, mode: int = 0o644) -> None:
    """What `write_new` does, for several files: the first sync then takes most of the others' way with it."""
    write = native.function("files", "write_files", c_int, c_int, TEXTS, TEXTS, SIZES, c_int, c_int, NUMBER)
    with disk_errors():
        if write is not None:
            _write_in_one_call(write, list(files), mode)
        else:
            _write_one_by_one(files, mode)


def _write_in_one_call(write: Callable, files: list[tuple[str | Path, bytes]], mode: int) -> None:
    paths = native.texts([path for path, _ in files])
    data = native.texts([data for _, data in files])
    sizes, failed = (c_size_t * len(files))(*(len(data) for _, data in files)), c_int()
    if number := write(len(files), paths, data, sizes, mode, survives_power_cut(), byref(failed)):
        raise OSError(number, os.strerror(number), str(files[failed.value][0]))


def _write_one_by_one(files: Iterable[tuple[str | Path, bytes]], mode: int) -> None:
    with contextlib.ExitStack() as closing:  # a disk may say only then that it is full
        descriptors = []
        for path, data in files:
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
            closing.callback(os.close, fd)
            descriptors.append(fd)
            _write_whole(fd, data)
        if survives_power_cut():
            for fd in descriptors:
                os.fsync(fd)


def _write_whole(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):  # a signal, or the last free block
        written += os.write(fd, memoryview(data)[written:])


def move_new(source: str, target: str) -> None:
    """The file `source` is called `target`, which nothing was. Raises FileExistsError, FileNotFoundError.

    In one step where system and file system have it (renameat2 with RENAME_NOREPLACE).
    """
    if _renameat2 is not None:
        if not _renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE):
            return
        # Not on this file system, not in this kernel, not in this container.
        if (number := ctypes.get_errno()) not in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
            raise OSError(number, os.strerror(number), source, None, target)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), source, None, target)
    os.rename(source, target)


def move_many(moves: Sequence[tuple[str, str]]) -> int:
    """The first of `moves` (source, target) are done as `move_new` does them; returns how many.

    Where it stops, `move_new` says why. 0 where there is no way to do many at once.
    """
    move = native.function("files", "move_files", c_int, c_int, TEXTS, TEXTS)
    if move is None:
        return 0
    sources = native.texts([source for source, _ in moves])
    targets = native.texts([target for _, target in moves])
    return move(len(moves), sources, targets)


def sync_folders(folders: Iterable[str | Path]) -> None:
    """The entries of `folders` are as durable as DURABILITY asks; deepest first."""
    if not survives_power_cut():
        return
    ordered = sorted(set(folders), key=lambda folder: str(folder).count(os.sep), reverse=True)
    sync = native.function("files", "sync_folders", c_int, c_int, TEXTS, NUMBER)
    if sync is None:
        for folder in ordered:
            _sync_folder(folder)
        return
    failed = c_int()
    if number := sync(len(ordered), native.texts(ordered), byref(failed)):
        raise OSError(number, os.strerror(number), str(ordered[failed.value]))


def _sync_folder(folder: str | Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def survives_power_cut() -> bool:
    """True when an acknowledged write must survive a power cut, not only a killed process."""
    return settings.DURABILITY == "power"


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """A full disk, or quota, met inside is raised as NoRoom."""
    try:
        yield
    except OSError as exc:
        if is_full_disk(exc):
            raise NoRoom("The disk is full; free some space and send again.") from exc
        raise


def is_full_disk(error: OSError) -> bool:
    """The disk, or this user's share of it, has no room."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
