"""A backup becomes the data of this server, wholly or not at all.

Everything is staged beside the data and checked there: each file against its listing, the database against
its counts, an older schema brought up to date. Only then are old and new exchanged (swap.py).
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader

from monitoring.models import Image
from monitoring.services.ondisk import OnDisk
from sessions_app.leases import end_all_leases
from sessions_app.models import Session
from sessionsite.accounts.models import User
from sessionsite.accounts.services import audit
from sessionsite.backup import archive, postgresql, snapshot, swap
from sessionsite.backup.archive import BadBackup, Member, Reader
from sessionsite.backup.making import Teller
from sessionsite.backup.swap import ServerRuns
from sessionsite.common.errors import Conflict, DomainError, NoRoom
from sessionsite.common.files import BadPath, check_path, media_root
from sessionsite.common.files.places import disk_errors

MARGIN_BYTES = 64 << 20


class NotEmpty(Conflict):
    """There is data already, and nobody said that it may go."""

    code = "not_empty"


class NewerSchema(Conflict):
    """The backup was made by a newer version."""

    code = "newer_schema"


class SchemaFailed(DomainError):
    """A migration does not fit the rows of the backup."""

    code = "schema_failed"


@dataclass(frozen=True)
class Restored:
    manifest: dict
    media_files: int
    media_bytes: int
    old: list[str]


def verify(file: Path, *, tell: Callable[[str], None]) -> Restored:
    """The backup is whole and this version can read it; nothing is changed. Raises BadBackup, NewerSchema."""
    progress = Teller(tell)
    with file.open("rb", buffering=archive.READ_BYTES) as stream:
        reader = Reader(stream)
        _check_schema(reader.manifest)
        for _ in reader.members():
            progress(f"{reader.media_files:,} files")
    return Restored(reader.manifest, reader.media_files, reader.media_bytes, [])


def restore(
    file: Path, *, tell: Callable[[str], None], replace: bool = False, keep_old: bool = False
) -> Restored:
    """The server's data is that of the backup; on any error it is what it was.

    replace: what is there now goes. keep_old: it stays aside, in `.before-restore-…` of data and media folder
    and, on PostgreSQL, in the schema `before_restore_…`.
    Raises BadBackup, NewerSchema, NotEmpty, ServerRuns, NoRoom, ProgramMissing, ProgramFailed.
    """
    progress = Teller(tell)
    media_root().mkdir(parents=True, exist_ok=True)
    with file.open("rb", buffering=archive.READ_BYTES) as stream, swap.alone(), disk_errors():
        reader = Reader(stream)
        _check_vendor(reader.manifest)
        _check_schema(reader.manifest)
        connections.close_all()
        if not replace and not _is_empty():
            raise NotEmpty("There is data here already; --replace puts the backup in its place.")
        _check_nobody_works()
        _check_room(reader.manifest)
        exchange = swap.Swap(secrets.token_hex(6), connection.vendor, keep_old)
        try:
            _stage(reader, exchange, progress)
            _exchange(exchange, reader.manifest, tell)
        except BaseException:
            if not (Path(settings.DATA_DIR) / swap.MARK).exists():
                exchange.give_up()
            raise
    old = [str(exchange.old(root)) for root in (Path(settings.DATA_DIR), media_root())] if keep_old else []
    return Restored(reader.manifest, reader.media_files, reader.media_bytes, old)


# -- before anything is touched ------------------------------------------------------------------------------


def _check_vendor(manifest: dict) -> None:
    vendor = manifest["database"]["vendor"]
    if vendor != connection.vendor:
        raise DomainError(
            f"The backup is of {vendor} and this server works on {connection.vendor}: restore it with the "
            "database it was made of.",
            backup=vendor,
            here=connection.vendor,
        )


def _check_schema(manifest: dict) -> None:
    """Every migration of the backup is known here; those that it lacks are run on it."""
    ours = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    unknown = sorted(set(manifest["migrations"]) - ours)
    if unknown:
        raise NewerSchema(
            f"The backup was made by version {manifest.get('version', '?')}, whose schema is newer than this "
            f"one's ({unknown[0]} is unknown here); restore it with that version or a newer one.",
            unknown=unknown[:20],
        )


def _is_empty() -> bool:
    """Nobody has an account, nothing was recorded, no media file lies there."""
    tables = [model._meta.db_table for model in (User, Session, Image)]
    if any(entry.is_dir() and swap.is_of_media(entry.name) for entry in media_root().iterdir()):
        return False
    if connection.vendor == snapshot.POSTGRESQL:
        return not postgresql.holds_rows(tables)
    database = Path(connection.settings_dict["NAME"])
    if not database.exists():
        return True
    with closing(sqlite3.connect(database)) as link:
        there = {name for (name,) in link.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return not any(
            link.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables if table in there
        )


def _check_nobody_works() -> None:
    """No server, worker or other command has the database open."""
    if connection.vendor == snapshot.POSTGRESQL:
        if others := postgresql.others_connected():
            raise ServerRuns(f"{others} connections to the database are open; stop server and workers first.")
        return
    database = Path(connection.settings_dict["NAME"])
    if not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=1)) as link:
        try:  # only who has the file alone may leave the write-ahead log; nothing stays beside the file
            [mode] = link.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError:
            mode = ""
        if mode != "delete":
            raise ServerRuns("Another process has the database open; stop server and workers first.")


def _check_room(manifest: dict) -> None:
    needed = manifest["media"]["size_bytes"] + 2 * manifest["database"]["size_bytes"] + MARGIN_BYTES
    free = shutil.disk_usage(media_root()).free
    if free < needed:
        raise NoRoom(f"The restore needs {needed:,} bytes; {free:,} are left.", needed_bytes=needed)


# -- staging -------------------------------------------------------------------------------------------------


def _stage(reader: Reader, exchange: swap.Swap, progress: Callable[[str], None]) -> None:
    """Database and media lie beside the data, each file checked."""
    data, media = exchange.staged(Path(settings.DATA_DIR)), exchange.staged(media_root())
    data.mkdir(mode=0o700)
    media.mkdir(mode=0o700, exist_ok=True)
    expected = reader.manifest["media"]
    for member in reader.members():
        if member.name.startswith(archive.MEDIA):
            _stage_media(member, media)
        elif member.name == reader.manifest["database"]["file"]:
            _copy(member, _staged_database(exchange))
        elif member.name == archive.SECRET_KEY:
            _copy(member, data / archive.SECRET_KEY)
        else:
            raise BadBackup(f"{member.name} has no place here.")
        progress(
            f"{reader.media_files:,} of {expected['files']:,} files, "
            f"{reader.media_bytes:,} of {expected['size_bytes']:,} bytes"
        )
    if not _staged_database(exchange).exists():
        raise BadBackup("The backup holds no database.")


def _staged_database(exchange: swap.Swap) -> Path:
    """SQLite: under the name that the server will look for. PostgreSQL: a dump, which is not moved."""
    is_dump = connection.vendor == snapshot.POSTGRESQL
    name = swap.DUMP if is_dump else Path(connection.settings_dict["NAME"]).name
    return exchange.staged(Path(settings.DATA_DIR)) / name


def _stage_media(member: Member, folder: Path) -> None:
    try:
        path = check_path(member.name.removeprefix(archive.MEDIA))
    except BadPath as error:
        raise BadBackup(f"{member.name} is no place of a media file.") from error
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(member, target, mode=0o644)
    os.utime(target, (member.changed_s, member.changed_s))


def _copy(member: Member, target: Path, *, mode: int = 0o600) -> None:
    with open(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as stream:
        while part := member.stream.read(archive.READ_BYTES):
            stream.write(part)


# -- the exchange --------------------------------------------------------------------------------------------


def _exchange(exchange: swap.Swap, manifest: dict, tell: Callable[[str], None]) -> None:
    """Old and new have changed places, the schema is this version's."""
    if connection.vendor == snapshot.POSTGRESQL:
        _exchange_postgresql(exchange, manifest, tell)
        return
    tell("bringing the staged database up to date")
    _bring_up_to_date(_staged_database(exchange), manifest)
    _check_nobody_works()
    exchange.plan()
    exchange.mark()
    exchange.complete()


