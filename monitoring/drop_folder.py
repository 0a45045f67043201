"""A folder that a camera drops files into: whole files become pictures of a monitor, once each.

A file is whole when two looks in a row see the same size and time of change, whatever its name was at the
first (so a file that is renamed in after it was written is taken at the next look). Names that a writer
uses while it writes (hidden, `.part`, `.tmp`) are never taken. Everything that must survive a restart lies
in the folder itself: what was taken is in `done/`, what cannot be taken in `rejected/` with the reason
beside it, and a file that was taken but not yet moved is answered by its idempotency key and counts once.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import OperationalError

from monitoring import imaging
from monitoring.boxes import BadTag
from monitoring.models import Monitor
from monitoring.rosepetal_client import NOT_STARTED, Away, Refused, Wire
from monitoring.services import NewImage, NotStarted, add_image
from sessionsite.common.clock import EARLIEST, now
from sessionsite.common.errors import DomainError, quoted

DONE, REJECTED = "done", "rejected"
REASON_ENDING = ".reason.txt"
UNFINISHED_ENDINGS = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".writing", "~")
PATIENCE_LOOKS = (
    5  # a writer may pause: a file that cannot be decoded is looked at so often before it is rejected
)


class Wait(Exception):
    """Not now: the files stay where they are. The text says what is waited for."""


class Reject(Exception):
    """Never: the file goes to `rejected/` with this text. in_doubt: it might still be growing."""

    def __init__(self, reason: str, *, in_doubt: bool = False) -> None:
        super().__init__(reason)
        self.in_doubt = in_doubt


@dataclass(frozen=True)
class Drop:
    """One whole file. taken_at: when it was last changed; None when that time cannot be meant."""

    name: str
    data: bytes
    taken_at: datetime | None
    idempotency_key: str


class Sink(Protocol):
    """Where drops go."""

    def deliver(self, drop: Drop) -> None:
        """The picture is kept. Raises Wait, Reject."""


@dataclass(frozen=True)
class VerbSink:
    """Into this server's own database, for whatever runs on the monitor."""

    slug: str
    label: str = ""
    dataset_key: str | None = None

    def deliver(self, drop: Drop) -> None:
        try:
            monitor = Monitor.objects.present().select_related("organisation", "dataset").get(slug=self.slug)
            add_image(
                NewImage(
                    drop.data,
                    monitor=monitor,
                    name=drop.name,
                    taken_at=drop.taken_at,
                    label=self.label,
                    dataset_key=self.dataset_key,
                    idempotency_key=drop.idempotency_key,
                    author="watch_folder",
                )
            )
        except imaging.NotAPicture as refusal:
            raise Reject(str(refusal), in_doubt=True) from refusal
        except (imaging.PictureTooLarge, BadTag) as refusal:
            raise Reject(str(refusal)) from refusal
        except NotStarted as refusal:
            raise Wait("nothing runs on the monitor") from refusal
        except Monitor.DoesNotExist as exc:
            raise Wait(f"there is no monitor {self.slug}") from exc
        except DomainError as refusal:
            raise Wait(str(refusal)) from refusal
        except OperationalError as exc:
            raise Wait("the database does not answer") from exc


@dataclass(frozen=True)
class WireSink:
    """To a server over HTTP, as any camera of the published wire."""

    wire: Wire
    slug: str
    label: str = ""
    dataset_key: str | None = None

    def deliver(self, drop: Drop) -> None:
        try:
            imaging.inspect(drop.data)  # here, because the wire names no reason
        except imaging.NotAPicture as refusal:
            raise Reject(str(refusal), in_doubt=True) from refusal
        except imaging.PictureTooLarge as refusal:
            raise Reject(str(refusal)) from refusal
        try:
            self.wire.add_image(
                self.slug,
                drop.data,
                taken_at=drop.taken_at,
                name=drop.name,
                dataset=self.dataset_key or "",
                tag=self.label,
                idempotency_key=drop.idempotency_key,
            )
        except Away as away:
            raise Wait(f"the server is away ({away})") from away
        except Refused as refusal:
            if str(refusal) == NOT_STARTED:
                raise Wait("nothing runs on the monitor") from refusal
            if refusal.status in {400, 413, 415, 422}:
                raise Reject(f"the server refused it: {refusal.detail or refusal}") from refusal
            raise Wait(f"the server refuses: {refusal}") from refusal


@dataclass(frozen=True)
class _Look:
    """What one look saw of a file, by its number on the disk: the name may change."""

    name: str
    size_bytes: int
    changed_ns: int
    times: int = 1  # looks in a row that saw the same

    def same_as(self, other: _Look) -> bool:
        return (self.size_bytes, self.changed_ns) == (other.size_bytes, other.changed_ns)

    @property
    def is_whole(self) -> bool:
        name = self.name.lower()
        return self.times > 1 and not name.startswith(".") and not name.endswith(UNFINISHED_ENDINGS)


