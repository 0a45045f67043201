import ctypes
import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from sessionsite.common import files
from sessionsite.common.errors import NoRoom
from sessionsite.common.files import BadPath, places
from sessionsite.common.ids import BadKey, new_key

DAY = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)


def test_a_media_path_is_organisation_day_and_key():
    with time_machine.travel(DAY, tick=False):
        key = new_key("im")
    assert files.media_path("default", key, "jpg") == f"default/2026/11/21/{key}.jpg"
    assert files.media_path("default", key, "thumb.webp") == f"default/2026/11/21/{key}.thumb.webp"


def test_an_organisation_called_inflight_has_a_folder_of_its_own(media):
    assert files.media_path("inflight", new_key("im"), "png").startswith("inflight.org/")


@pytest.mark.parametrize(
    "slug", ["..", ".", "", "a/b", "a\\b", "/etc", "a\0b", "é", "a\n", ".hidden", "x" * 300]
)
def test_no_organisation_name_leads_out_of_the_media_folder(slug):
    with pytest.raises(BadPath):
        files.media_path(slug, new_key("im"), "jpg")


@pytest.mark.parametrize("ext", ["", ".", "../x", "jpg/..", "JPG", "a.b.c", "j pg", "jpg\n", "x" * 9])
def test_odd_extensions_are_refused(ext):
    with pytest.raises(BadPath):
        files.media_path("default", new_key("im"), ext)


def test_a_key_that_is_none_has_no_path():
    with pytest.raises(BadKey):
        files.media_path("default", "im_../../../../etc/passwd", "jpg")


@given(st.text(alphabet="abAB01._-/\\ \0\n~é:", max_size=40))
def test_a_checked_path_stays_inside_whatever_it_is(path):
    try:
        checked = files.check_path(path)
    except BadPath:
        return
    root = Path("/srv/media")
    assert (root / checked).resolve(strict=False).is_relative_to(root)
    assert not checked.startswith("inflight/")


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("part 7.JPG", "part 7.JPG"),
        ("C:\\photos\\part.jpg", "part.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\nc\u202egpj.exe", "a" + "b cgpj.exe"),
        ("Prüfling Nr. 3 – oben.png", "Prüfling Nr. 3 – oben.png"),
        ("部品.png", "部品.png"),
        ('a<b>:"c|d?*.txt', "a_b___c_d__.txt"),
        ("  ..hidden.jpg. ", "hidden.jpg"),
        ("", "file"),
        ("...", "file"),
        ("/", "file"),
        (None, "None"),
        ("\ud800x.png", "x.png"),
    ],
)
def test_names_are_made_safe_for_display(given_name, shown):
    assert files.safe_name(given_name) == shown


@given(st.text(max_size=400))
def test_a_safe_name_is_short_printable_and_stable(text):
    name = files.safe_name(text)
    assert 1 <= len(name.encode()) <= places.MAX_NAME_BYTES
    assert name.isprintable() and "/" not in name and "\\" not in name and name not in {".", ".."}
    assert files.safe_name(name) == name


def test_a_long_name_keeps_its_extension():
    name = files.safe_name("ü" * 300 + ".jpeg")
    assert name.endswith(".jpeg") and len(name.encode()) <= places.MAX_NAME_BYTES


def test_a_written_file_is_whole_private_and_replaces_the_old_one(tmp_path, settings):
    settings.DURABILITY = "power"
    target = tmp_path / "secret"
    files.write_file(target, b"one")
    files.write_file(target, b"two")
    assert target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file(in_python, tmp_path, monkeypatch):
    target = tmp_path / "secret"
    files.write_file(target, b"one")

    def full(_fd):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(places.os, "fsync", full)
    with pytest.raises(NoRoom):
        files.write_file(target, b"two")
    assert target.read_bytes() == b"one" and list(tmp_path.iterdir()) == [target]


def test_a_new_file_never_takes_the_name_of_another_and_the_error_says_which(media, tmp_path):
    (tmp_path / "taken").write_bytes(b"old")
    with pytest.raises(FileExistsError) as refusal:
        places.write_all_new([(tmp_path / "free", b"one"), (tmp_path / "taken", b"two")])
    assert refusal.value.filename == str(tmp_path / "taken")
    assert (tmp_path / "taken").read_bytes() == b"old"


def test_a_folder_that_cannot_be_synced_is_named(media, tmp_path):
    with pytest.raises(FileNotFoundError) as refusal:
        places.sync_folders({tmp_path, tmp_path / "gone"})
    assert str(refusal.value.filename) == str(tmp_path / "gone")


@pytest.fixture(params=["in one step", "without the system call", "on a file system without it"])
def mover(request, monkeypatch):
    """move_new as each system has it."""
    if request.param == "without the system call":
        monkeypatch.setattr(places, "_renameat2", None)
    elif request.param == "on a file system without it":

        def refuse(*_arguments):
            ctypes.set_errno(errno.EINVAL)
            return -1

        monkeypatch.setattr(places, "_renameat2", refuse)
    return places.move_new


def test_a_moved_file_has_its_new_name_only(mover, tmp_path):
    (tmp_path / "a").write_text("x")
    mover(str(tmp_path / "a"), str(tmp_path / "ä"))
    assert [file.name for file in tmp_path.iterdir()] == ["ä"]


def test_a_name_that_something_has_is_never_taken(mover, tmp_path):
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    with pytest.raises(FileExistsError) as refusal:
        mover(str(tmp_path / "a"), str(tmp_path / "b"))
    assert refusal.value.filename2 == str(tmp_path / "b")
    assert (tmp_path / "b").read_text() == "old"


def test_a_move_into_a_folder_that_is_not_there_says_so(mover, tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(FileNotFoundError):
        mover(str(tmp_path / "a"), str(tmp_path / "none" / "b"))


def test_removed_media_tell_the_bytes_set_free(media, path):
    name = path()
    with files.inflight().batch() as batch:
        batch.add(name, b"12345")
        batch.publish()
        batch.settle()
    assert files.remove_media([name, path()]) == 5
    with pytest.raises(BadPath):
        files.remove_media(["../../etc/passwd"])
