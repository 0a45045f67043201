"""A PostgreSQL of the benchmark's own, or a database of its own in one that is there already."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks.lib.processes import Server, environment, free_port

OWN = "own"
BINARIES = "/usr/lib/postgresql"
SERVICE_USER = "postgres"


@contextlib.contextmanager
def database(wanted: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards; "" stands for SQLite.

    wanted: `sqlite`; `own`, a cluster made in `folder`; or the URL of a server, where a database is made.
    """
    if wanted == "sqlite":
        yield ""
    elif wanted == OWN:
        with own_cluster(folder) as url, fresh_database(url) as fresh:
            yield fresh
    else:
        with fresh_database(wanted) as fresh:
            yield fresh


def has_postgresql() -> bool:
    return _find("initdb") is not None


@contextlib.contextmanager
def own_cluster(folder: Path) -> Iterator[str]:
    """A running cluster, its URL; see `own_server`."""
    with own_server(folder) as server:
        yield cluster_url(server)


def cluster_url(server: Server) -> str:
    """Of a database that is always there."""
    return f"postgres://bench@127.0.0.1:{server.port}/postgres"


def own_server(folder: Path) -> Server:
    """A cluster with default settings (fsync on) whose files lie in `folder`; not started."""
    cluster = folder / "postgresql"
    user = SERVICE_USER if os.geteuid() == 0 else None
    cluster.mkdir(parents=True)
    if user:  # PostgreSQL does not run as root
        account = pwd.getpwnam(user)
        os.chown(cluster, account.pw_uid, account.pw_gid)
    port = free_port()
    subprocess.run(
        [_find("initdb"), "-D", cluster / "data", "-U", "bench", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, user=user, group=user, env=environment(), cwd=cluster,
    )  # fmt: skip
    command = [
        _find("postgres"), "-D", str(cluster / "data"), "-p", str(port),
        "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={cluster}",
    ]  # fmt: skip
    return Server("postgresql", command, port=port, folder=folder, user=user)


@contextlib.contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """A new database in the server at `url`; dropped at the end, whoever is still connected."""
    name = f"bench_{secrets.token_hex(6)}"
    _execute(url, f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    import psycopg

    for pause_s in (0.2, 0.5, 1.0, 2.0, 4.0, None):
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(statement)
            return
        except psycopg.OperationalError:
            if pause_s is None:
                raise
            time.sleep(pause_s)


def _find(program: str) -> str | None:
    newest = sorted(Path(BINARIES).glob(f"*/bin/{program}"))
    return str(newest[-1]) if newest else shutil.which(program)
