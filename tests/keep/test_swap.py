"""A restore that is killed in the middle of its exchange: whoever starts next completes it, wholly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sessionsite.backup import swap
from sessionsite.backup.swap import ServerRuns, Swap

OLD = {"db.sqlite3": "old rows", "media/default/a.jpg": "old a", "media/gone/b.jpg": "old b"}
NEW = {"db.sqlite3": "new rows", "media/default/a.jpg": "new a", "media/fresh/c.jpg": "new c"}
BESIDE = {"media/inflight/leases.lock": "", "media/.quarantine/box/x": "kept", "first-password": "kept"}
MOVES = 6  # three old things go aside (rows, default, gone), three staged ones take their place


@pytest.fixture
def data(settings, tmp_path) -> Path:
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"
    write(tmp_path, OLD | BESIDE)
    return tmp_path


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def files_in(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != swap.LOCK
    }


def staged(data: Path, *, keep_old: bool = False) -> Swap:
    exchange = Swap("abc123", "sqlite", keep_old)
    write(exchange.staged(data), {"db.sqlite3": NEW["db.sqlite3"]})
    media = {name.removeprefix("media/"): text for name, text in NEW.items() if name.startswith("media/")}
    write(exchange.staged(data / "media"), media)
    return exchange


def test_the_exchange_leaves_the_new_things_and_what_does_not_belong_to_rows(data):
    exchange = staged(data)
    exchange.plan()
    exchange.mark()
    exchange.complete()
    assert files_in(data) == NEW | BESIDE


@pytest.mark.parametrize("done", range(MOVES + 1))
def test_a_kill_after_any_of_the_moves_is_completed_by_the_next_start(data, done):
    exchange = staged(data)
    exchange.plan()
    assert len(exchange.moves) == MOVES
    exchange.mark()
    for source, target in exchange.moves[:done]:
        os.rename(source, target)
    swap.complete_at_start()
    assert files_in(data) == NEW | BESIDE
    swap.complete_at_start()


def test_a_kill_before_the_mark_leaves_the_old_things(data):
    exchange = staged(data)
    exchange.plan()
    swap.complete_at_start()
    with swap.alone():
        pass
    assert files_in(data) == OLD | BESIDE


def test_what_was_there_can_be_kept(data):
    exchange = staged(data, keep_old=True)
    exchange.plan()
    exchange.mark()
    exchange.complete()
    assert (exchange.old(data) / "db.sqlite3").read_text() == "old rows"
    assert (exchange.old(data / "media") / "gone" / "b.jpg").read_text() == "old b"


def test_an_empty_folder_has_nothing_to_put_aside(settings, tmp_path):
    settings.DATA_DIR, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    settings.MEDIA_ROOT.mkdir()
    exchange = staged(tmp_path)
    exchange.plan()
    exchange.mark()
    for source, target in exchange.moves[:2]:
        os.rename(source, target)
    swap.complete_at_start()
    assert files_in(tmp_path) == NEW


def test_a_restore_and_a_process_at_work_exclude_each_other(data):
    with swap.alone(), pytest.raises(ServerRuns), swap.alone():
        pass
