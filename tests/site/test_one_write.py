"""An answer of a declared length leaves in one write; what is streamed leaves piece by piece, at once."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from sessionsite.common.hub.frames import Frame
from sessionsite.common.hub.wires import UvicornStream, wire_of
from sessionsite.one_write import JOINED_BYTES_MAX, OneWriteProtocol

STATE = Frame({"type": "state"})
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


class Wire(asyncio.Transport):
    """A connection that keeps what was written to it, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    resume_reading = abort = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0

    @property
    def bodies(self) -> list[bytes]:
        """What each write brought behind a head, if it brought one."""
        return [
            data.partition(b"\r\n\r\n")[2] if data.startswith(b"HTTP/1.1 2") else data for data in self.writes
        ]


class Answering:
    """An application that sends these pieces, `length` declared before; others run between two of them."""

    def __init__(self, *pieces: bytes, length: int | None = None, breaks_off: bool = False) -> None:
        self.pieces, self.length, self.breaks_off = pieces, length, breaks_off

    async def __call__(self, scope, receive, send) -> None:
        headers = [] if self.length is None else [(b"content-length", b"%d" % self.length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self.breaks_off:
            raise RuntimeError("broken off")
        for number, piece in enumerate(self.pieces, start=1):
            await asyncio.sleep(0)
            is_last = number == len(self.pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": not is_last})


async def answered(application, *requests: bytes) -> Wire:
    config = uvicorn.Config(application, http=OneWriteProtocol, lifespan="off", log_config=None)
    config.load()
    state, wire = ServerState(), Wire()
    protocol = OneWriteProtocol(
        config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop()
    )
    protocol.connection_made(wire)
    for request in requests:
        protocol.data_received(request)
    async with asyncio.timeout(10):
        while state.tasks:
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire


@pytest.mark.parametrize("count", [1, 3])
async def test_a_head_and_its_body_leave_together_request_after_request(count):
    wire = Wire()
    for _ in range(count):
        wire.writes += (await answered(Answering(b"hello", length=5), GET)).writes
    assert wire.bodies == [b"hello"] * count


async def test_later_pieces_leave_as_they_come_whatever_they_look_like():
    pieces = (b"first", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 last")
    wire = await answered(Answering(*pieces, length=sum(map(len, pieces))), GET)
    assert wire.writes[0].endswith(b"\r\n\r\nfirst")
    assert wire.writes[1:] == list(pieces[1:])


async def test_a_stream_begins_with_its_head_at_once():
    wire = await answered(Answering(b"one", b"two"), GET)
    assert wire.writes[0].endswith(b"transfer-encoding: chunked\r\n\r\n")
    assert wire.writes[1] == b"3\r\none\r\n"


async def test_a_stream_keeps_the_short_way_of_the_hub():
    found = []

    async def streaming(scope, receive, send) -> None:
        found.append(wire_of(send))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        found.append(wire_of(send))
        assert found[-1].write(STATE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    wire = await answered(streaming, GET)
    assert all(isinstance(way, UvicornStream) for way in found)
    assert wire.writes[1:] == [STATE.http_chunk, b"0\r\n\r\n"]


async def test_an_answer_without_a_body_does_not_wait_for_one():
    for application in (Answering(b"", length=0), Answering(b"", length=5)):
        request = GET if application.length == 0 else GET.replace(b"GET", b"HEAD")
        assert (await answered(application, request)).bodies[0] == b""


async def test_a_large_piece_is_not_copied():
    body = b"x" * (JOINED_BYTES_MAX + 1)
    assert (await answered(Answering(body, length=len(body)), GET)).bodies == [b"", body]


async def test_pipelined_requests_are_answered_whole_and_in_order():
    class Counting:
        asked = 0

        async def __call__(self, scope, receive, send) -> None:
            self.asked += 1
            await Answering(b"%05d" % self.asked, length=5)(scope, receive, send)

    wire = await answered(Counting(), GET * 3)
    whole = b"".join(wire.writes)
    assert [part.partition(b"\r\n\r\n")[2][:5] for part in whole.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"00001", b"00002", b"00003",
    ]  # fmt: skip


async def test_a_head_whose_application_breaks_off_is_sent_and_the_connection_closed():
    wire = await answered(Answering(length=5, breaks_off=True), GET)
    assert b"content-length: 5" in b"".join(wire.writes)
    assert wire.is_closed
