"""A folder that a camera drops files into: whole files only, each once, nothing lost."""

import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command

from monitoring.drop_folder import PATIENCE_LOOKS, Drop, DropFolder, Reject, VerbSink, Wait, WireSink
from monitoring.models import Image
from monitoring.rosepetal_client import Wire
from monitoring.services import archive_monitor, start_monitor, stop_monitor
from sessions_app.models import Session
from sessionsite.common.files import media_file
from tests.pictures import picture
from tests.site.processes import Process, Server, running
from tests.waiting import wait_until

TAKEN_AT = datetime(2026, 3, 8, 7, 30, 15, 250_000, tzinfo=UTC)


class Sink:
    """Keeps what is delivered; `answers` are raised first."""

    def __init__(self) -> None:
        self.drops: list[Drop] = []
        self.answers: list[Exception] = []

    def deliver(self, drop: Drop) -> None:
        if self.answers:
            raise self.answers.pop(0)
        self.drops.append(drop)


@pytest.fixture
def path(tmp_path) -> Path:
    folder = tmp_path / "camera"
    folder.mkdir()
    return folder


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def folder(path, said, sink) -> DropFolder:
    return watched(path, sink, said)


@pytest.fixture
def drop(path) -> Callable[..., Path]:
    """drop("a.jpg") writes a whole picture into the folder, last changed at TAKEN_AT."""

    def write(name: str, data: bytes | None = None, *, at: datetime = TAKEN_AT) -> Path:
        (path / name).write_bytes(picture() if data is None else data)
        os.utime(path / name, ns=(int(at.timestamp() * 1000) * 1_000_000,) * 2)
        return path / name

    return write


def watched(path: Path, sink, said: list[str], **options) -> DropFolder:
    made = DropFolder(path, sink, say=said.append, **options)
    made.prepare()
    return made


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_file())


def looks(folder: DropFolder, count: int) -> bool:
    """`count` looks; what the last one said."""
    return [folder.scan_once() for _ in range(count)][-1]


# --- whole files ---


def test_a_file_is_taken_at_the_second_look_that_sees_it_unchanged(folder, drop, sink, path):
    drop("a.jpg")
    assert folder.scan_once() is False and sink.drops == []
    assert folder.scan_once() is True
    [taken] = sink.drops
    assert (taken.name, taken.data, taken.taken_at) == ("a.jpg", picture(), TAKEN_AT)
    assert names(path) == [] and names(path / "done") == ["a.jpg"]
    assert folder.scan_once() is False and folder.taken == 1


def test_a_file_that_still_grows_is_not_taken(folder, drop, sink):
    whole = picture()
    for size in (10, 200, len(whole)):
        drop("a.jpg", whole[:size])
        assert folder.scan_once() is False
    assert folder.scan_once() is True
    assert sink.drops[0].data == whole


def test_a_file_written_again_with_the_same_size_is_not_taken_too_early(folder, drop, sink):
    drop("a.jpg", picture(1))
    folder.scan_once()
    drop("a.jpg", picture(1), at=TAKEN_AT.replace(second=16))
    assert folder.scan_once() is False
    assert folder.scan_once() is True


def test_a_file_that_is_renamed_in_is_taken_at_the_next_look(folder, drop, sink, path):
    drop("a.jpg.part")
    assert looks(folder, 4) is False  # never under this name
    (path / "a.jpg.part").rename(path / "a.jpg")
    assert folder.scan_once() is True
    assert sink.drops[0].name == "a.jpg"


@pytest.mark.parametrize("name", [".a.jpg", "a.jpg.tmp", "a.JPG.PART", "a.jpg~", "a.crdownload"])
def test_names_of_unfinished_files_are_left_alone(folder, drop, path, name):
    drop(name)
    assert looks(folder, PATIENCE_LOOKS + 5) is False
    assert names(path) == [name]


