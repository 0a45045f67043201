"""restore as a command: what it refuses, what it replaces, an older schema, and kills on the way."""

from __future__ import annotations

import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from tests.keep.load import loaded
from tests.site.processes import Process, Server, environment, manage, running
from tests.site.settings_of import ROOT

pytestmark = [pytest.mark.server, pytest.mark.slow]


def refused(*words: str, data_dir: Path, **more: str) -> str:
    """What a command said that ended with code 1."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT, env=environment(data_dir, **more), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """(a data folder with pictures, its backup)"""
    folder = tmp_path_factory.mktemp("made")
    with running(Server, data_dir=folder / "data") as server, loaded(server, clients=2) as load:
        load.wait_for_more(12)
        load.stop()
        manage("backup", str(folder / "backup.tar"), "--with-secret-key", data_dir=folder / "data")
        server.stop()
    return folder / "data", folder / "backup.tar"


def pictures_in(data_dir: Path) -> int:
    with closing(sqlite3.connect(data_dir / "db.sqlite3")) as link:
        return link.execute("SELECT count(*) FROM monitoring_image").fetchone()[0]


def rewritten(source: Path, target: Path, change) -> Path:
    """The backup with another manifest."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            data = old.extractfile(member).read()
            if member.name == "manifest.json":
                data = orjson.dumps(change(orjson.loads(data)))
                member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return target


def test_data_that_is_there_goes_only_when_somebody_says_so(made, tmp_path):
    data, backup = made
    manage("restore", str(backup), data_dir=tmp_path)
    before = pictures_in(tmp_path)
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as link, link:
        link.execute("UPDATE monitoring_monitor SET name = 'changed'")
    assert "There is data here already; --replace" in refused("restore", str(backup), data_dir=tmp_path)
    manage("restore", str(backup), "--replace", "--keep-old", data_dir=tmp_path)
    assert pictures_in(tmp_path) == before
    manage("doctor", "--hashes", data_dir=tmp_path)
    [old] = tmp_path.glob(".before-restore-*")
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as link:
        told = link.execute("SELECT verb, object_type FROM accounts_auditentry ORDER BY id DESC").fetchone()
    assert told == ("restored", "backup")
    with closing(sqlite3.connect(old / "db.sqlite3")) as link:
        assert link.execute("SELECT DISTINCT name FROM monitoring_monitor").fetchall() == [("changed",)]
    assert (tmp_path / "secret_key").read_text() == (data / "secret_key").read_text()


def test_a_server_that_runs_is_not_pulled_from_under(made, tmp_path):
    _, backup = made
    with running(Server, data_dir=tmp_path) as server:
        assert "stop it first" in refused("restore", str(backup), "--replace", data_dir=tmp_path)
        assert server.http.get("/readyz").status_code == 200


def test_a_backup_of_a_newer_version_is_refused(made, tmp_path):
    def newer(manifest: dict) -> dict:
        return manifest | {"migrations": [*manifest["migrations"], "monitoring.9999_wings"], "version": "9"}

    backup = rewritten(made[1], tmp_path / "newer.tar", newer)
    said = refused("restore", str(backup), data_dir=tmp_path / "data")
    assert "made by version 9" in said and "Nothing was changed" in said
    assert not list((tmp_path / "data").rglob("*.sqlite3"))


def test_a_backup_of_another_database_is_refused(made, tmp_path):
    def other(manifest: dict) -> dict:
        return manifest | {"database": manifest["database"] | {"vendor": "postgresql"}}

    backup = rewritten(made[1], tmp_path / "other.tar", other)
    assert "works on sqlite" in refused("restore", str(backup), data_dir=tmp_path / "data")


def test_a_damaged_backup_changes_nothing(made, tmp_path):
    manage("restore", str(made[1]), data_dir=tmp_path / "data")
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    data = made[1].read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: len(data) * 9 // 10])
    said = refused("restore", str(tmp_path / "cut.tar"), "--replace", data_dir=tmp_path / "data")
    assert "Nothing was changed" in said
    after = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    assert after == before


def test_an_older_schema_is_brought_up_to_date(made, tmp_path):
    manage("restore", str(made[1]), data_dir=tmp_path / "data")
    manage("migrate", "sessions_app", "0006", data_dir=tmp_path / "data")
    manage("backup", str(tmp_path / "old.tar"), data_dir=tmp_path / "data")
    manage("restore", str(tmp_path / "old.tar"), data_dir=tmp_path / "new")
    manage("migrate", "--check", data_dir=tmp_path / "new")
    manage("doctor", data_dir=tmp_path / "new")


