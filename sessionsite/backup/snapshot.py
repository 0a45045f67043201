"""The database at one moment, in a file, and the media files that it names; writers go on meanwhile."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from monitoring.models import Image, Monitor, Tag
from sessions_app.models import Session, SessionEvent
from sessionsite.accounts.models import AuditEntry, Organisation, User
from sessionsite.backup.programs import ProgramFailed, connection_words, environment, find_program, last_words

COUNTED = (Organisation, User, Monitor, Session, SessionEvent, Image, Tag, AuditEntry)
PAGES_AT_ONCE = 1000  # of SQLite, 4 kB each
READ_BYTES = 1 << 20
SQLITE, POSTGRESQL = "sqlite", "postgresql"
NAMES = {SQLITE: "database.sqlite3", POSTGRESQL: "database.pgdump"}


@dataclass
class Snapshot:
    """What was copied: `file` holds the database, `listing` a media path per line, in the order of rows."""

    vendor: str
    file: Path
    listing: Path
    server_version: str = ""
    migrations: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    media_files: int = 0
    media_bytes: int = 0

    def as_json(self) -> dict:
        """The part `database` of the manifest."""
        return {
            "vendor": self.vendor,
            "server_version": self.server_version,
            "file": NAMES[self.vendor],
            "size_bytes": self.file.stat().st_size,
            "sha256": _sha256(self.file),
        }


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def take(file: Path, listing: Path, progress: Callable[[str], None]) -> Snapshot:
    """The database of the settings as it is at one moment. Raises ProgramMissing, ProgramFailed."""
    snapshot = Snapshot(connection.vendor, file, listing)
    (_take_sqlite if connection.vendor == SQLITE else _take_postgresql)(snapshot, progress)
    return snapshot


def _take_sqlite(snapshot: Snapshot, progress: Callable[[str], None]) -> None:
    """SQLite's backup interface, within one read transaction: nobody who writes makes it begin anew."""
    source = sqlite3.connect(f"file:{connection.settings_dict['NAME']}?mode=ro", uri=True, timeout=30)
    with closing(source), closing(sqlite3.connect(snapshot.file)) as copy:
        source.isolation_level = None
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(
            copy,
            pages=PAGES_AT_ONCE,
            progress=lambda _status, left, all_: progress(f"database: {all_ - left:,} of {all_:,} pages"),
        )
        source.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
        snapshot.server_version = sqlite3.sqlite_version
        _describe(snapshot, copy.execute)


def _take_postgresql(snapshot: Snapshot, progress: Callable[[str], None]) -> None:
    """pg_dump and the listing see one exported snapshot."""
    with psycopg.connect(**connection_words()) as source:
        version = source.info.server_version
        program = find_program("pg_dump", version)
        source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        source.read_only = True
        [name] = source.execute("SELECT pg_export_snapshot()").fetchone()
        snapshot.server_version = str(version)
        progress("database: pg_dump")
        done = subprocess.run(
            [program, "--format=custom", f"--snapshot={name}", "--schema=public", "--no-owner",
             "--no-privileges", "--no-comments", f"--file={snapshot.file}"],
            env=environment(), capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ProgramFailed(f"pg_dump failed: {last_words(done.stderr)}")
        _describe(snapshot, lambda query: _in_parts(source, query))


def _in_parts(source: psycopg.Connection, query: str) -> Iterator[tuple]:
    """The rows of a query, fetched from the server part by part."""
    with source.cursor("parts") as rows:
        yield from rows.execute(query)


def _describe(snapshot: Snapshot, ask: Callable[[str], Any]) -> None:
    """Schema, counts and the listing, as the snapshot has them. Table and column names are our own."""
    migrations = MigrationRecorder.Migration._meta.db_table
    rows = ask(f"SELECT app, name FROM {migrations} ORDER BY app, name")
    snapshot.migrations = [f"{app}.{name}" for app, name in rows]
    for model in COUNTED:
        [[count]] = ask(f"SELECT count(*) FROM {model._meta.db_table}")
        snapshot.counts[model._meta.label_lower] = count
    images = Image._meta.db_table
    [[size_bytes]] = ask(f"SELECT coalesce(sum(size_bytes), 0) FROM {images}")
    snapshot.media_bytes = int(size_bytes)
    with snapshot.listing.open("w") as listing:
        for paths in ask(f"SELECT file_path, thumbnail_path FROM {images} ORDER BY id"):
            for path in paths:
                listing.write(f"{path}\n")
                snapshot.media_files += 1
