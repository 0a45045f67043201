"""Clients of one watched session: event streams, sockets, Linnet streams, microphones."""

from __future__ import annotations

import array
import asyncio
import json
import math
import re
import time

from websockets.asyncio.client import connect

from benchmarks.lib.processes import ask
from benchmarks.lib.servers import Ours

CHUNK_S = 0.1
RATE = 16_000
READ_BYTES = 2**22  # a stream's client keeps that much before it stops reading
ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


def start(server: Ours, ttl_s: int | None = None) -> str:
    status, made = ask(server, "POST", "/api/v1/sessions/", {"kind": "annotation", "idle_ttl_s": ttl_s})
    assert status == 201, made
    return made["key"]


def state(server: Ours, key: str) -> dict:
    return ask(server, "GET", f"/api/v1/sessions/{key}/")[1]


def say_frames(server: Ours, key: str, count: int) -> int:
    """`count` frames, a hundred at once; returns the seq of the last."""
    told = {}
    for begin in range(0, count, 100):
        numbers = range(begin, min(begin + 100, count))
        frames = [{"label": f"l{number}", "confidence": 0.9} for number in numbers]
        status, told = ask(server, "POST", f"/api/v1/sessions/{key}/frames/", {"frames": frames})
        assert status == 201, told
    return told["last_seq"]


def counts(server: Ours, more: str = "") -> dict:
    """What the server's process holds; see lib/ours/counted.py."""
    return ask(server, "GET", f"/bench/counts{more}")[1]


async def wait_for(read, is_so, within_s: float = 60.0) -> dict:
    """What `read()` found once it is so. Raises AssertionError."""
    end = time.monotonic() + within_s
    while not is_so(found := await asyncio.to_thread(read)):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)
    return found


class Stream:
    """A reader of /stream/session:<key>."""

    address = "/stream/session:{key}"
    greeting = b'"type":"snapshot"'
    writer: asyncio.StreamWriter | None = None

    async def open(self, server: Ours, key: str, token: str, after: int | None = None) -> Stream:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port, limit=READ_BYTES)
        resume = "" if after is None else f"\r\nLast-Event-ID: {after}"
        self.writer.write(
            f"GET {self.address.format(key=key)} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {token}{resume}\r\n\r\n".encode()
        )
        await self.reader.readuntil(self.greeting)
        return self

    async def seqs_until(self, last: int) -> list[int]:
        """The seqs of the events that come, up to `last`."""
        body = await self.reader.readuntil(b"id: %d\n" % last)
        return [int(found) for found in ID.findall(body)]

    def drop(self) -> None:
        if self.writer is not None:
            self.writer.transport.abort()


class LinnetStream(Stream):
    """A reader of /session/<key>/stream."""

    address = "/session/{key}/stream"
    greeting = b": heartbeat"


class Socket:
    """A reader of /ws/live/. is_silent: it asks for acknowledged delivery and acknowledges nothing."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self.is_silent = is_silent

    async def open(self, server: Ours, key: str, token: str, after: int | None = None) -> Socket:
        more = "ack=1" if self.is_silent else ""
        query = f"topic=session:{key}&{more}" if after is None else more
        self.socket = await connect(
            f"ws://127.0.0.1:{server.port}/ws/live/?{query}", compression=None, proxy=None,
            open_timeout=60, additional_headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        if after is not None:
            message = {"type": "subscribe", "topic": f"session:{key}", "after": after}
            await self.socket.send(json.dumps(message))
        await self.socket.recv()
        return self

    async def seqs_until(self, last: int) -> list[int]:
        found: list[int] = []
        while not found or found[-1] < last:
            frame = json.loads(await self.socket.recv())
            assert frame["type"] in ("event", "state", "heartbeat"), frame
            if frame["type"] == "event":
                found.append(frame["seq"])
        return found

    def drop(self) -> None:
        self.socket.transport.abort()


async def gather(server: Ours, key: str, count: int, *, silent: int = 0) -> list[Stream | Socket]:
    """`count` streams and `count` sockets, each kind with a token of its own; some sockets silent."""
    streams = [(Stream(), server.tokens[0]) for _ in range(count)]
    sockets = [(Socket(is_silent=number < silent), server.tokens[1]) for number in range(count)]
    everybody = streams + sockets
    for begin in range(0, len(everybody), 50):
        some = everybody[begin : begin + 50]
        await asyncio.gather(*(reader.open(server, key, token) for reader, token in some))
    return [reader for reader, _ in everybody]


def speech(hz: float, level: float) -> bytes:
    """100 ms like a voiced sound: five harmonics."""
    top = level * 32767 / 2
    sound = (
        sum(math.sin(2 * math.pi * hz * part * sample / RATE) / part for part in range(1, 6))
        for sample in range(round(RATE * CHUNK_S))
    )
    return array.array("h", (int(max(-1.0, min(1.0, each)) * top) for each in sound)).tobytes()


async def microphone(server: Ours, key: str, seconds: float) -> list[float]:
    """How late each acknowledgement came, in seconds after its chunk was due."""
    address = f"ws://127.0.0.1:{server.port}/session/{key}/audio"
    headers = {"Authorization": f"Bearer {server.token}"}
    voices = [speech(120, 0.1), speech(160, 0.4)]  # calm, then urgent, three seconds each
    late = []
    async with connect(address, compression=None, proxy=None, additional_headers=headers) as socket:
        began = time.monotonic()

        async def speak() -> None:
            for number in range(round(seconds / CHUNK_S)):
                await asyncio.sleep(max(0.0, began + number * CHUNK_S - time.monotonic()))
                await socket.send(voices[number // 30 % 2])

        speaking = asyncio.ensure_future(speak())
        try:
            for number in range(round(seconds / CHUNK_S)):
                answer = json.loads(await socket.recv())
                assert answer == {"ok": True, "bytes": len(voices[0])}, answer
                late.append(time.monotonic() - began - number * CHUNK_S)
        finally:
            speaking.cancel()
    return late
