import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from sessionsite.common import files
from sessionsite.common.errors import NoRoom
from sessionsite.common.files import leases, places
from tests.common.media import kept_files, leftovers


def test_published_files_lie_in_their_places_and_nothing_else_is_left(media, path):
    first, second = path(), path()
    with files.inflight().batch() as batch:
        batch.add(first, b"one")
        batch.add(second, b"two")
        assert kept_files(media) == set()
        batch.publish()
        batch.settle()
    assert kept_files(media) == {first, second}
    assert files.media_file(first).read_bytes() == b"one"
    files.close_leases()
    assert list((media / "inflight").iterdir()) == [media / "inflight" / "leases.lock"]


def test_with_durability_power_files_are_synced_before_folders_and_each_folder_once(media, path, synced):
    first, second = path(), path()
    with files.inflight().batch() as batch:
        batch.add(first, b"one")
        batch.add(second, b"two")
        batch.publish()
        batch.settle()
    day = (media / first).parent
    assert [file.suffix for file in synced[:2]] == [".part", ".part"]
    month, organisation = day.parent, day.parent.parent.parent
    assert synced[2:] == [day, month, month.parent, organisation, media, media.parent]


def test_an_existing_day_costs_one_folder_sync(media, path, synced):
    for _ in range(2):
        synced.clear()
        with files.inflight().batch() as batch:
            batch.add(path(), b"x")
            batch.publish()
            batch.settle()
    assert len(synced) == 2  # the file and its day


def test_a_day_that_another_process_has_just_made_is_synced_in_its_parents_too(media, path, synced):
    first = path()
    (media / first).parent.mkdir(parents=True)
    with files.inflight().batch() as batch:
        batch.add(first, b"one")
        batch.publish()
        batch.settle()
    assert synced[1:] == [folder for folder in (media / first).parents if folder.is_relative_to(media.parent)]


def test_with_durability_process_nothing_is_synced(media, path, synced, settings):
    settings.DURABILITY = "process"
    with files.inflight().batch() as batch:
        batch.add(path(), b"x")
        batch.publish()
        batch.settle()
    assert synced == []
    assert len(kept_files(media)) == 1


def test_after_a_rollback_the_files_are_gone(media, path):
    with files.inflight().batch() as batch:
        batch.add(path(), b"x")
        batch.publish()
        batch.discard()
    assert kept_files(media) == set()


def test_leaving_without_publishing_leaves_nothing(media, path):
    with pytest.raises(RuntimeError), files.inflight().batch() as batch:
        batch.add(path(), b"x")
        raise RuntimeError
    assert kept_files(media) == leftovers(media) == set()


def test_an_error_after_the_commit_never_removes_a_file(media, path):
    name = path()
    with pytest.raises(RuntimeError), files.inflight().batch() as batch:
        batch.add(name, b"x")
        batch.publish()
        raise RuntimeError("nobody knows whether the commit happened")
    assert kept_files(media) == {name}
    files.close_leases()
    report = files.repair_dead_leases(lambda paths: {name})
    assert (report.dead, report.kept_files, report.removed_files) == (1, 1, 0)
    assert kept_files(media) == {name}


def test_settle_after_settle_and_discard_after_settle_change_nothing(media, path):
    name = path()
    with files.inflight().batch() as batch:
        batch.add(name, b"x")
        batch.publish()
        batch.settle()
        batch.settle()
        batch.discard()
    assert kept_files(media) == {name}


def test_a_file_that_is_already_there_is_never_overwritten_nor_removed(media, path):
    name, other = path(), path()
    with files.inflight().batch() as batch:
        batch.add(name, b"first")
        batch.publish()
        batch.settle()
    with pytest.raises(FileExistsError), files.inflight().batch() as batch:
        batch.add(other, b"other")
        batch.add(name, b"second")
        batch.publish()
    assert kept_files(media) == {name}
    assert files.media_file(name).read_bytes() == b"first"


def test_several_batches_are_published_with_one_folder_sync_and_decided_one_by_one(media, path, synced):
    keep, drop = path(), path()
    batches = [files.inflight().batch(), files.inflight().batch()]
    batches[0].add(keep, b"keep")
    batches[1].add(drop, b"drop")
    files.publish(batches)
    assert synced.count((media / keep).parent) == 1
    batches[0].settle()
    batches[1].discard()
    assert kept_files(media) == {keep}
    files.close_leases()
    assert leftovers(media) == set()


def test_when_one_of_several_batches_cannot_be_published_none_is(media, path):
    taken = path()
    with files.inflight().batch() as batch:
        batch.add(taken, b"x")
        batch.publish()
        batch.settle()
    batches = [files.inflight().batch(), files.inflight().batch()]
    batches[0].add(path(), b"y")
    batches[1].add(taken, b"z")
    with pytest.raises(FileExistsError):
        files.publish(batches)
    assert kept_files(media) == {taken}