class DropFolder:
    """`path` as a camera's drop folder. say: takes one line per change of state and per rejected file."""

    def __init__(self, path: Path, sink: Sink, *, say: Callable[[str], None], delete: bool = False) -> None:
        self.path = path
        self.taken = self.rejected = 0
        self.state = ""
        self._sink, self._say, self._delete = sink, say, delete
        self._seen: dict[tuple[int, int], _Look] = {}

    def prepare(self) -> None:
        """`done/` and `rejected/` are there. Raises OSError when the folder cannot be written."""
        for name in (REJECTED,) if self._delete else (DONE, REJECTED):
            (self.path / name).mkdir(exist_ok=True)
        probe = self.path / f".{os.getpid()}.probe"
        probe.touch()
        probe.unlink()

    def scan_once(self) -> bool:
        """One look: every file that is whole has been taken or rejected; True when there was one.

        Files of the same look go oldest first. When the sink waits, the rest stay for a later look.
        """
        try:
            looks = self._look()
        except OSError as exc:
            self._become(f"waiting: the folder cannot be read ({exc.strerror})")
            return False
        ready = [each for each in looks.values() if each.is_whole]
        self._seen = looks
        moved = False
        for look in sorted(ready, key=lambda look: (look.changed_ns, look.name)):
            try:
                moved |= self._take(look)
            except Wait as reason:
                self._become(f"waiting: {reason}")
                return moved
        if moved or self.state == "":
            self._become("watching")
        return moved

    @property
    def is_waiting(self) -> bool:
        """True while the sink takes nothing."""
        return self.state.startswith("waiting")

    def _look(self) -> dict[tuple[int, int], _Look]:
        looks = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(found.st_mode):
                    number = found.st_dev, found.st_ino
                    look = _Look(entry.name, found.st_size, found.st_mtime_ns)
                    before = self._seen.get(number)
                    if before is not None and look.same_as(before):
                        look = _Look(look.name, look.size_bytes, look.changed_ns, before.times + 1)
                    looks[number] = look
        return looks

    def _take(self, look: _Look) -> bool:
        """True when the file has left the folder. Raises Wait."""
        try:
            return self._deliver(look)
        except OSError as exc:
            raise Wait(f"the disk refuses ({exc.strerror})") from exc

    def _deliver(self, look: _Look) -> bool:
        try:
            data = self._read(look)
            if data is None:
                return False
            self._sink.deliver(_drop(look, data))
        except Reject as refusal:
            return self._reject(look, str(refusal), in_doubt=refusal.in_doubt)
        self._leave(look)
        self.taken += 1
        return True

    def _read(self, look: _Look) -> bytes | None:
        """The file's bytes; None when it is gone or has changed since the look. Raises Reject."""
        try:
            with open(self.path / look.name, "rb") as stream:
                data = stream.read(settings.MAX_IMAGE_BYTES + 1)
                after = os.fstat(stream.fileno())
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise Reject(f"it cannot be read: {exc.strerror}", in_doubt=True) from exc
        unchanged = (after.st_size, after.st_mtime_ns) == (look.size_bytes, look.changed_ns)
        return data if unchanged else None

    def _leave(self, look: _Look) -> None:
        if self._delete:
            (self.path / look.name).unlink(missing_ok=True)
        else:
            self._move(look.name, DONE)

    def _reject(self, look: _Look, reason: str, *, in_doubt: bool) -> bool:
        if in_doubt and look.times <= PATIENCE_LOOKS:
            return False
        target = self._move(look.name, REJECTED)
        if target is not None:
            target.with_name(target.name + REASON_ENDING).write_text(f"{reason}\n")
            self.rejected += 1
            self._say(f"rejected {quoted(look.name, 200)}: {reason}")
        return True

    def _move(self, name: str, folder: str) -> Path | None:
        """The file lies in `folder`, under another name where its own is taken; None when it was gone."""
        stem, ending = os.path.splitext(name)
        target, number = self.path / folder / name, 1
        while target.exists() or target.with_name(target.name + REASON_ENDING).exists():
            number += 1
            target = self.path / folder / f"{stem} ({number}){ending}"
        try:
            os.rename(self.path / name, target)
        except FileNotFoundError:
            return None
        return target

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._say(state)


def _drop(look: _Look, data: bytes) -> Drop:
    taken_at = datetime.fromtimestamp(look.changed_ns // 1_000_000 / 1000, UTC)
    is_meant = EARLIEST <= taken_at <= now()
    about = f"{hashlib.sha256(data).hexdigest()} {look.changed_ns} {look.name}"
    key = hashlib.sha256(about.encode("utf-8", "surrogateescape")).hexdigest()
    return Drop(quoted(look.name, 255), data, taken_at if is_meant else None, f"file-{key}")
