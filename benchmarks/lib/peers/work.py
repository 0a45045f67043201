"""The work that an accepted picture takes, written for one process and nothing else: what peers do.

Check the token, decode the whole picture, make the thumbnail, keep original and thumbnail, add a row, count.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pybase64
from PIL import Image

TOKEN = "a-token-of-the-benchmark"
THUMBNAIL = (300, 300)
FILTERS = {"full": Image.Resampling.BICUBIC, "scaled": Image.Resampling.BILINEAR}
WEBP = {"quality": 78, "method": 0}

SCHEMA = """
CREATE TABLE token (digest TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE session (id INTEGER PRIMARY KEY, state TEXT NOT NULL, total INTEGER NOT NULL DEFAULT 0);
CREATE TABLE image (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, session_id INTEGER NOT NULL,
  path TEXT NOT NULL, thumbnail TEXT NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL,
  taken_at INTEGER NOT NULL, received_at REAL NOT NULL);
CREATE INDEX images_newest ON image (session_id, received_at DESC, id DESC);
CREATE TABLE event (id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL, seq INTEGER NOT NULL,
  kind TEXT NOT NULL, at REAL NOT NULL, detail TEXT NOT NULL, UNIQUE (session_id, seq));
INSERT INTO session (id, state) VALUES (1, 'active');
"""


class Refused(ValueError):
    """The request is not taken."""


@dataclass(frozen=True)
class Way:
    """decode: full or scaled; codec: standard (library) or fast; fsync: every write survives a power cut."""

    decode: str = "scaled"
    codec: str = "standard"
    fsync: bool = False

    @classmethod
    def of_environment(cls) -> Way:
        return cls(
            os.environ.get("PEER_DECODE", "scaled"),
            os.environ.get("PEER_CODEC", "standard"),
            os.environ.get("PEER_FSYNC", "") == "1",
        )


@dataclass(frozen=True)
class Row:
    key: str
    path: str
    thumbnail: str
    size_bytes: int
    sha256: str
    width: int
    height: int
    name: str
    label: str
    taken_at: int
    received_at: float


def parse(body: bytes, way: Way) -> tuple[bytes, dict]:
    """The picture and its description out of the base64 JSON body. Raises Refused."""
    try:
        if way.codec == "fast":
            content = orjson.loads(body)
            return pybase64.b64decode(content["image"], validate=True), content["image_data"]
        content = json.loads(body)
        return base64.b64decode(content["image"], validate=True), content["image_data"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("no picture in it") from error


def inspect(data: bytes, way: Way) -> tuple[int, int, bytes]:
    """Width, height and thumbnail of a picture that was decoded to its end. Raises Refused."""
    try:
        picture = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
        width, height = picture.size
        if way.decode == "scaled":
            scale = min(1, THUMBNAIL[0] / max(picture.size))
            picture.draft(None, (round(width * scale), round(height * scale)))
        picture.load()
        # full: as Pillow's own tutorial does it; scaled: as ours does.
        picture.thumbnail(THUMBNAIL, FILTERS[way.decode])
        stream = io.BytesIO()
        picture.convert("RGB").save(stream, "WEBP", **WEBP)
        return width, height, stream.getvalue()
    except (OSError, ValueError, SyntaxError) as error:
        raise Refused("not a whole picture") from error


class Store:
    """Files in one folder, rows in one SQLite file. Safe in many threads; each commit takes the lock."""

    def __init__(self, folder: Path, way: Way) -> None:
        self.way = way
        self.media = folder / "media"
        self.media.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            folder / "peer.sqlite3", check_same_thread=False, isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute(f"PRAGMA synchronous={'FULL' if way.fsync else 'NORMAL'}")
        if not self._database.execute("SELECT 1 FROM sqlite_master WHERE name = 'session'").fetchone():
            self._database.executescript(SCHEMA)
            self._database.execute("INSERT INTO token VALUES (?, 'camera')", [_digest(TOKEN)])
        self._known: set[str] = set()

    def check_token(self, header: str) -> None:
        """The header carries a token that is known. Raises Refused."""
        digest = _digest(header.removeprefix("Bearer "))
        if digest in self._known:
            return
        with self._lock:
            found = self._database.execute("SELECT 1 FROM token WHERE digest = ?", [digest]).fetchone()
        if not found:
            raise Refused("no such token")
        self._known.add(digest)

    def keep_files(self, data: bytes, about: dict) -> Row:
        """The picture is checked, it and its thumbnail lie in their places. Raises Refused."""
        width, height, thumbnail = inspect(data, self.way)
        key = uuid.uuid4().hex
        folder = self.media / key[:2]
        folder.mkdir(exist_ok=True)
        self._write(folder / f"{key}.bin", data)
        self._write(folder / f"{key}.webp", thumbnail)
        if self.way.fsync:
            _sync_folder(folder)
        return Row(
            key,
            f"{key[:2]}/{key}.bin",
            f"{key[:2]}/{key}.webp",
            len(data) + len(thumbnail),
            hashlib.sha256(data).hexdigest(),
            width,
            height,
            str(about.get("name", "")),
            str(about.get("tag", "")),
            int(about.get("date", 0)),
            time.time(),
        )

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(f"{path.suffix}.part")
        with open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            if self.way.fsync:
                os.fsync(stream.fileno())
        os.rename(temporary, path)

    def commit(self, rows: Sequence[Row]) -> int:
        """The rows are there and counted; returns the new total."""
        values = [(row.key, 1, *list(vars(row).values())[1:]) for row in rows]
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            [total] = self._database.execute(
                "UPDATE session SET total = total + ? WHERE id = 1 AND state = 'active' RETURNING total",
                [len(rows)],
            ).fetchone()
            self._database.executemany(
                "INSERT INTO image (key, session_id, path, thumbnail, size_bytes, sha256, width, height, "
                "name, label, taken_at, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            self._database.execute("COMMIT")
        return total

    def total(self) -> int:
        with self._lock:
            return self._database.execute("SELECT total FROM session WHERE id = 1").fetchone()[0]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