def test_folders_and_links_are_left_alone(folder, drop, path, tmp_path, sink):
    (path / "sub.jpg").mkdir()
    (tmp_path / "elsewhere.jpg").write_bytes(picture())
    (path / "link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    assert looks(folder, 3) is False
    assert sink.drops == [] and (path / "link.jpg").is_symlink()


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_look(folder, drop, sink, path, monkeypatch):
    drop("a.jpg")
    folder.scan_once()
    real = os.fstat

    def grown(fd):
        (path / "a.jpg").touch()
        return real(fd)

    with monkeypatch.context() as patched:
        patched.setattr("monitoring.drop_folder.os.fstat", grown)
        assert folder.scan_once() is False
    assert sink.drops == []
    assert looks(folder, 2) is True


def test_files_go_oldest_first(folder, drop, sink):
    for number, name in enumerate(["c.jpg", "a.jpg", "b.jpg"]):
        drop(name, picture(number), at=TAKEN_AT.replace(second=number))
    looks(folder, 2)
    assert [taken.name for taken in sink.drops] == ["c.jpg", "a.jpg", "b.jpg"]


# --- after it was taken ---


def test_taken_files_are_deleted_on_request(path, sink, said, drop):
    folder = watched(path, sink, said, delete=True)
    drop("a.jpg")
    looks(folder, 2)
    assert names(path) == [] and not (path / "done").exists()


def test_a_name_that_comes_twice_overwrites_nothing(folder, drop, path):
    for number in range(3):
        drop("a.jpg", picture(number))
        looks(folder, 2)
    assert names(path / "done") == ["a (2).jpg", "a (3).jpg", "a.jpg"]
    assert (path / "done" / "a (2).jpg").read_bytes() == picture(1)


def test_the_key_is_the_same_for_the_same_file_and_differs_for_another(folder, drop, sink):
    for name, number, second in (("a", 1, 1), ("a", 1, 1), ("b", 1, 1), ("a", 2, 1), ("a", 1, 2)):
        drop(name, picture(number), at=TAKEN_AT.replace(second=second))
        looks(folder, 2)
    keys = [taken.idempotency_key for taken in sink.drops]
    assert keys[0] == keys[1] and len(set(keys)) == 4
    assert all(len(key) < 200 for key in keys)


def test_a_time_that_cannot_be_meant_is_left_out(folder, drop, sink):
    drop("old.jpg", at=datetime(1980, 1, 1, tzinfo=UTC))
    drop("future.jpg", at=datetime(2090, 1, 1, tzinfo=UTC))
    looks(folder, 2)
    assert [taken.taken_at for taken in sink.drops] == [None, None]


def test_a_name_that_is_no_text_is_still_taken(folder, path, sink):
    (path / os.fsdecode(b"teil-\xff.jpg")).write_bytes(picture())
    looks(folder, 2)
    sink.drops[0].name.encode()
    assert len(names(path / "done")) == 1


# --- what cannot be taken ---


def test_what_is_no_picture_goes_to_rejected_with_the_reason_beside_it(path, said, drop, monitor, session):
    folder = watched(path, VerbSink(monitor.slug), said)
    drop("notes.txt", b"no picture")
    drop("cut.jpg", picture()[:-20])
    drop("empty.jpg", b"")
    assert looks(folder, PATIENCE_LOOKS) is False  # a slow writer might still be at work
    assert looks(folder, 1) is True
    rejected = path / "rejected"
    assert names(rejected) == [
        name + ending for name in ("cut.jpg", "empty.jpg", "notes.txt") for ending in ("", ".reason.txt")
    ]
    assert "cut off" in (rejected / "cut.jpg.reason.txt").read_text()
    assert "empty" in (rejected / "empty.jpg.reason.txt").read_text()
    assert folder.rejected == 3
    assert any(line.startswith("rejected cut.jpg: ") for line in said)
    assert Image.objects.count() == 0


def test_a_slow_writer_that_pauses_is_not_rejected(path, said, drop, monitor, session):
    folder = watched(path, VerbSink(monitor.slug), said)
    drop("a.jpg", picture()[:300])
    assert looks(folder, PATIENCE_LOOKS) is False
    drop("a.jpg", picture())
    assert looks(folder, 2) is True
    assert names(path / "done") == ["a.jpg"]


def test_a_picture_over_the_cap_is_rejected_at_once(path, said, drop, monitor, session, settings):
    settings.MAX_IMAGE_BYTES = 100
    folder = watched(path, VerbSink(monitor.slug), said)
    drop("large.jpg")
    assert looks(folder, 2) is True
    assert "100 bytes" in (path / "rejected" / "large.jpg.reason.txt").read_text()


def test_a_rejected_name_that_comes_twice_overwrites_nothing(folder, drop, sink, path):
    for _ in range(2):
        sink.answers.append(Reject("no"))
        drop("a.jpg")
        looks(folder, 2)
    assert names(path / "rejected") == ["a (2).jpg", "a (2).jpg.reason.txt", "a.jpg", "a.jpg.reason.txt"]


# --- waiting ---


def test_while_nothing_runs_files_wait_and_it_is_said_once(path, said, drop, monitor):
    folder = watched(path, VerbSink(monitor.slug), said)
    drop("a.jpg")
    drop("b.jpg", picture(1))
    assert looks(folder, PATIENCE_LOOKS * 3) is False
    assert folder.is_waiting and names(path) == ["a.jpg", "b.jpg"]
    start_monitor(monitor, by="ann")
    assert folder.scan_once() is True
    assert not folder.is_waiting and names(path) == []
    assert said == ["watching", "waiting: nothing runs on the monitor", "watching"]
    assert Session.objects.get().total_counter == 2


def test_a_file_that_waits_does_not_hide_that_those_before_it_were_taken(folder, drop, sink, path):
    drop("a.jpg", at=TAKEN_AT.replace(second=1))
    drop("b.jpg", picture(1), at=TAKEN_AT.replace(second=2))
    folder.scan_once()
    real = sink.deliver

    def first_only(taken):
        if sink.drops:
            raise Wait("the disk is full")
        real(taken)

    sink.deliver = first_only
    assert folder.scan_once() is True
    assert names(path) == ["b.jpg"] and names(path / "done") == ["a.jpg"]


def test_an_archived_monitor_makes_files_wait(path, said, drop, monitor, session):
    folder = watched(path, VerbSink(monitor.slug), said)
    stop_monitor(monitor, by="ann")
    archive_monitor(monitor, by="ann")
    drop("a.jpg")
    looks(folder, 3)
    assert names(path) == ["a.jpg"] and said[-1] == "waiting: there is no monitor cam-1"


def test_a_folder_that_is_away_is_waited_for(folder, path, said, drop, sink):
    away = path.with_name("unmounted")
    path.rename(away)
    assert folder.scan_once() is False
    assert said == ["waiting: the folder cannot be read (No such file or directory)"]
    away.rename(path)
    drop("a.jpg")
    assert looks(folder, 2) is True and said[-1] == "watching"


def test_a_disk_that_refuses_the_move_counts_once_and_is_said(
    path, said, drop, monitor, session, monkeypatch
):
    folder = watched(path, VerbSink(monitor.slug), said)
    drop("a.jpg")
    folder.scan_once()

    def read_only(_source, _target):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr("monitoring.drop_folder.os.rename", read_only)
        folder._move = lambda name, target: read_only(name, target)
        assert looks(folder, 3) is False
    del folder._move
    assert said[-1] == "waiting: the disk refuses (Read-only file system)"
    assert folder.scan_once() is True
    assert Image.objects.count() == 1 and folder.taken == 1


# --- into this server ---


def test_a_picture_arrives_with_its_name_time_label_and_original_bytes(path, said, drop, monitor, session):
    folder = watched(path, VerbSink(monitor.slug, label="OK", dataset_key="parts"), said)
    drop("teil 7.png", picture(7, format="PNG"))
    looks(folder, 2)
    image = Image.objects.get()
    assert (image.name, image.label, image.format, image.taken_at) == ("teil 7.png", "OK", "PNG", TAKEN_AT)
    assert (image.session, image.dataset.key) == (session, "parts")
    assert media_file(image.file_path).read_bytes() == picture(7, format="PNG")


def test_a_restart_between_the_commit_and_the_move_counts_once(path, said, drop, monitor, session):
    first = watched(path, VerbSink(monitor.slug), said)
    drop("a.jpg")
    first.scan_once()
    first._leave = lambda look: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        first.scan_once()
    assert Image.objects.count() == 1 and names(path) == ["a.jpg"]
    second = watched(path, VerbSink(monitor.slug), said)
    assert looks(second, 2) is True
    session.refresh_from_db()
    assert Image.objects.count() == session.total_counter == 1
    assert names(path / "done") == ["a.jpg"]


# --- over HTTP ---


@pytest.fixture
def remote(path, said) -> Callable[..., tuple[DropFolder, list[httpx.Request]]]:
    """remote((status, body), ...) watches the folder for a server that answers so; the last is repeated."""

    def make(*answers):
        requests, left = [], list(answers)

        def answer(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            return httpx.Response(found[0], json=found[1], headers=dict(found[2:]))

        http = httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer))
        return watched(path, WireSink(Wire(http, "secret"), "cam-1", label="OK"), said), requests

    return make


