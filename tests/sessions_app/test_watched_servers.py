"""Watched sessions on real servers: what was missed, who came and went, and when the reaper comes."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks import watched
from tests.services import need_numpy
from tests.site.processes import Server, running

DATABASE_URL = os.environ.get("DATABASE_URL", "")
pytestmark = [pytest.mark.server, pytest.mark.slow]
TTL_S, BUSY_S = watched.TTL_S, 10.0  # seconds that a busy machine may add
LIMIT_S = TTL_S + watched.INTERVAL_S + BUSY_S


class Site:
    """A running server, its REST interface and one annotation session."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {server.token()}"}
        self.http = httpx.Client(base_url=server.url, headers=self.headers, timeout=20, trust_env=False)
        self.key, self.quiet = (self._start() for _ in range(2))

    def _start(self) -> str:
        return self.call("POST", "sessions/", {"kind": "annotation", "idle_ttl_s": None})["key"]

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        answer = self.http.request(method, f"/api/v1/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def say(self, count: int) -> int:
        """`count` frames more; returns the newest seq."""
        told = {}
        for begin in range(0, count, 100):
            frames = [{"label": "calm", "confidence": 0.9}] * min(100, count - begin)
            told = self.call("POST", f"sessions/{self.key}/frames/", {"frames": frames})
        return told["last_seq"]

    def frames_of_stream(self, path: str, after: int, last: int) -> list[dict]:
        headers = {**self.headers, "Last-Event-ID": str(after)}
        found: list[dict] = []
        with self.http.stream("GET", path, headers=headers) as answer:
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    found.append({"seq": int(value)})
                elif name == "data" and found and "data" not in found[-1]:
                    found[-1]["data"] = json.loads(value)
                elif name == "data":
                    found.append({"seq": None, "data": json.loads(value)})
                if found and found[-1]["seq"] == last and "data" in found[-1]:
                    return found
        raise AssertionError(f"the stream ended after {found[-1:]}")

    def listen(self) -> None:
        """The moments of the first two comments on the stream of the quiet session, in `comments`."""
        self.comments: list[float] = []
        self.listening_since = time.monotonic()
        self.listening = threading.Thread(target=self._listen, daemon=True)
        self.listening.start()

    def _listen(self) -> None:
        address = f"{self.server.url}/session/{self.quiet}/stream"
        with httpx.stream("GET", address, headers=self.headers, timeout=30, trust_env=False) as answer:
            for line in answer.iter_lines():
                if line == ": heartbeat":
                    self.comments.append(time.monotonic())
                if len(self.comments) == 2:
                    return

    def frames_of_socket(self, after: int, last: int) -> list[dict]:
        address = f"ws://127.0.0.1:{self.server.port}/ws/live/"
        found: list[dict] = []
        with connect(address, additional_headers=self.headers, proxy=None) as socket:
            socket.send(json.dumps({"type": "subscribe", "topic": f"session:{self.key}", "after": after}))
            while not found or found[-1].get("seq") != last or found[-1]["type"] != "event":
                found.append(json.loads(socket.recv(timeout=20)))
        return found


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "data"
    with running(Server, "--server", request.param, data_dir=folder, DURABILITY="process") as server:
        site = Site(server)
        site.listen()
        site.say(1000)
        yield site
        site.http.close()
        assert server.stop()[0] == 0
        assert "Traceback" not in server.output, server.output


def test_a_thousand_missed_events_come_in_order_and_none_twice_on_every_wire(site):
    missed = list(range(2, 1002))
    assert [f["seq"] for f in site.frames_of_socket(1, 1001) if f["type"] == "event"] == missed
    for path in (f"/stream/session:{site.key}", f"/session/{site.key}/stream"):
        assert [f["seq"] for f in site.frames_of_stream(path, 1, 1001) if f["seq"]] == missed


def test_beyond_the_window_a_gap_says_where_the_rest_is(site):
    last = site.say(150)
    socket = site.frames_of_socket(0, last)
    stream = site.frames_of_stream(f"/stream/session:{site.key}", 0, last)
    gaps = [frame for frame in socket if frame["type"] == "gap"]
    assert gaps == [frame["data"] for frame in stream if frame["data"]["type"] == "gap"]
    [gap] = gaps
    assert (gap["after"], gap["upto"], gap["missed"]) == (0, last - 1000, last - 1000)
    assert [frame["seq"] for frame in socket if frame["type"] == "event"] == list(
        range(gap["upto"] + 1, last + 1)
    )
    answer = site.http.get(gap["events"], params={"limit": 200})
    assert answer.status_code == 200, "the address of a gap is an address"
    missed = [event["seq"] for event in answer.json()["results"] if event["seq"] <= gap["upto"]]
    assert missed == list(range(1, gap["upto"] + 1))
    outside = site.frames_of_stream(f"/session/{site.key}/stream", 0, last)
    assert outside[0]["data"] == {
        "session_id": site.key, "missed": gap["missed"], "history": f"/session/{site.key}/history",
    }  # fmt: skip


@contextmanager
def microphone(site):
    address = f"ws://127.0.0.1:{site.server.port}/session/{site.key}/audio"
    with connect(address, additional_headers=site.headers, proxy=None) as socket:
        yield socket


def test_a_chunk_that_cannot_be_taken_is_answered_with_its_reason(site):
    need_numpy()
    with microphone(site) as socket:
        for chunk, ok, code in [(b"1" * 100, False, "wrong_size"), (bytes(3200), True, None)]:
            socket.send(chunk)
            answer = json.loads(socket.recv(timeout=20))
            assert (answer["ok"], answer.get("code")) == (ok, code)
        site.call("POST", f"sessions/{site.key}/end/", {})
        answer = json.loads(socket.recv(timeout=20))
        assert (answer["ok"], answer["code"]) == (False, "session_over")
        assert closing_code(socket) == 4004
    with microphone(site) as socket:
        answer = json.loads(socket.recv(timeout=20))
        assert (answer["ok"], answer["error"]) == (False, f"Session {site.key} not found")
        assert closing_code(socket) == 4004


def closing_code(socket) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=20)
    return closed.value.rcvd.code


def test_silence_is_a_comment_every_fifteen_seconds(site):
    """On a stream that was opened before the other tests."""
    site.listening.join(30)
    first, second = site.comments[:2]
    assert first - site.listening_since < BUSY_S
    assert 14.5 <= second - first <= 16.5 + BUSY_S


def reaped(tmp_path, part: str, *options: str) -> dict:
    folders = ["--results", str(tmp_path), "--dir", str(tmp_path)]
    assert watched.main(["--tiny", "--parts", part, *folders, *options]) == 0
    return json.loads((tmp_path / "watched-reaper-tiny.json").read_text())["raw"]


def test_one_process_reaps_after_the_last_of_several_readers_and_never_before(tmp_path):
    """Streams and sockets; the check that nothing is reaped while one remains is in the program itself."""
    [took_s] = reaped(tmp_path, "reap")["reap one process on SQLite"]["s"]
    assert TTL_S <= took_s <= LIMIT_S


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.skipif(not DATABASE_URL, reason="DATABASE_URL is not set")
@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_two_processes_reap_after_the_last_reader_anywhere_and_after_a_kill(tmp_path):
    server = urlunsplit(urlsplit(DATABASE_URL)._replace(path="/postgres"))
    found = reaped(tmp_path, "reap-two", "--database", server)
    [took_s] = found["reap two processes on PostgreSQL"]["s"]
    assert TTL_S <= took_s <= LIMIT_S
    assert TTL_S <= found["kill"]["s"] <= watched.LEASE_S + watched.INTERVAL_S + BUSY_S
