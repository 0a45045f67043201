"""Files on their way into the media folder, and what a dead process leaves of them.

A file is written in `MEDIA_ROOT/inflight/<lease>/`, renamed to its place, and only then named by a row. The
lease folder is held by a file lock for the life of its process, and its `intents-*` files name every place
before the rename. So whoever gets the lock of a lease knows that its owner is dead, and which files may
have no row.

    with inflight().batch() as batch:
        batch.add(path, data)           # temporary file, synced
        batch.publish()                 # in place, folders synced
        ...                             # commit the rows that name the paths
        batch.settle()                  # or batch.discard() after a rollback

Intents are not synced: after a power cut an unacknowledged file may stay without a row and without an
intent; the full check of files against rows finds it.
"""

import atexit
import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings

from .places import (
    INFLIGHT,
    check_path,
    disk_errors,
    move_many,
    move_new,
    sync_folders,
    write_all_new,
)

INTENTS_LIMIT_BYTES = 256 * 1024  # over this the next file is begun; the old one goes with its last batch


class Batch:
    """Files that get their places together and stay only if their rows commit.

    A batch left undecided after `publish` (an error while nobody knows whether the commit happened) keeps its
    files and its intents, and the next start asks the database. Leaving the `with` block removes temporary
    files only. One thread at a time may use a batch; different batches are independent.
    """

    def __init__(self, inflight: "Inflight") -> None:
        self._inflight = inflight
        self._waiting: list[tuple[str, str]] = []  # (temporary file, media path)
        self._placed: list[str] = []
        self._intents: _Intents | None = None

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._drop_waiting()

    @property
    def paths(self) -> list[str]:
        """The media paths of this batch, published or not."""
        return [*self._placed, *(path for _, path in self._waiting)]

    def add(self, path: str, data: bytes) -> None:
        """`data` is on its way to the media path `path`. Raises BadPath, NoRoom."""
        self.add_all([(path, data)])

    def add_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        """All `files` (media path, data) are on their way, or none of them. Raises BadPath, NoRoom."""
        checked = [(check_path(path), data) for path, data in files]
        try:
            self._waiting += self._write(checked, self._inflight.folder(is_trusted=True))
        except FileNotFoundError:  # somebody removed the lease folder
            self._waiting += self._write(checked, self._inflight.folder())

    def _write(self, files: list[tuple[str, bytes]], folder: Path) -> list[tuple[str, str]]:
        """(temporary file, media path) of each."""
        waiting = [(self._inflight.temporary_in(folder), path) for path, _ in files]
        try:
            write_all_new((part, data) for (part, _), (_, data) in zip(waiting, files, strict=True))
        except BaseException:
            for part, _ in waiting:
                Path(part).unlink(missing_ok=True)
            raise
        return waiting

    def publish(self) -> None:
        """Every added file lies in its place. Raises NoRoom, FileExistsError: then none of them does."""
        publish([self])

    def settle(self) -> None:
        """The rows have committed: the files stay. Only to be called after the commit."""
        self._placed = []
        self._close_intents()

    def discard(self) -> None:
        """The rows were rolled back, or never written: the files of this batch are gone."""
        for path in self._placed:
            (self._inflight.root / path).unlink(missing_ok=True)
        self._placed = []
        self._drop_waiting()
        self._close_intents()

    def _place(self) -> set[str]:
        """Rename every file to its place; returns the folders whose entries changed."""
        changed: set[str] = set()
        while self._waiting:
            temporary, path = self._waiting[0]
            changed |= _rename(temporary, f"{self._inflight.root}/{path}")
            self._placed.append(path)
            del self._waiting[0]
        return changed

    def _note_placed(self, count: int) -> int:
        """The first `count` files, or as many as there are, have been moved; returns how many that is."""
        placed = self._waiting[:count]
        self._placed += [path for _, path in placed]
        del self._waiting[:count]
        return len(placed)

    def _drop_waiting(self) -> None:
        while self._waiting:
            Path(self._waiting.pop()[0]).unlink(missing_ok=True)

    def _close_intents(self) -> None:
        if self._intents is not None:
            intents, self._intents = self._intents, None
            self._inflight.close_intents(intents)


