"""Frames written straight to a server's connections: whole, in order; a stalled reader holds up nobody."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import socket
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest
import uvicorn
from websockets.asyncio.client import connect

from sessionsite.common import live
from sessionsite.common.consumers import Identify, live_consumer
from sessionsite.common.hub import get_hub, shutdown
from sessionsite.common.hub.wires import (
    DaphneSocket,
    DaphneStream,
    UvicornSocket,
    UvicornStream,
    wire_of,
)
from sessionsite.common.sse import event_stream
from sessionsite.one_write import OneWriteProtocol
from tests.common.test_outbox import told_seqs
from tests.common.things import ANN, Card
from tests.site.daphne_here import daphne_here
from tests.waiting import PATIENCE_S, until

WAYS = {"uvicorn": (UvicornSocket, UvicornStream), "daphne": (DaphneSocket, DaphneStream)}


class Anybody(Identify):
    async def by_scope(self, scope, *, any_origin=False):
        return ANN, Card()


@asynccontextmanager
async def uvicorn_here(application) -> AsyncIterator[int]:
    config = uvicorn.Config(
        application,
        port=0,
        lifespan="off",
        log_config=None,
        http=OneWriteProtocol,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await asyncio.wait_for(serving, 10)


@asynccontextmanager
async def port_of_daphne(application) -> AsyncIterator[int]:
    async with daphne_here(application) as (port, _server):
        yield port


@pytest.fixture(params=WAYS)
def server(request) -> str:
    return request.param


@pytest.fixture
async def port(server, things) -> AsyncIterator[int]:
    """The port of this server in this event loop, set as `serve` sets it; it has sockets and streams."""
    sockets, streams = live_consumer(Anybody()), event_stream(Anybody())

    async def application(scope, receive, send) -> None:
        await (sockets if scope["type"] == "websocket" else streams)(scope, receive, send)

    async with {"uvicorn": uvicorn_here, "daphne": port_of_daphne}[server](application) as port:
        yield port
        await shutdown()


def wires() -> list[object]:
    return [reader._wire for reader in get_hub().readers]


async def test_sockets_and_streams_take_the_short_way(server, port, things):
    socket_way, stream_way = WAYS[server]
    async with connect(f"ws://127.0.0.1:{port}/ws/live/?topic=thing:a", proxy=None) as client:
        await client.recv()
        assert [type(wire) for wire in wires()] == [socket_way]
        async with (
            httpx.AsyncClient(trust_env=False) as http,
            http.stream("GET", f"http://127.0.0.1:{port}/stream/thing:a") as answer,
        ):
            assert answer.status_code == 200
            await until(lambda: len(wires()) == 2)
            assert {type(wire) for wire in wires()} == {socket_way, stream_way}


@pytest.mark.parametrize("size", [1, 50, 80, 125, 126, 127, 65_400, 65_536, 70_000, 300_000])
async def test_frames_of_every_length_arrive_intact(port, things, size):
    async with connect(f"ws://127.0.0.1:{port}/ws/live/?topic=thing:a", proxy=None, max_size=2**20) as client:
        await client.recv()
        for _ in range(3):
            things.things["a"].events.append({"padding": "ä" * (size // 2)})
            live._wake("thing:a", 0, len(things.things["a"].events), True)
            frame = orjson.loads(await asyncio.wait_for(client.recv(), PATIENCE_S))
            assert frame["event"] == {"padding": "ä" * (size // 2)}


async def test_a_stream_carries_the_same_frames_with_their_seq(port, things):
    things.make("a", events=3)
    lines: list[str] = []
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        http.stream("GET", f"http://127.0.0.1:{port}/stream/thing:a?after=1") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        reading = answer.aiter_lines()
        things.append("a")
        while "id: 4" not in lines:
            lines.append(await asyncio.wait_for(anext(reading), PATIENCE_S))
        lines.append(await asyncio.wait_for(anext(reading), PATIENCE_S))
    assert [line for line in lines if line.startswith("id:")] == ["id: 2", "id: 3", "id: 4"]
    frames = [orjson.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [frame["type"] for frame in frames] == ["snapshot", "event", "event", "event"]


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What is garbage now is gone; what becomes garbage in the test stays, if it refers to itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("server", ["uvicorn"], indirect=True)
async def test_a_socket_that_ends_leaves_nothing_to_the_garbage_collector(port, things, no_collection):
    async with connect(f"ws://127.0.0.1:{port}/ws/live/?topic=thing:a", proxy=None) as client:
        await client.recv()
        assert not [each for each in gc.get_objects() if type(each) is OneWriteProtocol]
        [reader] = get_hub().readers
        parts = [weakref.ref(reader), weakref.ref(reader._wire._protocol), weakref.ref(reader._wire)]
        del reader
    await until(lambda: not any(part() for part in parts))


class StalledClient:
    """Shakes hands as a WebSocket client, then reads nothing until told to."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            (
                "GET /ws/live/?topic=thing:a HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )

    def read_frames(self, last_seq: int) -> list[dict]:
        """Every frame up to the one that tells of `last_seq`."""
        self.socket.settimeout(10)
        stream = self.socket.makefile("rb")
        while stream.readline() != b"\r\n":
            continue
        frames: list[dict] = []
        while not frames or last_seq not in (frames[-1].get("seq"), frames[-1].get("upto")):
            head = stream.read(2)
            size = head[1]
            if size >= 126:
                size = int.from_bytes(stream.read(2 if size == 126 else 8))
            content = stream.read(size)
            if head[0] & 15 == 1:
                frames.append(orjson.loads(content))
        return frames


def ready_readers() -> int:
    """How many have their snapshot and get what comes."""
    feeds = get_hub().feeds.values()
    return sum(subscription.is_ready for feed in feeds for subscription in feed.subscriptions.values())


@pytest.mark.timeout(60)
async def test_a_stalled_reader_is_told_its_gap_and_holds_up_nobody(port, things):
    stalled = StalledClient(port)
    quick_seqs: list[int] = []
    count, padding = 1500, "x" * 6000
    async with connect(f"ws://127.0.0.1:{port}/ws/live/?topic=thing:a", proxy=None) as quick:

        async def read_all() -> None:
            while not quick_seqs or quick_seqs[-1] < count:
                frame = orjson.loads(await quick.recv())
                if frame["type"] == "event":
                    quick_seqs.append(frame["seq"])

        await until(lambda: ready_readers() == 2)
        reading = asyncio.create_task(read_all())
        for number in range(count):
            things.things["a"].events.append({"padding": padding})
            if number % 10 == 9:
                live._wake("thing:a", 0, number + 1, True)
                await asyncio.sleep(0.001)
        await asyncio.wait_for(reading, 20)
    assert quick_seqs == list(range(1, count + 1))
    [slow] = get_hub().readers
    assert slow.outbox.size_bytes <= slow.outbox.limit_bytes + 10_000
    frames = await asyncio.to_thread(stalled.read_frames, count)
    assert told_seqs(frames) == list(range(1, count + 1))
    assert [frame["type"] for frame in frames].count("gap") >= 1
    stalled.socket.close()
    await until(lambda: not get_hub().readers)


async def test_an_unknown_server_is_served_by_its_own_send():
    async def send(message) -> None:
        return

    assert wire_of(send) is None
