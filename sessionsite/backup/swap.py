"""The moment a restore takes place: staged things take the place of the old ones, wholly, also after a kill.

A mark in the data folder says what is to be moved where. It is written when everything is staged and checked,
and whoever finds it, the restore itself or the next process that starts on this data, completes the moves.
On PostgreSQL the rows are exchanged by one transaction, which leaves the restore's id as the comment of the
schema: with that id the moves are completed, without it the mark is void.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
from django.conf import settings

from sessionsite.common.errors import Conflict
from sessionsite.common.files import media_root, write_file
from sessionsite.common.files.places import sync_folders

logger = logging.getLogger(__name__)

STAGED, OLD = ".restore-", ".before-restore-"
MARK, LOCK = ".restore.json", ".restore.lock"
DUMP = "database.pgdump"  # staged, and read from there


class RestoreRunning(Conflict):
    code = "restore_running"


class ServerRuns(Conflict):
    """A process works on this data."""

    code = "server_runs"


@dataclass
class Swap:
    """What a restore exchanges. moves: (from, to), done in order; vendor: whose rows are exchanged."""

    id: str
    vendor: str
    keep_old: bool = False
    moves: list[tuple[str, str]] = field(default_factory=list)

    def staged(self, root: Path) -> Path:
        return root / f"{STAGED}{self.id}"

    def old(self, root: Path) -> Path:
        return root / f"{OLD}{self.id}"

    def plan(self) -> None:
        """Old things that are there go aside, staged ones take their place.

        Media move entry by entry: the media folder itself may be a mounted disk.
        """
        data, media = Path(settings.DATA_DIR), media_root()
        names = [path.name for path in self.staged(data).iterdir() if path.name != DUMP]
        self._exchange(data, names)
        staged = [path.name for path in self.staged(media).iterdir()]
        present = [path.name for path in media.iterdir() if path.is_dir() and is_of_media(path.name)]
        self._exchange(media, sorted({*staged, *present}))

    def _exchange(self, root: Path, names: list[str]) -> None:
        self.moves += [
            (str(root / name), str(self.old(root) / name)) for name in names if (root / name).exists()
        ]
        self.moves += [
            (str(self.staged(root) / name), str(root / name))
            for name in names
            if (self.staged(root) / name).exists()
        ]

    def mark(self) -> None:
        """From here on the swap is completed, whatever happens. Everything staged is on the disk before."""
        for root in (Path(settings.DATA_DIR), media_root()):
            self.old(root).mkdir(exist_ok=True)
        os.sync()
        write_file(_mark(), orjson.dumps(asdict(self)))

    def complete(self) -> None:
        """Every move is done; the old things are gone, or lie aside. May be called again after a kill."""
        if self.vendor == "postgresql":
            from sessionsite.backup import postgresql  # every start imports this module, few need that one

            if not postgresql.is_exchanged(self.id):
                self.give_up()
                return
        for source, target in self.moves:
            if Path(source).exists() and not Path(target).exists():
                os.rename(source, target)
        sync_folders({Path(target).parent for _, target in self.moves})
        if self.vendor == "postgresql":
            postgresql.forget_old(self.id, keep=self.keep_old)
        # Nothing is left to move: who comes after a kill here only clears up, and cannot move the new aside.
        self.moves = []
        write_file(_mark(), orjson.dumps(asdict(self)))
        self._tidy()
        _mark().unlink(missing_ok=True)
        sync_folders({_mark().parent})

    def give_up(self) -> None:
        """The rows are the old ones, so are the files; nothing staged is left."""
        _mark().unlink(missing_ok=True)
        self._tidy()

    def _tidy(self) -> None:
        for root in (Path(settings.DATA_DIR), media_root()):
            shutil.rmtree(self.staged(root), ignore_errors=True)
            if not self.keep_old:
                shutil.rmtree(self.old(root), ignore_errors=True)


def is_of_media(name: str) -> bool:
    """What belongs to rows: not the leases of processes, not what has a dot in front."""
    return name != "inflight" and not name.startswith(".")


def _mark() -> Path:
    return Path(settings.DATA_DIR) / MARK


_at_work: list[int] = []  # descriptors that this process holds for its life


def _locked(how: int) -> int:
    """The open, locked descriptor of the data folder's lock. Raises BlockingIOError."""
    fd = os.open(Path(settings.DATA_DIR) / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise
    return fd


def be_at_work() -> None:
    """For the life of this process no restore begins on this data folder. Raises RestoreRunning."""
    if not _at_work:
        try:
            _at_work.append(_locked(fcntl.LOCK_SH))
        except BlockingIOError:
            raise RestoreRunning("A restore is at work on this data folder.") from None


@contextmanager
def alone() -> Iterator[None]:
    """No server, backup or other restore works on this data folder; what a killed restore left is in order.

    Raises ServerRuns.
    """
    try:
        fd = _locked(fcntl.LOCK_EX)
    except BlockingIOError:
        raise ServerRuns(
            "A server, worker, backup or restore works on this data folder; stop it first."
        ) from None
    try:
        complete_marked()
        for root in (Path(settings.DATA_DIR), media_root()):
            for folder in root.glob(f"{STAGED}*"):
                if folder.is_dir():
                    shutil.rmtree(folder, ignore_errors=True)
        yield
    finally:
        os.close(fd)


def complete_marked() -> None:
    """A swap that a killed restore had decided is completed."""
    with suppress(FileNotFoundError):
        told = orjson.loads(_mark().read_bytes())
        swap = Swap(told["id"], told["vendor"], told["keep_old"], [tuple(move) for move in told["moves"]])
        logger.warning("a restore was cut off after it had decided; it is being completed")
        swap.complete()


def complete_at_start() -> None:
    """Called by every process that starts: nobody works on data that a restore left half exchanged.

    Raises ServerRuns while the restore itself is still at it.
    """
    if _mark().exists():
        with alone():
            pass