ADDED = (200, {"data": {"error": False, "result": "Added image", "id": "im_1"}})
NOT_STARTED = (200, {"data": {"error": True, "result": "Error: not started"}})
DENIED = (401, {"data": {"error": True, "result": "Monitor not found or access denied"}})
NOT_FOUND = (400, {"data": {"error": True, "result": "Error: image not found"}})


def test_over_http_a_file_is_posted_with_a_key_that_a_repeat_would_have_too(remote, drop):
    folder, requests = remote(ADDED)
    drop("a.jpg")
    looks(folder, 2)
    [request] = requests
    body = json.loads(request.content)
    assert request.url.path == "/monitor/cam-1/image"
    assert request.headers["Idempotency-Key"].startswith("file-")
    assert body["image_data"]["date"] == int(TAKEN_AT.timestamp() * 1000)
    assert (body["image_data"]["name"], body["image_data"]["tag"]) == ("a.jpg", "OK")


def test_over_http_files_wait_while_nothing_runs_or_the_server_is_away(remote, drop, said, path):
    folder, requests = remote(NOT_STARTED, httpx.ConnectError("refused"), DENIED, ADDED)
    drop("a.jpg")
    assert looks(folder, 4) is False and names(path) == ["a.jpg"]
    assert folder.scan_once() is True
    assert [line.split(" (")[0] for line in said] == [
        "watching", "waiting: nothing runs on the monitor", "waiting: the server is away",
        "waiting: the server refuses: Monitor not found or access denied", "watching",
    ]  # fmt: skip
    assert len({request.headers["Idempotency-Key"] for request in requests}) == 1


