"""Watched sessions under load: many readers, resuming, sound in real time, and how soon the reaper comes.

    python -m benchmarks.watched [--quick] [--parts readers,leaks,resume,audio,reap,reap-two]

Parts: `readers` (readers of both kinds on one session, dropped together), `leaks` (open files over many
rounds), `resume` (1,000 missed events), `audio` (microphones at real time), `reap` (one process on SQLite),
`reap-two` (two web processes on PostgreSQL and Redis, the one with the only reader is killed).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path

from websockets.asyncio.client import connect

from benchmarks.lib.databases import OWN, database, has_postgresql
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.processes import ask
from benchmarks.lib.readers import allow_many_files
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, ours, redis
from benchmarks.lib.stats import percentile

PARTS = ("readers", "leaks", "resume", "audio", "reap", "reap-two")
MISSED_EVENTS = 1000
CHUNK = bytes(3200)
CHUNK_S = 0.1
TTL_S, LEASE_S = 3, 30
INTERVAL_S = max(1.0, TTL_S / 2)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    allow_many_files()
    with work_folder(options) as folder:
        results = Results("watched", "Watched sessions", options, folder)
        with contextlib.ExitStack() as stack:
            if set(options.parts) - {"reap-two"}:
                server = ours(folder).prepare([])
                stack.enter_context(server)
                for part in [part for part in PARTS[:-1] if part in options.parts]:
                    say(f"  {part}")
                    asyncio.run(RUNS[part](server, options, results))
            if "reap-two" in options.parts:
                reap_two(folder, results, stack)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--parts", type=lambda text: text.split(","), help=f"some of {','.join(PARTS)}")
    made.add_argument("--readers", type=int, help="of each kind")
    made.add_argument("--microphones", type=int)
    return defaults(
        made.parse_args(arguments), seconds=(20.0, 5.0, 0.5), rounds=(50, 10, 2), readers=(500, 100, 5),
        microphones=(20, 20, 2), parts=(list(PARTS), list(PARTS[:4]), list(PARTS[:4])),
    )  # fmt: skip


# --- a session and its readers ------------------------------------------------------------------------------


def start(server: Ours, ttl_s: int | None = None) -> str:
    status, made = ask(server, "POST", "/api/v1/sessions/", {"kind": "annotation", "idle_ttl_s": ttl_s})
    assert status == 201, made
    return made["key"]


def state(server: Ours, key: str) -> dict:
    return ask(server, "GET", f"/api/v1/sessions/{key}/")[1]


def say_frames(server: Ours, key: str, count: int) -> None:
    frames = [{"label": f"l{number}", "confidence": 0.9} for number in range(count)]
    status, told = ask(server, "POST", f"/api/v1/sessions/{key}/frames/", {"frames": frames})
    assert status == 201, told


class Stream:
    """A reader of /stream/session:<key>."""

    async def open(self, server: Ours, key: str, token: str, after: int | None = None) -> Stream:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**22)
        query = "" if after is None else f"?after={after}"
        head = (
            f"GET /stream/session:{key}{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}"
        )
        self.writer.write(f"{head}\r\n\r\n".encode())
        await self.reader.readuntil(b'"type":"snapshot"')
        return self

    async def until(self, words: bytes) -> bytes:
        return await self.reader.readuntil(words)

    def drop(self) -> None:
        self.writer.transport.abort()


class Socket:
    """A reader of /ws/live/."""

    async def open(self, server: Ours, key: str, token: str) -> Socket:
        self.socket = await connect(
            f"ws://127.0.0.1:{server.port}/ws/live/?topic=session:{key}", compression=None, proxy=None,
            open_timeout=60, additional_headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        await self.socket.recv()
        return self

    async def until(self, words: bytes) -> None:
        while words.decode() not in await self.socket.recv():
            continue

    def drop(self) -> None:
        self.socket.transport.abort()


async def gather_readers(server: Ours, key: str, count: int) -> list[Stream | Socket]:
    """`count` of each kind, each kind with a token of its own."""
    found: list[Stream | Socket] = []
    for kind, token in ((Stream, server.tokens[0]), (Socket, server.tokens[1])):
        for begin in range(0, count, 50):
            some = [kind().open(server, key, token) for _ in range(min(50, count - begin))]
            found += await asyncio.gather(*some)
    return found


async def wait_for(server: Ours, key: str, is_so, within_s: float = 60.0) -> dict:
    end = time.monotonic() + within_s
    while not is_so(found := await asyncio.to_thread(state, server, key)):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)
    return found


# --- parts --------------------------------------------------------------------------------------------------


async def readers(server: Ours, options, results: Results) -> None:
    key = start(server)
    everybody = await gather_readers(server, key, options.readers)
    await wait_for(server, key, lambda found: found["subscriber_count"] == len(everybody))
    began = time.monotonic()
    waiting = [asyncio.ensure_future(reader.until(b'"label":"l0"')) for reader in everybody]
    await asyncio.to_thread(say_frames, server, key, 1)
    await asyncio.gather(*waiting)
    delivered_s = time.monotonic() - began
    began = time.monotonic()
    for reader in everybody:
        reader.drop()
    await wait_for(server, key, lambda found: found["subscriber_count"] == 0)
    gone_s = time.monotonic() - began
    results.raw["readers"] = {"count": len(everybody), "delivered_s": delivered_s, "gone_s": gone_s}
    results.target(f"{len(everybody)} readers dropped together leave no lease", "<=", 2.0, gone_s, "s")


def open_files(server: Ours) -> int:
    return len(os.listdir(f"/proc/{server.pid}/fd"))


async def leaks(server: Ours, options, results: Results) -> None:
    key, counts = start(server), []
    for _ in range(options.rounds + 2):
        some = await gather_readers(server, key, 10)
        for reader in some:
            reader.drop()
        await wait_for(server, key, lambda found: found["subscriber_count"] == 0)
        counts.append(open_files(server))
    grown = counts[-1] - counts[1]  # the first rounds open what stays: threads, connections of the database
    results.raw["leaks"] = {"open_files": counts}
    results.target(f"open files more after {options.rounds} rounds of 20 readers", "<=", 0, grown, "files")


async def resume(server: Ours, options, results: Results) -> None:
    key = start(server)
    for _ in range(MISSED_EVENTS // 100):
        say_frames(server, key, 100)
    times = []
    for _ in range(5):
        began = time.monotonic()
        stream = await Stream().open(server, key, server.tokens[0], after=1)
        async with asyncio.timeout(20):
            body = await stream.until(b"id: %d\n" % (MISSED_EVENTS + 1))
        times.append((time.monotonic() - began) * 1000)
        stream.drop()
        seqs = [int(line[4:]) for line in body.split(b"\n") if line.startswith(b"id: ")]
        assert seqs == list(range(2, MISSED_EVENTS + 2)), "missing, twice or out of order"
    results.raw["resume"] = {"ms": times}
    results.target(f"{MISSED_EVENTS} missed events replayed, median", "<=", 300, sorted(times)[2], "ms")


async def microphone(server: Ours, key: str, seconds: float) -> list[float]:
    """How late each acknowledgement came, in seconds after its chunk was due."""
    address = f"ws://127.0.0.1:{server.port}/session/{key}/audio"
    headers = {"Authorization": f"Bearer {server.token}"}
    late = []
    async with connect(address, compression=None, proxy=None, additional_headers=headers) as socket:
        began = time.monotonic()

        async def speak() -> None:
            for number in range(round(seconds / CHUNK_S)):
                await asyncio.sleep(max(0.0, began + number * CHUNK_S - time.monotonic()))
                await socket.send(CHUNK)

        speaking = asyncio.ensure_future(speak())
        for number in range(round(seconds / CHUNK_S)):
            answer = json.loads(await socket.recv())
            assert answer == {"ok": True, "bytes": len(CHUNK)}, answer
            late.append(time.monotonic() - began - number * CHUNK_S)
        await speaking
    return late


async def audio(server: Ours, options, results: Results) -> None:
    keys = [start(server) for _ in range(options.microphones)]
    found = await asyncio.gather(*(microphone(server, key, options.seconds) for key in keys))
    late_ms = sorted(1000 * each for late in found for each in late)
    last_ms = max(1000 * late[-1] for late in found)
    results.raw["audio"] = {
        "chunks": len(late_ms),
        "p50_ms": percentile(late_ms, 50),
        "p99_ms": percentile(late_ms, 99),
    }
    results.target(
        f"{options.microphones} microphones: last chunk acknowledged after", "<=", 500, last_ms, "ms"
    )


async def reap(server: Ours, options, results: Results) -> None:
    took = []
    for _ in range(5):
        key = start(server, TTL_S)
        some = await gather_readers(server, key, 2)
        for reader in some[:-1]:
            reader.drop()
        await asyncio.sleep(TTL_S + 2 * INTERVAL_S)
        assert state(server, key)["state"] == "active", "reaped while somebody looked"
        some[-1].drop()
        await wait_for(server, key, lambda found: found["subscriber_count"] == 0)
        began = time.monotonic()
        await wait_for(server, key, lambda found: found["state"] == "expired")
        took.append(time.monotonic() - began)
    results.raw["reap"] = {"s": took}
    results.target(
        f"reaped after the last of four left, ttl {TTL_S} s, earliest", ">=", TTL_S - 0.1, min(took), "s"
    )
    results.target("the same, latest", "<=", TTL_S + INTERVAL_S, max(took), "s")


def reap_two(folder: Path, results: Results, stack: contextlib.ExitStack) -> None:
    if not has_postgresql():
        results.note("skipped: PostgreSQL is not installed")
        return
    url = stack.enter_context(database(OWN, folder))
    env = {"DATABASE_URL": url}
    if (layer := redis(folder)) is None:
        results.note("without Redis: it is not installed")
    else:
        stack.enter_context(layer)
        env["REDIS_URL"] = f"redis://127.0.0.1:{layer.port}/0"
    one = ours(folder, name="one", **env).prepare([])
    stack.enter_context(one)  # before the other one looks for a free port
    two = ours(folder, name="two", **env)
    two.token, two.tokens = one.token, one.tokens
    stack.enter_context(two)

    async def measure() -> float:
        key = start(two, TTL_S)
        reader = await Stream().open(one, key, one.tokens[0])  # kept: it closes when nobody holds it
        await asyncio.sleep(TTL_S + 2 * INTERVAL_S)
        assert state(two, key)["state"] == "active", "reaped while somebody looked at another process"
        one.kill()
        reader.drop()
        began = time.monotonic()
        await wait_for(two, key, lambda found: found["state"] == "expired", within_s=90)
        return time.monotonic() - began

    took_s = asyncio.run(measure())
    results.raw["reap-two"] = {"s": took_s}
    results.target(f"reaped after a kill, ttl {TTL_S} s", "<=", max(TTL_S, LEASE_S) + INTERVAL_S, took_s, "s")


RUNS = {"readers": readers, "leaks": leaks, "resume": resume, "audio": audio, "reap": reap}

if __name__ == "__main__":
    sys.exit(main())
