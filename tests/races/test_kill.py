"""Kill -9 during ingest, the short form of benchmarks/crash.py: what was acknowledged is there."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

from benchmarks import crash

ROUNDS = 3

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]


def test_nothing_acknowledged_is_lost_and_nothing_else_is_left_when_a_server_is_killed(tmp_path):
    options = ["--tiny", "--rounds", str(ROUNDS), "--clients", "4", "--keep"]
    assert crash.main([*options, "--dir", str(tmp_path), "--results", str(tmp_path)]) == 0
    rounds = json.loads((tmp_path / "crash-tiny.json").read_text())["raw"]["rounds"]
    assert [found["problems"] for found in rounds] == [[]] * ROUNDS
    for found in rounds:
        assert found["missing"] == 0
        assert found["acknowledged"] > 0
        assert found["rows"] == found["counted"] == found["originals"] == found["thumbnails"]
    [folder] = tmp_path.glob("bench-*")
    assert_look_sees(folder)


def assert_look_sees(folder) -> None:
    """The check itself can fail: a lost row, and a file that nobody names, are found."""
    data = folder / "data"
    with contextlib.closing(sqlite3.connect(data / "db.sqlite3")) as database, database:
        [key] = database.execute("SELECT key FROM monitoring_image ORDER BY id LIMIT 1").fetchone()
        database.execute("PRAGMA foreign_keys=OFF")
        database.execute("DELETE FROM monitoring_image WHERE key = ?", [key])
    found = crash.Round(killed_after_s=0)
    crash.look(data, "", {key}, found)
    assert found.missing == 1
    assert "1 acknowledged pictures have no row" in found.problems
    assert "2 files have no row" in found.problems
    assert any("counted" in problem for problem in found.problems)
