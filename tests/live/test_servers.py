"""The same sockets on real servers, each a process: uvicorn with Redis where there is one, and daphne."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_socket

from sessionsite.common.hub import HEARTBEAT_S
from tests.pictures import picture
from tests.services import REDIS_URL, has_redis, need_redis
from tests.site.processes import Server, manage, running
from tests.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.server, pytest.mark.once]
IDLE_S = 12.0  # over the 5 s after which a wrong Redis client cuts idle sockets
FAST_S = 0.150


class Socket:
    """A client of a running server."""

    def __init__(self, site: Site, query: str = "", *, token: str | None = None) -> None:
        token = site.token if token is None else token
        self._opening = connect_socket(
            f"ws://127.0.0.1:{site.server.port}/ws/live/{query}",
            additional_headers={"Authorization": f"Bearer {token}"},
            proxy=None,
            max_size=2**22,
        )

    def __enter__(self) -> Socket:
        self.wire: ClientConnection = self._opening.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._opening.__exit__(*exc)

    def next(self, kind: str = "", within_s: float = PATIENCE_S) -> dict:
        end = time.monotonic() + within_s
        while True:
            frame = orjson.loads(self.wire.recv(timeout=max(0.0, end - time.monotonic())))
            if kind in ("", frame["type"]):
                return frame

    def close_code(self) -> int:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                self.wire.recv(timeout=PATIENCE_S)
        return closed.value.rcvd.code


class Lines(threading.Thread):
    """The lines of an event stream, until the server ends it."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(daemon=True)
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self.lines: list[str] = []

    def run(self) -> None:
        with httpx.stream("GET", self._url, headers=self._headers, timeout=60, trust_env=False) as answer:
            for line in answer.iter_lines():
                self.lines.append(line)


@dataclass
class Site:
    """A running server with one monitor, and a socket that has been idle since its start."""

    server: Server
    token: str
    http: httpx.Client
    more: dict[str, str]
    idle: Socket | None = None
    idle_since: float = 0.0
    idle_stream: Lines | None = None


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def site(request, tmp_path_factory) -> Iterator[Site]:
    more = {"DURABILITY": "process", "HANDLER_THREADS": "4"}
    more |= {"MAX_IMAGE_BYTES": "100000", "MAX_BODY_BYTES": "300000"}
    if request.param == "uvicorn" and has_redis():
        more |= {"REDIS_URL": REDIS_URL, "CHANNEL_PREFIX": f"test-{os.getpid()}"}
    folder = tmp_path_factory.mktemp(request.param) / "data"
    with running(Server, "--server", request.param, data_dir=folder, **more) as server:
        token = manage("create_token", "test", "--role", "admin", data_dir=folder, **more).strip()
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False) as http:
            made = http.post("/api/v1/monitors/", json={"slug": "cam-1", "name": "Camera 1"})
            assert made.status_code == 201, made.text
            site = Site(server, token, http, more)
            site.idle_stream = Lines(f"{server.url}/stream/fleet:default", token)
            site.idle_stream.start()
            with Socket(site) as site.idle:
                site.idle_since = time.monotonic()
                yield site
        assert server.stop()[0] == 0, server.output
        assert "Traceback" not in server.output, server.output


def test_a_shift_is_seen_as_it_happens(site):
    with Socket(site, "?topic=monitor:cam-1") as socket:
        assert socket.next()["data"]["running"] is False
        session = site.http.post("/api/v1/monitors/cam-1/start/").json()
        assert socket.next("state")["data"]["session"]["key"] == session["key"]
        socket.wire.send(orjson.dumps({"type": "subscribe", "topic": f"session:{session['key']}"}).decode())
        assert socket.next("snapshot")["seq"] == 1
        posted = site.http.post(
            "/api/v1/monitors/cam-1/images/", content=picture(), headers={"Content-Type": "image/jpeg"}
        )
        assert posted.status_code == 201, posted.text
        assert socket.next("event")["event"]["kind"] == "images_added"
        site.http.post("/api/v1/monitors/cam-1/stop/")
        while socket.next("state")["data"].get("running", True):
            continue


@pytest.mark.alone
def test_a_change_of_state_is_on_the_socket_in_under_150_ms(site, record_property, capsys):
    """From the request of the change to its frame, p95 of 50; the best of a few rounds on a busy machine."""
    rounds = []
    with Socket(site, "?topic=monitor:cam-1") as socket:
        socket.next("snapshot")
        for _ in range(8):
            rounds.append(p95_ms(site, socket, changes=50))
            if rounds[-1] < FAST_S * 1000:
                break
    with capsys.disabled():
        print(f" p95 {min(rounds):.0f} ms", end="")  # noqa: T201 - the figure is the point
    record_property("p95_ms", min(rounds))
    assert min(rounds) < FAST_S * 1000