def test_a_full_disk_while_writing_is_no_room_and_leaves_nothing(in_python, media, path, monkeypatch):
    def full(_fd):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(places.os, "fsync", full)
    with pytest.raises(NoRoom) as refusal, files.inflight().batch() as batch:
        batch.add(path(), b"x" * 1000)
    assert (refusal.value.status, refusal.value.code) == (507, "disk_full")
    assert kept_files(media) == leftovers(media) == set()


def test_a_disk_that_is_full_only_at_the_close_is_no_room_and_no_file_stays_open(
    in_python, media, path, monkeypatch
):
    files.inflight().folder()
    real, before = os.close, len(os.listdir("/dev/fd"))

    def close(fd):
        real(fd)
        raise OSError(errno.EDQUOT, "quota")

    batch = files.inflight().batch()
    with monkeypatch.context() as patched:
        patched.setattr(places.os, "close", close)
        with pytest.raises(NoRoom):
            batch.add_all([(path(), b"one"), (path(), b"two")])
    assert len(os.listdir("/dev/fd")) == before
    assert kept_files(media) == leftovers(media) == set()


def test_a_full_disk_while_publishing_takes_everything_back(in_python, media, path, monkeypatch):
    batch = files.inflight().batch()
    for _ in range(3):
        batch.add(path(), b"x")
    real, calls = leases.move_new, []

    def move(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise OSError(errno.EDQUOT, "quota")
        real(source, target)

    monkeypatch.setattr(leases, "move_new", move)
    with pytest.raises(NoRoom):
        batch.publish()
    assert len(calls) == 3
    assert kept_files(media) == set()
    files.close_leases()
    assert leftovers(media) == set()


def test_a_day_folder_removed_at_the_last_moment_is_made_again(in_python, media, path, monkeypatch):
    real, calls = leases.move_new, []

    def move(source, target):
        calls.append(target)
        if len(calls) == 2:  # the first had found no folder
            Path(target).parent.rmdir()
        real(source, target)

    monkeypatch.setattr(leases, "move_new", move)
    name = path()
    with files.inflight().batch() as batch:
        batch.add(name, b"x")
        batch.publish()
        batch.settle()
    assert kept_files(media) == {name}


def test_a_removed_lease_folder_is_made_again(media, path):
    files.inflight().folder()
    shutil.rmtree(media / "inflight")
    with files.inflight().batch() as batch:
        batch.add(path(), b"x")
        batch.publish()
        batch.settle()
    assert len(kept_files(media)) == 1


def test_the_intents_of_settled_batches_do_not_pile_up(media, path, monkeypatch):
    monkeypatch.setattr(leases, "INTENTS_LIMIT_BYTES", 500)
    for _ in range(60):
        with files.inflight().batch() as batch:
            batch.add(path(), b"x")
            batch.publish()
            batch.settle()
    sizes = [file.stat().st_size for file in files.inflight().folder().glob("intents-*")]
    assert len(sizes) <= 1 and sum(sizes) < 1000


def test_intents_that_somebody_removed_are_begun_anew_before_anything_is_renamed(media, path):
    with files.inflight().batch() as batch:
        batch.add(path(), b"x")
        batch.publish()
        batch.settle()
    for intents in files.inflight().folder().glob("intents-*"):
        intents.unlink()
    second = path()
    with files.inflight().batch() as batch:
        batch.add(second, b"x")
        batch.publish()
        [intents] = files.inflight().folder().glob("intents-*")
        assert intents.read_text() == f"{second}\n"
        batch.settle()


def test_no_file_stays_open_however_many_intents_there_were(media, path, monkeypatch):
    monkeypatch.setattr(leases, "INTENTS_LIMIT_BYTES", 100)
    before = len(os.listdir("/dev/fd"))
    batches = [files.inflight().batch() for _ in range(12)]
    for batch in batches:
        batch.add(path(), b"x")
        batch.publish()
    for number, batch in enumerate(batches):
        batch.settle() if number % 2 else batch.discard()
    files.close_leases()
    assert len(os.listdir("/dev/fd")) == before
    assert leftovers(media) == set()


def test_many_threads_publish_settle_and_discard_at_once(media, path):
    kept: list[str] = []
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(15):
                with files.inflight().batch() as batch:
                    name = path()
                    batch.add(name, f"{number} {turn}".encode())
                    batch.publish()
                    if turn % 3:
                        batch.settle()
                        kept.append(name)
                    else:
                        batch.discard()
        except BaseException as exc:
            errors.append(exc)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert kept_files(media) == set(kept) and len(kept) == 80
    files.close_leases()
    assert leftovers(media) == set()
