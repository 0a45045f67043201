"""daphne on the loop's own transports: requests whole and in order, ends told, nothing kept that is over."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from sessionsite.daphne_server import Connections
from sessionsite.daphne_transport import Connection
from tests.site.daphne_here import daphne_here
from tests.waiting import PATIENCE_S, until

LARGE = b"x" * 16_000_000  # more than the kernel takes for a client that does not read


class Site:
    """Answers with what it was sent; `/fails` raises, `/waits` never answers; ends and writes are noted."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.connection: Connection | None = None  # of the last request

    async def __call__(self, scope, receive, send) -> None:
        self.connection = send.args[0].channel.transport
        message = await receive()
        self.messages.append(message["type"])
        if scope["path"] == "/fails":
            raise RuntimeError("the application failed")
        if scope["path"] == "/waits":
            self.messages.append((await receive())["type"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            return
        body = LARGE if scope["path"] == "/large" else message.get("body", b"")
        headers = [(b"content-length", b"%d" % len(body)), (b"x-client", scope["client"][0].encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def served(site) -> AsyncIterator:
    async with daphne_here(site) as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer, server
        writer.close()


def request(path: str = "/", body: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answer(reader) -> tuple[bytes, bytes]:
    async with asyncio.timeout(PATIENCE_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return head, await reader.readexactly(length)


async def test_a_body_that_comes_in_pieces_arrives_whole(served):
    reader, writer, _ = served
    whole = request(body=bytes(range(256)) * 1000)
    for start in range(0, len(whole), 50_000):
        writer.write(whole[start : start + 50_000])
        await writer.drain()
        await asyncio.sleep(0)
    head, body = await answer(reader)
    assert body == bytes(range(256)) * 1000
    assert b"x-client: 127.0.0.1" in head.lower()


async def test_requests_sent_at_once_are_answered_in_order(served):
    reader, writer, _ = served
    bodies = [
        b"number %d" % number + bytes(50_000) for number in range(20)
    ]  # Twisted stops reading meanwhile
    writer.write(b"".join(request(body=body) for body in bodies))
    assert [(await answer(reader))[1] for _ in bodies] == bodies


async def test_a_large_answer_reaches_a_client_that_reads_late(served):
    reader, writer, server = served
    writer.write(request("/large"))
    await until(lambda: not server.connections)  # daphne has handed over all of it
    assert (await answer(reader))[1] == LARGE


async def test_a_request_that_was_answered_is_not_kept(served):
    reader, writer, server = served
    for _ in range(3):
        writer.write(request(body=b"a picture"))
        await answer(reader)
    await until(lambda: not server.connections)


async def test_a_request_that_failed_is_kept_until_daphne_has_answered_and_logged_it(served):
    reader, writer, server = served
    writer.write(request("/fails"))
    await until(lambda: any("application_instance" in each for each in server.connections.values()))
    [details] = server.connections.values()
    await until(details["application_instance"].done)
    await asyncio.sleep(0)
    assert list(server.connections.values()) == [details]
    server.application_checker()  # what Twisted's timer calls each second
    assert "Internal Server Error" in repr(await asyncio.wait_for(reader.read(1000), PATIENCE_S))


async def test_a_client_that_leaves_is_told_to_the_application_whose_answer_goes_nowhere(served, site):
    _, writer, server = served
    writer.write(request("/waits"))
    await until(lambda: site.messages == ["http.request"])
    writer.transport.abort()
    await until(lambda: site.messages == ["http.request", "http.disconnect"])
    await until(lambda: not server.connections)


async def test_who_waits_for_room_in_a_connection_is_released_by_its_end(served, site):
    reader, writer, server = served
    writer.write(request("/large"))
    await until(lambda: site.connection is not None and not server.connections)
    waiting = asyncio.create_task(site.connection.drained())
    await asyncio.sleep(0)
    assert not waiting.done() and site.connection.get_write_buffer_size() > 0
    writer.transport.abort()
    await asyncio.wait_for(waiting, PATIENCE_S)
    site.connection.write(b"what comes too late is no error")


async def test_who_waits_for_room_in_a_connection_is_told_when_there_is(served, site):
    reader, writer, server = served
    writer.write(request("/large"))
    await until(lambda: site.connection is not None and not server.connections)
    waiting = asyncio.create_task(site.connection.drained())
    await answer(reader)
    await asyncio.wait_for(waiting, PATIENCE_S)


class LeftAtOnce(asyncio.Transport):
    """A connection whose client had gone before anybody asked who it was."""

    def __init__(self) -> None:
        super().__init__({"socket": socket.socket(), "peername": None, "sockname": ("127.0.0.1", 1)})
        self.is_closed = False

    def write(self, data: bytes) -> None:
        raise AssertionError("nobody is there")

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def get_write_buffer_size(self) -> int:
        return 0


async def test_a_client_that_left_before_it_was_looked_at_is_no_error(site):
    async with daphne_here(site) as (_, server):
        connection, wire = Connection(Connections(server)), LeftAtOnce()
        connection.connection_made(wire)
        wire.close()
        connection.connection_lost(ConnectionResetError("gone"))
        assert not server.connections
    wire.get_extra_info("socket").close()
