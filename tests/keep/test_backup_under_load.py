"""A backup that is taken while eight clients post: restored elsewhere it is sound, and nothing is missing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import orjson
import psycopg
import pytest

from benchmarks.lib.databases import fresh_database
from tests.keep.load import loaded
from tests.site.processes import Server, manage, running

pytestmark = [pytest.mark.server, pytest.mark.slow]
POSTGRESQL = os.environ.get("DATABASE_URL", "")


def keys_in(data_dir: Path, url: str) -> set[str]:
    query = "SELECT key FROM monitoring_image"
    if url:
        with psycopg.connect(url) as link:
            return {key for (key,) in link.execute(query)}
    with closing(sqlite3.connect(data_dir / "db.sqlite3")) as link:
        return {key for (key,) in link.execute(query)}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def new_database(request):
    """new_database() -> the variables of a fresh database, two of which have nothing in common."""
    if request.param == "postgresql" and not POSTGRESQL.startswith("postgres"):
        pytest.skip("no DATABASE_URL")
    server = urlunsplit(urlsplit(POSTGRESQL)._replace(path="/postgres"))  # any database that is there
    with ExitStack() as stack:

        def make() -> dict[str, str]:
            if request.param == "sqlite":
                return {}
            return {"DATABASE_URL": stack.enter_context(fresh_database(server))}

        yield make


def test_a_backup_under_load_restores_to_a_sound_state_with_every_picture(tmp_path, new_database):
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "backup.tar"
    env = new_database()
    with running(Server, data_dir=here, **env) as server, loaded(server) as load:
        before = load.wait_for_more(60)
        told = manage("backup", str(file), data_dir=here, **env)
        load.wait_for_more(20)
        report = orjson.loads(manage("doctor", "--json", data_dir=here, **env))
        load.stop()
        assert report["faults"] == {}, "a false alarm under load"
    assert "were not there" not in told
    assert oct(file.stat().st_mode & 0o777) == "0o600"

    env = new_database()
    assert "whole: " in manage("restore", str(file), "--verify", data_dir=there, **env)
    assert "restored: " in manage("restore", str(file), data_dir=there, **env)
    report = orjson.loads(manage("doctor", "--hashes", "--json", data_dir=there, **env))
    assert (report["faults"], report["left"]) == ({}, 0)
    assert report["checked"]["hashed"] == report["checked"]["pictures"] >= 60
    found = keys_in(there, env.get("DATABASE_URL", ""))
    assert set(before) <= found, "an acknowledged picture is missing"
    assert not list(there.rglob("*restore-*")), "something staged is left"

    with running(Server, data_dir=there, **env) as server:
        token = server.token()
        headers = {"Authorization": f"Bearer {token}"}
        for key in (before[0], before[-1]):
            assert server.http.get(f"/api/v1/images/{key}/file/", headers=headers).status_code == 200
        monitor = server.http.get("/api/v1/monitors/line-0/state/", headers=headers).json()
        assert monitor["running"] is True
        again = tmp_path / "again.tar"
        manage("backup", str(again), data_dir=there, **env)
    assert "whole: " in manage("restore", str(again), "--verify", data_dir=there, **env)
