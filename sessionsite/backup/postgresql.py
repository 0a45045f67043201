"""PostgreSQL: the rows of a backup take the place of the old ones in one transaction."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from sessionsite.backup.programs import (
    ProgramFailed,
    connection_words,
    environment,
    find_program,
    last_words,
)

PART_BYTES = 1 << 20
EXCHANGE_LOCK = 7_305_118  # of PostgreSQL's advisory locks: any number that is always the same


@contextmanager
def connected() -> Iterator[psycopg.Connection]:
    with psycopg.connect(**connection_words(), autocommit=True) as link:
        yield link


def others_connected() -> int:
    """How many connections other processes have to this database."""
    with connected() as link:
        [count] = link.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchone()
        return count


def holds_rows(tables: list[str]) -> bool:
    """Whether one of these tables is there and has a row."""
    with connected() as link:
        for table in tables:
            [found] = link.execute("SELECT to_regclass(%s)", [f"public.{table}"]).fetchone()
            if (
                found
                and link.execute(
                    sql.SQL("SELECT 1 FROM public.{} LIMIT 1").format(sql.Identifier(table))
                ).fetchone()
            ):
                return True
    return False


def _old_schema(id: str) -> str:
    return f"before_restore_{id}"


def exchange(dump: Path, id: str) -> None:
    """The schema `public` is what the dump holds, and has `id` as its comment; nothing changed on an error.

    Raises ProgramMissing, ProgramFailed.
    """
    with connected() as link:
        version = link.info.server_version
    psql, pg_restore = find_program("psql", version), find_program("pg_restore", version)
    old = _old_schema(id)
    head = (
        f"BEGIN;\nSELECT pg_advisory_xact_lock({EXCHANGE_LOCK});\n"
        f"ALTER SCHEMA public RENAME TO {old};\nCREATE SCHEMA public;\n"
        "GRANT USAGE ON SCHEMA public TO PUBLIC;\n"
    )
    # Without this tail, so also when the dump breaks off, nothing is committed.
    tail = f"\nCOMMENT ON SCHEMA public IS '{_comment(id)}';\nCOMMIT;\n"
    writer = subprocess.Popen(
        [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    reader = subprocess.Popen(
        [pg_restore, "--no-owner", "--no-privileges", "--no-comments", "--schema=public", "--file=-", dump],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    said: dict[str, bytes] = {}
    ears = [
        threading.Thread(target=lambda name=name, process=process: said.update({name: process.stderr.read()}))
        for name, process in (("psql", writer), ("pg_restore", reader))
    ]
    for ear in ears:
        ear.start()
    try:
        writer.stdin.write(head.encode())
        while part := reader.stdout.read(PART_BYTES):
            writer.stdin.write(part)
        if reader.wait() == 0:
            writer.stdin.write(tail.encode())
        writer.stdin.close()
    except BrokenPipeError:  # psql has ended with an error of its own
        reader.kill()
    finally:
        for process in (writer, reader):
            process.wait()
        for ear in ears:
            ear.join()
    for name, process in (("psql", writer), ("pg_restore", reader)):
        if process.returncode:
            raise ProgramFailed(f"{name} failed, nothing was changed: {last_words(said[name])}")


def _comment(id: str) -> str:
    return f"restored by {id}"


def is_exchanged(id: str) -> bool:
    """Whether the transaction of this restore has committed; one that is still at it is waited for."""
    with connected() as link:
        link.execute("SELECT pg_advisory_lock(%s)", [EXCHANGE_LOCK])  # ends with the connection
        row = link.execute("SELECT obj_description(to_regnamespace('public'), 'pg_namespace')").fetchone()
        return bool(row) and row[0] == _comment(id)


def exchange_back(id: str) -> None:
    """The old rows are `public` again, those of the backup are gone."""
    with connected() as link, link.transaction():
        link.execute("DROP SCHEMA public CASCADE")
        link.execute(sql.SQL("ALTER SCHEMA {} RENAME TO public").format(sql.Identifier(_old_schema(id))))


def forget_old(id: str, *, keep: bool) -> None:
    """The restore is done: its old rows are gone, or stay in a schema of their own."""
    with connected() as link, link.transaction():
        if not keep:
            link.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(_old_schema(id))))
