"""Where requests are counted: Redis where there is one, else rows of PostgreSQL, else a file beside SQLite's.

Every store adds and compares in one atomic step that all processes share; none of them waits for a disk:
a count is worth nothing after its minute.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import redis
from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)

WINDOW_S = 60
AWAY_S = 5.0  # a store that failed is left alone for so long
ANSWER_WITHIN_S = 0.5
KEEP_ROWS_S = 3600


@dataclass(frozen=True)
class Wanted:
    """`count` more under `name`, of which a minute holds `limit`."""

    name: str
    count: int
    limit: int


@dataclass(frozen=True)
class Taken:
    """granted: how many of the wanted ones fit. wait_s: until the minute is over."""

    granted: int
    wait_s: float = 0.0


class Store(Protocol):
    """is_quick: may be asked on the event loop."""

    is_quick: bool

    def take(self, wanted: Sequence[Wanted]) -> list[Taken]:
        """One answer per wish, in order; the names differ."""

    def forget(self) -> None:
        """Every minute begins anew."""


# The same statement for both databases; {} are the names of their functions for two numbers.
UPSERT = """
INSERT INTO accounts_ratewindow AS w (name, began, taken, granted, asked, cap) {rows}
ON CONFLICT (name) DO UPDATE SET
  granted = CASE WHEN {over} THEN excluded.granted
            ELSE {greatest}(0, {least}(excluded.asked, excluded.cap - w.taken)) END,
  taken = CASE WHEN {over} THEN excluded.taken
          ELSE {greatest}(w.taken, {least}(excluded.cap, w.taken + excluded.asked)) END,
  began = CASE WHEN {over} THEN excluded.began ELSE w.began END
RETURNING name, granted, began
"""
# Whoever waited for the row read the clock before whoever began its minute. Only a row that began well after
# now is of a clock that was put back, and must not keep anybody out for longer than a minute.
WAITED_S = 10
OVER = f"(w.began <= excluded.began - {WINDOW_S} OR w.began > excluded.began + {WAITED_S})"
TABLE = """
CREATE TABLE IF NOT EXISTS accounts_ratewindow (
  name TEXT PRIMARY KEY, began REAL, taken INTEGER, granted INTEGER, asked INTEGER, cap INTEGER
) WITHOUT ROWID
"""


class FileStore:
    """A small SQLite file of its own, without fsync: counting never waits behind a picture's commit.

    One count takes 15 us, less than a hop to another thread.
    """

    is_quick = True

    _sql = UPSERT.format(
        rows="VALUES (:name, :now, MIN(:asked, :cap), MIN(:asked, :cap), :asked, :cap)",
        over=OVER, least="MIN", greatest="MAX",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._file: sqlite3.Connection | None = None
        self._inode = 0

    def take(self, wanted: Sequence[Wanted]) -> list[Taken]:
        with self._lock:
            for last_try in (False, True):
                try:
                    return self._take(wanted)
                except sqlite3.DatabaseError as error:
                    self._let_go(is_broken=not isinstance(error, sqlite3.OperationalError))
                    if last_try:
                        logger.warning("requests are not counted: %s", error)
        return [Taken(each.count) for each in wanted]

    def _take(self, wanted: Sequence[Wanted]) -> list[Taken]:
        file, now = self._file or self._open(), time.time()
        is_several = len(wanted) > 1
        if is_several:
            file.execute("BEGIN IMMEDIATE")
        found = []
        for each in wanted:
            row = {"name": each.name, "now": now, "asked": each.count, "cap": each.limit}
            [(_, granted, began)] = file.execute(self._sql, row).fetchall()
            found.append(Taken(granted, began + WINDOW_S - now))
        if is_several:
            file.execute("COMMIT")
        return found

    def _open(self) -> sqlite3.Connection:
        file = sqlite3.connect(
            self._path, isolation_level=None, timeout=ANSWER_WITHIN_S, check_same_thread=False
        )
        self._file, self._inode = file, self._path.stat().st_ino
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", TABLE):
            file.execute(statement).fetchall()
        file.execute("DELETE FROM accounts_ratewindow WHERE began < ?", (time.time() - KEEP_ROWS_S,))
        return file

    def _let_go(self, *, is_broken: bool) -> None:
        """The next call opens the file again; one that a power cut broke is begun anew, by one process."""
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()
            self._file = None
        if is_broken and self._path.exists() and self._path.stat().st_ino == self._inode:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def forget(self) -> None:
        with self._lock:
            (self._file or self._open()).execute("DELETE FROM accounts_ratewindow")


class RowStore:
    """Rows of an unlogged table of PostgreSQL, on the clock of its server."""

    is_quick = False

    _sql = UPSERT.format(
        rows="SELECT name, EXTRACT(EPOCH FROM clock_timestamp()), LEAST(asked, cap), LEAST(asked, cap),"
        " asked, cap"
        " FROM unnest(%s::text[], %s::int[], %s::int[]) AS wish (name, asked, cap) ORDER BY name",
        over=OVER, least="LEAST", greatest="GREATEST",
    ) + ", EXTRACT(EPOCH FROM clock_timestamp())"  # fmt: skip

    def take(self, wanted: Sequence[Wanted]) -> list[Taken]:
        columns = zip(*((each.name, each.count, each.limit) for each in wanted), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(self._sql, [list(column) for column in columns])
            found = {
                name: Taken(granted, float(began) + WINDOW_S - float(now))
                for name, granted, began, now in cursor.fetchall()
            }
        return [found[each.name] for each in wanted]

    def forget(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_ratewindow")


class RedisStore:
    """A number per name that Redis forgets after a minute. While Redis is away, nobody is refused."""

    is_quick = False

    def __init__(self, url: str, prefix: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S
        )
        self._prefix, self._away_until = f"{prefix}:rate:", 0.0

    def take(self, wanted: Sequence[Wanted]) -> list[Taken]:
        if time.monotonic() >= self._away_until:
            try:
                return self._take(wanted)
            except redis.RedisError as error:
                self._away_until = time.monotonic() + AWAY_S
                logger.warning("requests are not counted for %g s: %s", AWAY_S, error)
        return [Taken(each.count) for each in wanted]

    def _take(self, wanted: Sequence[Wanted]) -> list[Taken]:
        with self._redis.pipeline(transaction=True) as pipe:
            for each in wanted:
                name = self._prefix + each.name
                pipe.set(name, 0, ex=WINDOW_S, nx=True)
                pipe.incrby(name, each.count)
                pipe.pttl(name)
            answers = pipe.execute()
        return [
            Taken(min(each.count, max(0, each.count - (total - each.limit))), wait_ms / 1000)
            for each, total, wait_ms in zip(wanted, answers[1::3], answers[2::3], strict=True)
        ]

    def forget(self) -> None:
        if names := list(self._redis.scan_iter(f"{self._prefix}*")):
            self._redis.delete(*names)


@cache
def store() -> Store:
    """Where this installation counts."""
    if settings.REDIS_URL:
        return RedisStore(settings.REDIS_URL, settings.CHANNEL_PREFIX)
    return RowStore() if connection.vendor == "postgresql" else FileStore(settings.DATA_DIR / "rates.sqlite3")
