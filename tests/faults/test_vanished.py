"""A phone whose network is gone says nothing more; its session ends all the same, and no other one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sessionsite import network
from sessionsite.common.hub import HEARTBEAT_S
from tests.faults.networks import other_host
from tests.site.processes import Server, running
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]

TTL_S, INTERVAL_S = 3, 1.5
BUSY_S = 20.0  # seconds that a busy machine may add
NOTICED_WITHIN_S = HEARTBEAT_S + network.VANISHED_AFTER_MS / 1000 + BUSY_S
PHONE = Path(__file__).with_name("phone.py")


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request, tmp_path):
    with other_host() as host:
        options = ("--host", host.address, "--server", request.param)
        with running(Server, *options, data_dir=tmp_path / "data", DURABILITY="process") as server:
            server.other_host = host
            server.http.headers["Authorization"] = f"Bearer {server.token()}"
            yield server
            assert server.stop()[0] == 0
            assert "Traceback" not in server.output, server.output


def new_session(server: Server) -> str:
    made = server.http.post("/api/v1/sessions/", json={"kind": "annotation", "idle_ttl_s": TTL_S})
    assert made.status_code == 201, made.text
    return made.json()["key"]


def told_of(server: Server, key: str) -> dict:
    return server.http.get(f"/api/v1/sessions/{key}/").json()


@contextmanager
def phone(server: Server, urls: list[str]):
    """A process on the other host that reads all of `urls`."""
    token = server.http.headers["Authorization"].partition(" ")[2]
    command = server.other_host.command(sys.executable, str(PHONE), token, *urls)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        heard = {child.stdout.readline().strip() for _ in urls}
        assert heard == {f"reading {url}" for url in urls}
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def stay(server: Server, key: str, frames: list[dict]) -> threading.Thread:
    """Reads the session from this machine until its stream ends."""

    def read() -> None:
        headers = dict(server.http.headers)
        address = f"{server.url}/stream/session:{key}"
        with httpx.stream("GET", address, headers=headers, timeout=60, trust_env=False) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    frames.append(json.loads(line[6:]))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    wait_until(lambda: frames, what="the reader who stays")
    return thread


@pytest.mark.timeout(180)
def test_a_phone_that_vanished_without_closing_is_noticed_by_its_missed_heartbeats(server):
    vanishing = {
        "stream": (key := new_session(server), f"{server.url}/stream/session:{key}"),
        "outside": (key := new_session(server), f"{server.url}/session/{key}/stream"),
        "socket": (
            key := new_session(server),
            f"ws://{server.host}:{server.port}/ws/live/?topic=session:{key}",
        ),
    }
    shared = new_session(server)
    seen: list[dict] = []
    stay(server, shared, seen)
    urls = [url for _, url in vanishing.values()] + [f"{server.url}/stream/session:{shared}"]
    with phone(server, urls):
        keys = [key for key, _ in vanishing.values()]
        for key in keys:
            wait_until(lambda key=key: told_of(server, key)["subscriber_count"] == 1, what=key)
        wait_until(lambda: told_of(server, shared)["subscriber_count"] == 2, what="two readers")
        server.other_host.pull_the_cable()
        gone_at = time.monotonic()
        assert {told_of(server, key)["state"] for key in keys} == {"active"}
        for wire, (key, _) in vanishing.items():
            left_s = gone_at + NOTICED_WITHIN_S - time.monotonic()
            wait_until(lambda key=key: told_of(server, key)["subscriber_count"] == 0, left_s, wire)
            within_s = TTL_S + INTERVAL_S + BUSY_S
            wait_until(lambda key=key: told_of(server, key)["state"] == "expired", within_s, wire)
        left_s = gone_at + NOTICED_WITHIN_S - time.monotonic()
        wait_until(lambda: told_of(server, shared)["subscriber_count"] == 1, left_s, "the one who stays")
    ended = told_of(server, keys[0])
    assert ended["end_reason"] == "idle" and ended["last_subscriber_left_at"]
    # Whoever still looks keeps the session alive.
    assert told_of(server, shared)["state"] == "active"
    assert all(frame["type"] != "end" for frame in seen)
