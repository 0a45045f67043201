"""The file that a backup is: one tar, written and read from front to back in constant memory.

    manifest.json          what the backup is of: version, schema, counts, the database's sha256
    database.sqlite3       or database.pgdump (pg_dump's custom format)
    secret_key             only when asked for
    media/<path> …         and after each 1,000 of them listing/<n>.txt: `sha256 size path` a line
    complete.json          how many files and bytes, the sha256 of all listings and of the sums of the other
                           members; a cut file lacks it

Times of members are those of the files; owners and modes are not kept.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from sessionsite.common.errors import DomainError

FORMAT = 1
MANIFEST, COMPLETE, SECRET_KEY = "manifest.json", "complete.json", "secret_key"
MEDIA, LISTING = "media/", "listing/"
LISTED_TOGETHER = 1000
READ_BYTES = 1 << 20
SMALL_BYTES = 16 << 20  # of a manifest or listing; more is no backup of ours


class BadBackup(DomainError):
    """The file is no backup, is cut off, or is not what was written."""

    code, status = "bad_backup", 422


class _Hashing:
    """A stream that is read through, digested and counted."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(size)
        self.digest.update(part)
        self.size_bytes += len(part)
        return part


class Writer:
    """Puts members into a new archive; `close` makes it whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        # `close` ends it; a `with` would also end one that failed halfway.
        self._tar = tarfile.TarFile(
            fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, copybufsize=READ_BYTES
        )
        self._lines: list[str] = []
        self._listings = hashlib.sha256()
        self._others = hashlib.sha256()
        self._listing_count = 0
        self.media_files = 0
        self.media_bytes = 0

    def add_bytes(self, name: str, data: bytes) -> None:
        self._add_other(name, len(data), 0, io.BytesIO(data))

    def add_file(self, name: str, path: Path) -> None:
        with path.open("rb") as stream:
            status = path.stat()
            self._add_other(name, status.st_size, status.st_mtime, stream)

    def _add_other(self, name: str, size_bytes: int, changed_s: float, stream: IO[bytes]) -> None:
        hashing = _Hashing(stream)
        self._add(name, size_bytes, changed_s, hashing)
        self._others.update(hashing.digest.digest())

    def add_media(self, path: str, file: Path) -> bool:
        """The media file is in the archive and listed; False when it is not there."""
        try:
            stream = file.open("rb")
        except FileNotFoundError:
            return False
        with stream:
            size_bytes = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            hashing = _Hashing(stream)
            self._add(MEDIA + path, size_bytes, file.stat().st_mtime, hashing)
        self._lines.append(f"{hashing.digest.hexdigest()} {size_bytes} {path}\n")
        self.media_files += 1
        self.media_bytes += size_bytes
        if len(self._lines) == LISTED_TOGETHER:
            self._list()
        return True

    def _list(self) -> None:
        text = "".join(self._lines).encode()
        self._lines = []
        self._listing_count += 1
        self._listings.update(text)
        self._add(f"{LISTING}{self._listing_count:06d}.txt", len(text), 0, io.BytesIO(text))

    def _add(self, name: str, size_bytes: int, changed_s: float, stream) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = size_bytes, int(changed_s), 0o600
        self._tar.addfile(member, stream)
        self._tar.members.clear()  # it would remember every one

    def close(self, **more) -> dict:
        """The archive is whole; returns what complete.json says."""
        if self._lines:
            self._list()
        told = {
            "media_files": self.media_files,
            "media_bytes": self.media_bytes,
            "listings_sha256": self._listings.hexdigest(),
            "others_sha256": self._others.hexdigest(),
            **more,
        }
        self.add_bytes(COMPLETE, orjson.dumps(told))
        self._tar.close()
        return told


@dataclass(frozen=True)
class Member:
    """One thing of the archive; its stream is read before the next one is asked for."""

    name: str
    size_bytes: int
    changed_s: int
    stream: _Hashing


class Reader:
    """Reads an archive from front to back. Whatever was read is only trusted when `members` has ended."""

    def __init__(self, stream: IO[bytes]) -> None:
        with _telling():
            # Read to its end by `members`, and the stream is the caller's
            self._tar = tarfile.open(fileobj=stream, mode="r|", copybufsize=READ_BYTES)  # noqa: SIM115
        self._lines: list[str] = []
        self._listings = hashlib.sha256()
        self._others = hashlib.sha256()
        self.media_files = 0
        self.media_bytes = 0
        self.manifest = self._read_manifest()
        self.complete: dict = {}

    def _read_manifest(self) -> dict:
        member = self._next()
        if member is None or member.name != MANIFEST:
            raise BadBackup("This is no backup: it does not begin with a manifest.")
        manifest = _json(member)
        self._others.update(member.stream.digest.digest())
        if manifest.get("product") != "sessionsite" or not isinstance(manifest.get("format"), int):
            raise BadBackup("This is no backup of this product.")
        if manifest["format"] > FORMAT:
            raise BadBackup(
                f"The backup has format {manifest['format']}; this version reads up to {FORMAT}.",
                format=manifest["format"],
            )
        _check_manifest(manifest)
        return manifest

    def members(self) -> Iterator[Member]:
        """Database, secret key and media, each to be read by the caller.

        Ends only after everything agreed with the listings. Raises BadBackup for anything else.
        """
        while (member := self._next()) is not None:
            if member.name == COMPLETE:
                self._compare_complete(_json(member))
                return
            if member.name.startswith(LISTING):
                self._compare_listing(member)
                continue
            yield member
            while member.stream.read(READ_BYTES):
                pass
            self._note(member)
        raise BadBackup("The backup is cut off: its end is missing.")

    def _note(self, member: Member) -> None:
        digest = member.stream.digest.hexdigest()
        if member.name.startswith(MEDIA):
            self._lines.append(f"{digest} {member.size_bytes} {member.name.removeprefix(MEDIA)}\n")
            self.media_files += 1
            self.media_bytes += member.size_bytes
            if len(self._lines) > LISTED_TOGETHER:
                raise BadBackup("The backup lacks a listing of its files.")
            return
        self._others.update(member.stream.digest.digest())
        if member.name == self.manifest["database"]["file"] and digest != self.manifest["database"]["sha256"]:
            raise BadBackup(f"{member.name} is damaged: it is not what was written.")

    def _compare_listing(self, member: Member) -> None:
        text = _bytes(member)
        self._listings.update(text)
        for found, written in zip(self._lines, text.decode().splitlines(keepends=True), strict=False):
            if found != written:
                raise BadBackup(f"{written.split()[-1]} is damaged: it is not what was written.")
        if len(text.decode().splitlines()) != len(self._lines):
            raise BadBackup(f"{member.name} lists other files than the backup holds.")
        self._lines = []

    def _compare_complete(self, told: dict) -> None:
        found = {
            "media_files": self.media_files,
            "media_bytes": self.media_bytes,
            "listings_sha256": self._listings.hexdigest(),
            "others_sha256": self._others.hexdigest(),
        }
        if self._lines or any(told.get(name) != value for name, value in found.items()):
            raise BadBackup("The backup does not hold what its end says.")
        self.complete = told

    def _next(self) -> Member | None:
        with _telling():
            info = self._tar.next()
            self._tar.members.clear()
            if info is None:
                return None
            if not info.isfile():
                raise BadBackup(f"{info.name} is no plain file; backups hold nothing else.")
            return Member(info.name, info.size, int(info.mtime), _Telling(self._tar.extractfile(info)))


def _check_manifest(manifest: dict) -> None:
    """What readers of it rely on is there. Raises BadBackup."""
    database, media, counts = (manifest.get(name) for name in ("database", "media", "counts"))
    is_right = (
        isinstance(manifest.get("migrations"), list)
        and isinstance(database, dict)
        and all(isinstance(database.get(name), str) for name in ("vendor", "file", "sha256"))
        and isinstance(database.get("size_bytes"), int)
        and isinstance(media, dict)
        and all(isinstance(media.get(name), int) for name in ("files", "size_bytes"))
        and isinstance(counts, dict)
    )
    if not is_right:
        raise BadBackup("The manifest of the backup is damaged.")


class _Telling(_Hashing):
    """Read errors of a cut or damaged tar are BadBackup."""

    def read(self, size: int = -1) -> bytes:
        with _telling():
            return super().read(size)


@contextmanager
def _telling():
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise BadBackup(f"The file is no backup, or is cut off ({error}).") from error


def _bytes(member: Member) -> bytes:
    if member.size_bytes > SMALL_BYTES:
        raise BadBackup(f"{member.name} is too large to be true.")
    return member.stream.read(member.size_bytes)


def _json(member: Member) -> dict:
    try:
        found = orjson.loads(_bytes(member))
    except orjson.JSONDecodeError as error:
        raise BadBackup(f"{member.name} is damaged.") from error
    if not isinstance(found, dict):
        raise BadBackup(f"{member.name} is damaged.")
    return found
