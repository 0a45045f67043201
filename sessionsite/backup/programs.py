"""PostgreSQL's own programs: found, new enough, run with the password out of sight."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from django.db import connection

from sessionsite.common.errors import DomainError

PACKAGE_HINT = "it comes with the package postgresql-client"
SSL_VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}


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
    found = connection.settings_dict
    options = found.get("OPTIONS", {})
    named = {
        "PGDATABASE": found["NAME"],
        "PGUSER": found.get("USER"),
        "PGPASSWORD": found.get("PASSWORD"),
        "PGHOST": found.get("HOST"),
        "PGPORT": found.get("PORT"),
        "PGCONNECT_TIMEOUT": "10",
        **{variable: options.get(name) for name, variable in SSL_VARIABLES.items()},
    }
    return os.environ | {name: str(value) for name, value in named.items() if value}


def connection_words() -> dict[str, str]:
    """The same for psycopg: a connection of its own, outside of the pool."""
    found = connection.settings_dict
    options = found.get("OPTIONS", {})
    named = {
        "dbname": found["NAME"],
        "user": found.get("USER"),
        "password": found.get("PASSWORD"),
        "host": found.get("HOST"),
        "port": found.get("PORT"),
        "connect_timeout": "10",
        **{name: options.get(name) for name in SSL_VARIABLES},
    }
    return {name: str(value) for name, value in named.items() if value}


def last_words(error: str | bytes) -> str:
    """The last lines that a program said, for an error message."""
    text = error.decode(errors="replace") if isinstance(error, bytes) else error
    return " / ".join(text.strip().splitlines()[-3:]) or "no reason given"
