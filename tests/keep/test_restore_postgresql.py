"""PostgreSQL: programs that are missing or old, an exchange that fails or is killed."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from benchmarks.lib.databases import fresh_database
from tests.keep.load import loaded
from tests.keep.test_restore import kill_when, refused
from tests.site.processes import Process, Server, manage, running

URL = os.environ.get("DATABASE_URL", "")
pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.skipif(not URL.startswith("postgres"), reason="no DATABASE_URL"),
]
SERVER = urlunsplit(urlsplit(URL)._replace(path="/postgres"))


@pytest.fixture
def url():
    with fresh_database(SERVER) as fresh:
        yield fresh


@pytest.fixture
def made(url, tmp_path) -> Path:
    """The backup of the database at `url`, whose pictures are in tmp_path/data."""
    with (
        running(Server, data_dir=tmp_path / "data", DATABASE_URL=url) as server,
        loaded(server, clients=2) as load,
    ):
        load.wait_for_more(8)
        load.stop()
        manage("backup", str(tmp_path / "b.tar"), data_dir=tmp_path / "data", DATABASE_URL=url)
        server.stop()
    return tmp_path / "b.tar"


def execute(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as link:
        done = link.execute(statement)
        return done.fetchall() if done.description else []


def names(url: str) -> set[str]:
    return {name for (name,) in execute(url, "SELECT name FROM monitoring_monitor")}


def schemas(url: str) -> list[str]:
    rows = execute(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before_restore%'")
    return [name for (name,) in rows]


def test_a_program_that_is_missing_or_too_old_is_named(url, tmp_path):
    manage("migrate", data_dir=tmp_path / "data", DATABASE_URL=url)
    words = ("backup", str(tmp_path / "b.tar"))
    said = refused(*words, data_dir=tmp_path / "data", DATABASE_URL=url, PATH=str(tmp_path))
    assert "pg_dump is not installed" in said and "postgresql-client" in said
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    manage("migrate", data_dir=tmp_path / "data", DATABASE_URL=url)
    said = refused(*words, data_dir=tmp_path / "data", DATABASE_URL=url, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert "pg_dump is of version 9 and the database server of" in said
    assert not list(tmp_path.glob("*b.tar*")) and not list(tmp_path.glob(".b.tar*"))


def test_a_schema_that_cannot_be_brought_up_to_date_puts_the_old_rows_back(made, url, tmp_path):
    data = {"data_dir": tmp_path / "data", "DATABASE_URL": url}
    execute(url, "DELETE FROM django_migrations WHERE app = 'sessions_app' AND name LIKE '%pin_sessions'")
    manage("backup", str(tmp_path / "odd.tar"), **data)
    execute(url, "UPDATE monitoring_monitor SET name = 'old'")
    said = refused("restore", str(tmp_path / "odd.tar"), "--replace", **data)
    assert "could not be brought up to date" in said and "Nothing was changed" in said
    assert names(url) == {"old"} and schemas(url) == []


def test_old_rows_go_only_when_somebody_says_so_and_can_be_kept(made, url, tmp_path):
    data = {"data_dir": tmp_path / "data", "DATABASE_URL": url}
    execute(url, "UPDATE monitoring_monitor SET name = 'old'")
    assert "There is data here already" in refused("restore", str(made), **data)
    with psycopg.connect(url):
        assert "connections to the database are open" in refused("restore", str(made), "--replace", **data)
    manage("restore", str(made), "--replace", "--keep-old", **data)
    assert names(url) == {"Line"}
    [schema] = schemas(url)
    assert execute(url, f"SELECT DISTINCT name FROM {schema}.monitoring_monitor") == [("old",)]
    manage("doctor", "--hashes", **data)


def test_a_killed_restore_leaves_the_old_rows_or_the_new_ones(made, url, tmp_path):
    data = {"data_dir": tmp_path / "data", "DATABASE_URL": url}
    mark = tmp_path / "data" / ".restore.json"
    for is_time in (mark.exists, lambda: mark.exists() and schemas(url)):
        execute(url, "UPDATE monitoring_monitor SET name = 'old'")
        with running(Process, "restore", str(made), "--replace", **data) as process:
            kill_when(process, is_time)
        manage("doctor", "--hashes", **data)
        assert names(url) in ({"old"}, {"Line"})
        assert schemas(url) == [] and not mark.exists()