@pytest.mark.alone
def test_an_edit_of_a_box_is_on_every_socket_in_under_150_ms(site, record_property, capsys):
    """From the request of the edit to the frame with its author and version, p95 of 40; the best of a few."""
    site.http.post("/api/v1/monitors/cam-1/start/")
    posted = site.http.post(
        "/api/v1/monitors/cam-1/images/", content=picture(), headers={"Content-Type": "image/jpeg"}
    ).json()
    url, rounds = f"/api/v1/images/{posted['key']}/tags/", []
    with (
        Socket(site, f"?topic=image:{posted['key']}") as one,
        Socket(site, f"?topic=monitor:cam-1&topic=session:{posted['session']}") as other,
    ):
        for socket in (one, other, other):  # a box that a snapshot has already comes in no state
            socket.next("snapshot")
        for _ in range(8):
            rounds.append(max(edit_p95_ms(site, url, one, other)))
            if rounds[-1] < FAST_S * 1000:
                break
    site.http.post("/api/v1/monitors/cam-1/stop/")
    with capsys.disabled():
        print(f" p95 {min(rounds):.0f} ms", end="")  # noqa: T201 - the figure is the point
    record_property("p95_ms", min(rounds))
    assert min(rounds) < FAST_S * 1000


def edit_p95_ms(site: Site, url: str, picture_page: Socket, monitor_page: Socket) -> list[float]:
    """For the page of the picture, and for that of the monitor, which follows the session's journal."""
    waits: tuple[list[float], list[float]] = ([], [])
    for number in range(40):
        box = {"label": f"b{number}", "x": 0.1, "y": 0.1, "w": 0.1, "h": 0.1}
        begun = time.monotonic()
        tag = site.http.post(url, json=box).json()
        while tag not in picture_page.next("state")["data"]["tags"]:
            continue
        waits[0].append((time.monotonic() - begun) * 1000)
        while (event := monitor_page.next("event")["event"])["kind"] != "device_tags_changed":
            continue
        assert event["detail"]["changes"][0]["after"] == tag
        waits[1].append((time.monotonic() - begun) * 1000)
        site.http.delete(f"/api/v1/tags/{tag['key']}/", headers={"If-Match": "*"})
        monitor_page.next("event")
    return [statistics.quantiles(each, n=20)[-1] for each in waits]


def p95_ms(site: Site, socket: Socket, changes: int) -> float:
    waits = []
    for number in range(changes):
        verb = "stop" if number % 2 else "start"
        begun = time.monotonic()
        assert site.http.post(f"/api/v1/monitors/cam-1/{verb}/").status_code in (200, 201)
        while socket.next("state")["data"]["running"] is (verb == "stop"):
            continue
        waits.append((time.monotonic() - begun) * 1000)
    return statistics.quantiles(waits, n=20)[-1]


def test_a_management_command_is_seen_within_about_a_second(site):
    with Socket(site, "?topic=monitor:cam-1") as socket:
        revision = socket.next("snapshot")["revision"]
        rename = (
            "from monitoring.models import Monitor; from monitoring.services import change_monitor; "
            "change_monitor(Monitor.objects.get(), by='shell', name='Renamed'); "
            "import time; print(time.time())"
        )
        changed_at = float(
            manage("shell", "-c", rename, data_dir=site.server.data_dir, **site.more).splitlines()[-1]
        )
        state = socket.next("state")
        assert state["data"]["name"] == "Renamed" and state["revision"] > revision
        assert time.time() - changed_at < 4.0  # the command's own end included


def test_close_codes_reach_the_client(site):
    with Socket(site, token="wrong") as socket:
        assert socket.close_code() == 4401
    with Socket(site, "?topic=monitor:none") as socket:
        assert socket.next()["code"] == "unknown_topic"
        assert socket.close_code() == 4404
    with Socket(site) as socket:
        for _ in range(10):
            socket.wire.send("junk")
        assert socket.close_code() == 4400


def test_junk_does_not_harm_the_server(site):
    with Socket(site, "?topic=monitor:cam-1") as socket:
        socket.next("snapshot")
        for junk in (
            b"\x00\xff",
            b"",
            "",
            "[" * 5000,
            "x" * 70_000,
            '{"type":"subscribe","topic":"\\u0000"}',
        ):
            socket.wire.send(junk)
            assert socket.next()["type"] == "error"
        socket.wire.send('{"type":"subscribe","topic":"fleet:default"}')
        assert socket.next()["type"] == "snapshot"
    with Socket(site) as socket:
        try:
            socket.wire.send("x" * 3_000_000)
            socket.next(within_s=5)
        except (ConnectionClosed, TimeoutError):
            pass  # the server may cut who sends megabytes
    assert site.http.get("/healthz").status_code == 200