def publish(batches: list[Batch]) -> None:
    """The files of all `batches` lie in their places: one intents record, each folder synced once. All or
    none.

    The batches come from one Inflight, and are settled or discarded one by one. Raises NoRoom,
    FileExistsError.
    """
    waiting = [batch for batch in batches if batch._waiting]
    if not waiting:
        return
    try:
        with disk_errors():
            inflight = waiting[0]._inflight
            inflight.announce(waiting)
            changed = _place_in_one_call(waiting)
            inflight.sync(changed.union(*(batch._place() for batch in waiting)))
    except BaseException:
        for batch in waiting:
            batch.discard()
        raise


def _place_in_one_call(batches: list[Batch]) -> set[str]:
    """As many files as one call can move lie in their places; returns the folders whose entries changed.

    The rest waits for `_place`, which makes folders and says what is wrong.
    """
    moves = [
        (temporary, f"{batch._inflight.root}/{path}")
        for batch in batches
        for temporary, path in batch._waiting
    ]
    moved = left = move_many(moves)
    for batch in batches:
        left -= batch._note_placed(left)
    return {os.path.dirname(target) for _, target in moves[:moved]}


def _rename(temporary: str, target: str) -> set[str]:
    """Move a file, making its folder where it is missing; returns the folders whose entries changed."""
    try:
        move_new(temporary, target)
        return {os.path.dirname(target)}
    except FileNotFoundError:
        return _rename_into_new(temporary, target)


def _rename_into_new(temporary: str, target: str) -> set[str]:
    """The same with the folder made first; a clean-up that removes the empty folder meanwhile is retried."""
    folder = Path(target).parent
    for last in (False, True):
        changed, missing = {folder}, folder
        while not missing.is_dir():
            missing = missing.parent
            changed.add(missing)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            move_new(temporary, target)
            break
        except FileNotFoundError:
            if last:
                raise
    return {str(each) for each in changed}


class _Intents:
    """One file of intents, held open, and how many batches still count on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open_batches = self.size_bytes = 0
        self._fd: int | None = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)

    def takes_more(self) -> bool:
        """It is not full, and nobody has removed it."""
        return self.size_bytes <= INTENTS_LIMIT_BYTES and os.path.exists(self.path)

    def append(self, record: bytes) -> None:
        """Raises OSError; the record may then be torn, and must not be continued."""
        if os.write(self._fd, record) != len(record):
            raise OSError(errno.ENOSPC, "the intents were cut")
        self.size_bytes += len(record)

    def close(self, *, is_over: bool = False) -> None:
        """It is not written any more. is_over: all of its batches are decided, and the file is gone."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if is_over:
            self.path.unlink(missing_ok=True)


