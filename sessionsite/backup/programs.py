"""PostgreSQL's own programs: found, new enough, run with the password out of sight."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from django.db import connection

from sessionsite.common.errors import DomainError

PACKAGE_HINT = "it comes with the package postgresql-client"
# A word of a connection, as psycopg takes it -> the variable that PostgreSQL's programs read.
VARIABLES = {
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "host": "PGHOST",
    "port": "PGPORT",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
CONNECT_TIMEOUT_S = 10


class ProgramMissing(DomainError):
    """A program of PostgreSQL is not installed, or too old for the server."""

    code = "program_missing"


class ProgramFailed(DomainError):
    code = "program_failed"


def find_program(name: str, server_version: int) -> str:
    """The path of pg_dump, pg_restore or psql. server_version: as 150004, of the server it shall talk to.

    Raises ProgramMissing when there is none, or only one that is older than the server.
    """
    path = shutil.which(name)
    if path is None:
        raise ProgramMissing(f"{name} is not installed; {PACKAGE_HINT}.", program=name)
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)(?:\.\d+)*", told)
    needed = server_version // 10_000
    if found is None or int(found[1]) < needed:
        raise ProgramMissing(
            f"{name} is of version {found[1] if found else '?'} and the database server of {needed}: "
            f"install {name} {needed} or newer ({PACKAGE_HINT}-{needed}).",
            program=name,
            needed=needed,
        )
    return path


def environment() -> dict[str, str]:
    """What the programs need to reach the database of the settings; a password is in no command line."""
    return os.environ | {VARIABLES[word]: value for word, value in connection_words().items()}


def connection_words() -> dict[str, str]:
    """The database of the settings for psycopg: a connection of its own, outside of the pool."""
    found = connection.settings_dict
    named = {
        "dbname": found["NAME"],
        "user": found.get("USER"),
        "password": found.get("PASSWORD"),
        "host": found.get("HOST"),
        "port": found.get("PORT"),
        "connect_timeout": CONNECT_TIMEOUT_S,
    }
    options = {word: value for word, value in found.get("OPTIONS", {}).items() if word.startswith("ssl")}
    return {word: str(value) for word, value in {**named, **options}.items() if value and word in VARIABLES}


def last_words(error: str | bytes) -> str:
    """The last lines that a program said, for an error message."""
    text = error.decode(errors="replace") if isinstance(error, bytes) else error
    return " / ".join(text.strip().splitlines()[-3:]) or "no reason given"