def test_a_schema_that_cannot_be_brought_up_to_date_changes_nothing(made, tmp_path):
    manage("restore", str(made[1]), data_dir=tmp_path / "odd")
    with closing(sqlite3.connect(tmp_path / "odd" / "db.sqlite3")) as link, link:
        link.execute("DELETE FROM django_migrations WHERE app = 'sessions_app' AND name LIKE '%pin_sessions'")
    manage("backup", str(tmp_path / "odd.tar"), data_dir=tmp_path / "odd")
    manage("restore", str(made[1]), data_dir=tmp_path / "data")
    before = pictures_in(tmp_path / "data")
    said = refused("restore", str(tmp_path / "odd.tar"), "--replace", data_dir=tmp_path / "data")
    assert "could not be brought up to date" in said and "Nothing was changed" in said
    manage("doctor", "--hashes", data_dir=tmp_path / "data")
    assert pictures_in(tmp_path / "data") == before


def test_a_backup_does_not_replace_a_file_by_accident(made, tmp_path):
    data, backup = made
    assert "--overwrite" in refused("backup", str(backup), data_dir=data)
    assert "no folder" in refused("backup", str(tmp_path / "no" / "b.tar"), data_dir=data)


def test_a_backup_says_which_files_were_missing(made, tmp_path):
    manage("restore", str(made[1]), data_dir=tmp_path / "data")
    victim = next((tmp_path / "data" / "media" / "default").rglob("*.jpg"))
    victim.unlink()
    done = subprocess.run(
        [sys.executable, "manage.py", "backup", str(tmp_path / "b.tar")],
        cwd=ROOT, env=environment(tmp_path / "data"), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert "1 files that rows name were not there" in done.stderr and victim.name in done.stderr


# -- kill -9 -------------------------------------------------------------------------------------------------


def kill_when(process: Process, is_time) -> None:
    """Kills the process as soon as `is_time()`; it may have ended by then."""
    while process.child.poll() is None and not is_time():
        os.sched_yield()
    if process.child.poll() is None:
        process.child.send_signal(signal.SIGKILL)
    process.child.wait(30)


def test_a_killed_backup_leaves_nothing_that_the_next_one_does_not_remove(made, tmp_path):
    data, _ = made
    target = tmp_path / "b.tar"
    with running(Process, "backup", str(target), data_dir=data) as process:
        kill_when(process, lambda: any(tmp_path.glob(".b.tar.*.part")))
    assert not target.exists()
    said = refused("backup", str(target), data_dir=data) if _is_held(data) else None
    assert said is None or "is being made already" in said
    _let_go(data)
    manage("backup", str(target), data_dir=data)
    assert [path.name for path in tmp_path.iterdir() if "b.tar" in path.name] == ["b.tar"]
    manage("restore", str(target), "--verify", data_dir=data)
    manage("doctor", data_dir=data)


def _is_held(data: Path) -> bool:
    with closing(sqlite3.connect(data / "db.sqlite3")) as link:
        row = link.execute(
            "SELECT 1 FROM sessions_app_lease WHERE name = 'hold:removal' AND expires_at > datetime('now')"
        ).fetchone()
    return row is not None


def _let_go(data: Path) -> None:
    """As a minute later: the hold of a dead process ends by itself."""
    with closing(sqlite3.connect(data / "db.sqlite3")) as link, link:
        link.execute("UPDATE sessions_app_lease SET expires_at = '2001-01-01' WHERE name = 'hold:removal'")


MOMENTS = {
    "begun": lambda data: any(data.glob(".restore-*")),
    "media staged": lambda data: any((data / "media").glob(".restore-*/*/*/*/*/*.jpg")),
    "decided": lambda data: (data / ".restore.json").exists(),
    "old aside": lambda data: any(data.glob(".before-restore-*/db.sqlite3")),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_restore_leaves_the_old_data_or_the_new(made, tmp_path, moment):
    manage("restore", str(made[1]), data_dir=tmp_path)
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as link, link:
        link.execute("UPDATE monitoring_monitor SET name = 'old'")
    with running(Process, "restore", str(made[1]), "--replace", data_dir=tmp_path) as process:
        kill_when(process, lambda: MOMENTS[moment](tmp_path))
    manage("doctor", "--hashes", data_dir=tmp_path)
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as link:
        names = {name for (name,) in link.execute("SELECT name FROM monitoring_monitor")}
    assert names in ({"old"}, {"Line"})
    manage("restore", str(made[1]), "--replace", data_dir=tmp_path)
    assert not [path for path in tmp_path.rglob("*restore-*") if re.search(r"restore-[0-9a-f]", path.name)]


def test_a_killed_repair_is_completed_by_the_next(made, tmp_path):
    manage("restore", str(made[1]), data_dir=tmp_path)
    strays = []
    for number in range(15):
        stray = tmp_path / "media" / "default" / "2026" / "01" / "02" / f"im_stray{number:02}.jpg"
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"x")
        os.utime(stray, (1, 1))
        strays.append(stray)
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as link, link:
        link.execute("UPDATE sessions_app_session SET image_count = image_count + 1")
    with running(Process, "doctor", "--repair", data_dir=tmp_path) as process:
        kill_when(process, lambda: not strays[3].exists())
    manage("doctor", "--repair", data_dir=tmp_path)
    manage("doctor", "--hashes", data_dir=tmp_path)
    assert len(list((tmp_path / "media" / ".quarantine").rglob("*.jpg"))) == 15
