"""What dead processes left is put in order, and nothing of the living is touched."""

import os

import pytest

from sessionsite.common import files
from sessionsite.common.files import repair
from tests.common.media import dead_process, kept_files, leftovers


def nothing_known(_paths: list[str]) -> set[str]:
    return set()


def test_files_of_a_killed_process_stay_only_when_a_row_names_them(media, path):
    committed, lost, half = path(), path(), path()

    def work():
        with files.inflight().batch() as batch:
            batch.add(committed, b"row is there")
            batch.add(lost, b"no row")
            batch.publish()
            batch.add(half, b"never renamed")
            os.kill(os.getpid(), 9)

    dead_process(work)
    assert kept_files(media) == {committed, lost}
    report = files.repair_dead_leases(lambda paths: {committed} & set(paths))
    assert (report.dead, report.living) == (1, 0)
    assert (report.kept_files, report.removed_files, report.removed_temporary) == (1, 1, 1)
    assert report.freed_bytes == len(b"no row") + len(b"never renamed")
    assert kept_files(media) == {committed}
    assert leftovers(media) == set()
    assert files.repair_dead_leases(nothing_known) == files.RepairReport()


def test_a_process_killed_between_intent_and_rename_leaves_nothing(media, path):
    name = path()

    def work():
        batch = files.inflight().batch()
        batch.add(name, b"x")
        files.inflight().announce([batch])

    dead_process(work)
    assert files.repair_dead_leases(nothing_known).removed_temporary == 1
    assert kept_files(media) == leftovers(media) == set()


def test_nothing_of_a_living_process_is_touched(media, path):
    name = path()
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        batch = files.inflight().batch()
        batch.add(name, b"x")
        batch.publish()
        batch.add(path(), b"on its way")
        os.write(ready[1], b"1")
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    try:
        report = files.repair_dead_leases(nothing_known)
        assert (report.living, report.dead, report.removed_files) == (1, 0, 0)
        assert kept_files(media) == {name}
    finally:
        os.write(done[1], b"1")
        os.waitpid(child, 0)
    assert files.repair_dead_leases(nothing_known).dead == 1
    assert kept_files(media) == set()


def test_our_own_lease_counts_as_living(media, path):
    with files.inflight().batch() as batch:
        name = path()
        batch.add(name, b"x")
        batch.publish()
        assert files.repair_dead_leases(nothing_known).living == 1
        batch.settle()
    assert kept_files(media) == {name}


def test_a_forked_child_neither_uses_nor_keeps_the_lease_of_its_parent(media, path):
    ready, done = os.pipe(), os.pipe()
    grandchild_folder = os.pipe()
    parent = os.fork()
    if parent == 0:
        mine = files.inflight().folder()
        if os.fork() == 0:
            other = files.inflight().folder()
            os.write(grandchild_folder[1], b"same" if other == mine else b"other")
            os.write(ready[1], b"1")
            os.read(done[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
        os.kill(os.getpid(), 9)
    os.waitpid(parent, 0)
    try:
        assert os.read(grandchild_folder[0], 5) == b"other"
        report = files.repair_dead_leases(nothing_known)
        assert (report.dead, report.living) == (1, 1)
    finally:
        os.write(done[1], b"1")


def test_a_database_that_does_not_answer_leaves_the_lease_for_the_next_start(media, path):
    name = path()

    def work():
        batch = files.inflight().batch()
        batch.add(name, b"x")
        batch.publish()

    dead_process(work)

    def broken(_paths):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        files.repair_dead_leases(broken)
    assert kept_files(media) == {name}
    assert files.repair_dead_leases(nothing_known).removed_files == 1


def test_torn_and_foreign_lines_in_intents_are_skipped(media, path, tmp_path):
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"not ours")
    name, torn = path(), path()

    def work():
        batch = files.inflight().batch()
        batch.add(name, b"x")
        batch.add(torn, b"y")
        batch.publish()
        [intents] = files.inflight().folder().glob("intents-*")
        junk = f"../outside.jpg\n{outside}\n\xff\xfe\n{name}\n{torn}"
        intents.write_bytes(junk.encode("latin-1"))

    dead_process(work)
    files.repair_dead_leases(nothing_known)
    assert outside.exists()
    assert kept_files(media) == {torn}


def test_a_lease_whose_owner_died_before_locking_it_is_removed(media):
    (media / "inflight" / "123-abc").mkdir(parents=True)
    assert files.repair_dead_leases(nothing_known).dead == 1
    assert leftovers(media) == set()


def test_repair_asks_in_bounded_portions(media, path, monkeypatch):
    monkeypatch.setattr(repair, "KNOWN_CHUNK", 4)

    def work():
        batch = files.inflight().batch()
        for _ in range(10):
            batch.add(path(), b"x")
        batch.publish()

    dead_process(work)
    asked: list[int] = []
    files.repair_dead_leases(lambda paths: asked.append(len(paths)) or set(paths))
    assert asked == [4, 4, 2]