class Inflight:
    """This process's lease under `root`/inflight, taken at first use. Any number of threads may use it."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._reset()

    def batch(self) -> Batch:
        """An empty batch, to be used in a `with` statement."""
        return Batch(self)

    def folder(self, *, is_trusted: bool = False) -> Path:
        """The lease folder of this process: it exists and is locked.

        is_trusted: once taken, it is not looked at again, which costs as much as a small write.
        """
        with self._lock:
            return self._held_folder(is_trusted=is_trusted)

    def _held_folder(self, *, is_trusted: bool = False) -> Path:
        if self._folder is None or not (is_trusted or self._folder.is_dir()):
            self._take_lease()
        return self._folder

    def temporary_in(self, folder: Path) -> str:
        """A name in the lease folder that no other file has."""
        return f"{folder}/{next(self._numbers)}.part"

    def announce(self, batches: list[Batch]) -> None:
        """The places of `batches` stand in the lease folder, written by one write."""
        record = "".join(f"{path}\n" for batch in batches for path in batch.paths).encode()
        with self._lock:
            intents, self._intents = self._open_intents(), None  # a torn record must not be continued
            intents.open_batches += len(batches)
            self._undecided += len(batches)
            for batch in batches:
                batch._intents = intents
            intents.append(record)
            self._intents = intents

    def _open_intents(self) -> _Intents:
        if self._intents is not None and self._intents.takes_more():
            return self._intents
        folder = self._held_folder()
        self._let_intents_go()
        return _Intents(folder / f"intents-{next(self._numbers):08d}")

    def _let_intents_go(self) -> None:
        """The next record begins a new file; this one goes with its last batch."""
        if self._intents is not None:
            self._intents.close(is_over=not self._intents.open_batches)
            self._intents = None

    def sync(self, changed: set[str]) -> None:
        """The entries of the folders `changed`, and these folders, are as durable as DURABILITY asks.

        A folder that another process has just made may not be synced in its parent yet, and this process is
        about to acknowledge a file in it: so each is synced up to DATA_DIR once, whoever made it.
        """
        unknown = changed - self._durable
        above = {parent for folder in unknown for parent in Path(folder).parents}
        sync_folders(changed | {str(each) for each in above if each.is_relative_to(self.root.parent)})
        self._durable |= unknown

    def close_intents(self, intents: _Intents) -> None:
        """One batch of `intents` is decided; a full or abandoned file goes with its last batch."""
        with self._lock:
            intents.open_batches -= 1
            self._undecided -= 1
            in_use = intents is self._intents and intents.size_bytes <= INTENTS_LIMIT_BYTES
            if not intents.open_batches and not in_use:
                intents.close(is_over=True)
                self._intents = None if intents is self._intents else self._intents

    def close(self) -> None:
        """The lease is given up: its folder is gone, unless a batch is undecided (the next start repairs)."""
        with self._lock:
            self._let_intents_go()
            if self._folder is not None and not self._undecided:
                with contextlib.suppress(FileNotFoundError):
                    remove_lease(self._folder)
            self.drop_lock()
            self._folder = None

    def drop_lock(self) -> None:
        """This process no longer holds the lease's file open."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def forget(self) -> None:
        """In a forked child: the lease is the parent's, and an open copy of its lock would outlive it."""
        self.drop_lock()
        if self._intents is not None:
            self._intents.close()
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._folder: Path | None = None
        self._lock_fd: int | None = None
        self._intents: _Intents | None = None
        self._undecided = 0
        self._durable: set[str] = set()  # folders that a power cut leaves in their parents

    def _take_lease(self) -> None:
        self.drop_lock()
        self._let_intents_go()
        with leases_locked(self.root), disk_errors():
            folder = self.root / INFLIGHT / f"{os.getpid()}-{secrets.token_hex(8)}"
            folder.mkdir()
            self._lock_fd = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        self._folder = folder


_inflights: dict[str, Inflight] = {}
_inflights_lock = threading.Lock()


def inflight() -> Inflight:
    """The Inflight of this process for the media folder of the settings."""
    root = str(settings.MEDIA_ROOT)  # asked for each picture: a path is slow to make and to compare
    with _inflights_lock:
        if root not in _inflights:
            _inflights[root] = Inflight(Path(root))
        return _inflights[root]


def close_leases() -> None:
    """This process holds no lease; the next batch takes a new one."""
    for each in list(_inflights.values()):
        each.close()


def _forget_leases() -> None:
    global _inflights_lock
    _inflights_lock = threading.Lock()
    for each in _inflights.values():
        each.forget()


os.register_at_fork(after_in_child=_forget_leases)
atexit.register(close_leases)


def remove_lease(folder: Path) -> None:
    """Remove the folder, the lock last: until then a repair can be repeated."""
    for child in sorted(folder.iterdir(), key=lambda child: child.name == "lock"):
        child.unlink(missing_ok=True)
    folder.rmdir()


@contextlib.contextmanager
def leases_locked(root: Path) -> Iterator[None]:
    """Nobody else makes or claims a lease meanwhile, so a lease whose lock is free has a dead owner."""
    (root / INFLIGHT).mkdir(parents=True, exist_ok=True)
    fd = os.open(root / INFLIGHT / "leases.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