def _bring_up_to_date(database: Path, manifest: dict) -> None:
    """The SQLite file is sound and has this version's schema. Raises BadBackup."""
    with closing(sqlite3.connect(database)) as link:
        [[said]] = link.execute("PRAGMA quick_check(1)").fetchall()
        if said != "ok":
            raise BadBackup(f"The database of the backup is damaged: {said}")
    with _default_database_at(database):
        _migrate(manifest)
    with closing(sqlite3.connect(database)) as link:
        link.execute("PRAGMA journal_mode=DELETE")  # one file to be moved


@contextmanager
def _default_database_at(database: Path) -> Iterator[None]:
    """Everything in this process works on the SQLite file meanwhile: migrations name no other database."""
    connection.close()
    before, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], str(database)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def _migrate(manifest: dict) -> None:
    """The database has this version's schema, nobody holds a lease in it, and its audit trail tells of the
    restore. Raises SchemaFailed.
    """
    try:
        call_command("migrate", interactive=False, verbosity=0)
        end_all_leases()
        _audit(manifest)
    except (DatabaseError, InconsistentMigrationHistory) as error:
        raise SchemaFailed(f"The schema of the backup could not be brought up to date: {error}") from error


@transaction.atomic
def _audit(manifest: dict) -> None:
    told = {name: manifest.get(name) for name in ("made_at", "version", "counts")}
    audit(None, "restored", OnDisk("backup", str(manifest.get("made_at"))), by="restore", after=told)


def _exchange_postgresql(exchange: swap.Swap, manifest: dict, tell: Callable[[str], None]) -> None:
    tell("loading the rows")
    exchange.plan()
    exchange.mark()
    try:
        postgresql.exchange(_staged_database(exchange), exchange.id)
    except BaseException:
        exchange.complete()  # gives up, unless the transaction had committed after all
        raise
    try:
        tell("bringing the schema up to date")
        _migrate(manifest)
        connections.close_all()
    except BaseException:
        connections.close_all()
        postgresql.exchange_back(exchange.id)
        exchange.complete()
        raise
    exchange.complete()