def test_a_revoked_token_is_cut_within_five_seconds(site):
    made = site.http.post("/api/v1/tokens/", json={"name": "short", "role": "viewer"}).json()
    with Socket(site, "?topic=monitor:cam-1", token=made["secret"]) as socket:
        socket.next("snapshot")
        begun = time.monotonic()
        assert site.http.post(f"/api/v1/tokens/{made['key']}/revoke/").is_success
        assert socket.close_code() == 4401
        assert time.monotonic() - begun < 5


def test_an_event_stream_is_resumed_and_ends_alike_on_every_server(site):
    site.http.post("/api/v1/monitors/cam-1/stop/")
    session = site.http.post("/api/v1/monitors/cam-1/start/").json()["key"]
    address = f"/stream/session:{session}"
    with site.http.stream("GET", address) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["content-encoding"] == "identity"
        assert answer.headers["x-accel-buffering"] == "no"
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        while not next(lines).startswith('data: {"type":"snapshot"'):
            continue
        site.http.post("/api/v1/monitors/cam-1/stop/")
        ids = ids_in(lines)  # the stream ends by itself
    assert ids == [2]
    with site.http.stream("GET", address, headers={"Last-Event-ID": "0"}) as answer:
        assert ids_in(answer.iter_lines()) == [1, 2]
    with site.http.stream("GET", f"{address}?after=0", headers={"Last-Event-ID": "1"}) as answer:
        assert ids_in(answer.iter_lines()) == [2]
    finished = site.http.get(address, headers={"Last-Event-ID": "2"})
    assert (finished.status_code, finished.content) == (204, b"")


def ids_in(lines) -> list[int]:
    return [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]


def test_a_body_over_the_cap_is_answered_not_cut(site):
    large = b"\xff" * 400_000
    refused = site.http.post(
        "/api/v1/monitors/cam-1/images/", content=large, headers={"Content-Type": "image/jpeg"}
    )
    assert refused.status_code == 413
    assert refused.json().keys() == {"error", "code", "details"}
    page = site.http.post("/login/", content=large)
    assert page.status_code == 413
    assert site.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=b"])
def test_a_broken_form_is_answered_in_our_words_not_the_servers(site, kind):
    refused = site.http.post(
        "/api/v1/monitors/cam-1/images/", content=b"--b\r\nno form", headers={"Content-Type": kind}
    )
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/json"), refused.text
    assert refused.json().keys() == {"error", "code", "details"}


def test_head_has_the_headers_and_no_body(site):
    with httpx.Client(base_url=site.server.url, trust_env=False) as http:
        shown, told = http.get("/login/"), http.head("/login/")
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["content-type"] == shown.headers["content-type"]


@pytest.mark.alone
@pytest.mark.redis
@pytest.mark.parametrize("site", ["uvicorn"], indirect=True)
def test_two_processes_tell_each_other_at_once_through_redis(site):
    need_redis()
    with running(Server, data_dir=site.server.data_dir, **site.more) as second:
        other = Site(second, site.token, site.http, site.more)
        with Socket(other, "?topic=monitor:cam-1") as socket:
            socket.next("snapshot")
            waits = []
            for number in range(10):
                verb = "stop" if number % 2 else "start"
                begun = time.monotonic()
                assert site.http.post(f"/api/v1/monitors/cam-1/{verb}/").is_success
                while socket.next("state")["data"]["running"] is (verb == "stop"):
                    continue
                waits.append(time.monotonic() - begun)
        assert statistics.median(waits) < 0.4, waits  # the check of each second would need about 0.5 s
        assert second.stop()[0] == 0


def test_a_socket_that_was_idle_for_twelve_seconds_is_open(site):
    while (remaining_s := site.idle_since + IDLE_S - time.monotonic()) > 0:
        with contextlib.suppress(TimeoutError):
            site.idle.wire.recv(timeout=remaining_s)  # a heartbeat at most
    site.idle.wire.send('{"type":"subscribe","topic":"monitor:cam-1"}')
    assert site.idle.next("snapshot")["topic"] == "monitor:cam-1"


def test_a_stream_without_news_gets_a_heartbeat_as_data(site):
    left_s = site.idle_since + HEARTBEAT_S + PATIENCE_S - time.monotonic()
    told = '"type":"heartbeat"'
    beat = wait_until(lambda: [line for line in site.idle_stream.lines if told in line], left_s)[0]
    assert (
        beat.startswith("data: ") and "fleet:default" in orjson.loads(beat.removeprefix("data: "))["topics"]
    )