def test_over_http_what_is_no_picture_is_rejected_here_with_its_reason(remote, drop, path):
    folder, requests = remote(ADDED)
    drop("cut.jpg", picture()[:-20])
    assert looks(folder, PATIENCE_LOOKS + 1) is True
    assert requests == []
    assert "cut off" in (path / "rejected" / "cut.jpg.reason.txt").read_text()


def test_over_http_what_the_server_refuses_is_rejected_with_its_words(remote, drop, path):
    folder, _ = remote(NOT_FOUND, (*NOT_FOUND, ("X-Error-Detail", "over 10 pixels")))
    drop("a.jpg")
    drop("b.jpg", picture(1))
    assert looks(folder, 2) is True
    assert "Error: image not found" in (path / "rejected" / "a.jpg.reason.txt").read_text()
    assert "over 10 pixels" in (path / "rejected" / "b.jpg.reason.txt").read_text()


# --- the command ---


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"monitor": "cam-9"}, "no monitor cam-9"),
        ({"monitor": "cam-1", "label": "x" * 101}, "--label"),
        ({"monitor": "cam-1", "url": "nowhere", "token": "x"}, "--url"),
        ({"monitor": "cam-1", "url": "http://server"}, "token"),
    ],
)
def test_the_command_says_what_is_wrong_with_its_options(path, monkeypatch, monitor, options, text):
    monkeypatch.delenv("SESSIONSITE_TOKEN", raising=False)
    with pytest.raises(CommandError, match=text):
        call_command("watch_folder", str(path), **options, stdout=io.StringIO())


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(CommandError, match="no folder"):
        call_command("watch_folder", str(tmp_path / "nothing"), monitor="cam-1")


@pytest.mark.alone
@pytest.mark.server
def test_a_killed_and_restarted_command_takes_every_file_once(tmp_path, path):
    data_dir = tmp_path / "data"
    words = ["watch_folder", str(path), "--monitor", "cam-1", "--interval", "0.1"]
    with running(Server, data_dir=data_dir) as server:
        token = server.token()
        http, headers = server.http, {"Authorization": f"Bearer {token}"}
        assert http.post("/api/v1/monitors/", json={"slug": "cam-1"}, headers=headers).status_code == 201
        for number in range(30):
            (path / f"{number:02d}.jpg").write_bytes(picture(number))
        (path / "bad.jpg").write_bytes(b"no picture")
        with running(Process, *words, data_dir=data_dir) as command:
            command.wait_for_line("waiting: nothing runs")
            assert http.post("/api/v1/monitors/cam-1/start/", headers=headers).status_code == 201
            wait_until(lambda: names(path / "done"), 20, "a first file is taken")
            command.child.kill()  # in the middle of the thirty
        with running(Process, *words, data_dir=data_dir) as command:
            command.wait_for_line("rejected bad.jpg: ")
            code, _ = command.stop()
            assert code == 0 and "1 rejected" in command.output
        over_http = [*words, "--url", server.url]
        with running(Process, *over_http, data_dir=data_dir, SESSIONSITE_TOKEN=token) as command:
            (path / "late.jpg").write_bytes(picture(99))
            wait_until((path / "done" / "late.jpg").exists, 20, "the file goes through the server")
            code, took_s = command.stop()
            assert code == 0 and took_s < 3
        state = http.get("/api/v1/monitors/cam-1/state/", headers=headers).json()
        assert state["total_counter"] == 31
    assert len(names(path / "done")) == 31
