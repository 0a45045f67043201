"""Watched sessions under load: many readers, resuming, sound in real time, and how soon the reaper comes.

    python -m benchmarks.watched [--quick] [--parts readers,leaks,resume,audio,reap,reap-two]

Parts: `readers` (event streams and sockets on one session, dropped together), `leaks` (tasks, open files and
readers of the server after each of many rounds), `resume` (1,000 missed events over each wire, on both
servers and databases), `audio` (microphones at real time), `reap` (one process on SQLite), `reap-two` (two
web processes on PostgreSQL and Redis; then the one with the only reader is killed).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from benchmarks.lib.databases import OWN, database, has_postgresql
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.readers import allow_many_files
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, ours, redis
from benchmarks.lib.stats import median, percentile
from benchmarks.lib.watchers import (
    LinnetStream,
    Socket,
    Stream,
    counts,
    gather,
    microphone,
    say_frames,
    start,
    state,
    wait_for,
)

PARTS = ("readers", "leaks", "audio", "reap", "resume", "reap-two")
ONE_SERVER = PARTS[:4]
REAPER = ("reap", "reap-two")  # minutes of waiting: a run of its own
MISSED_EVENTS = 1000
TRIES = 7
SILENT = 10  # one socket in so many acknowledges nothing, so that frames wait for it
ROUND, DOORS = 50, 5  # readers of each kind in a round of `leaks`; streams dropped before they are answered
TTL_S, LEASE_S = 3, 30
INTERVAL_S = max(1.0, TTL_S / 2)
WIRES = {"stream": Stream, "socket": Socket, "linnet": LinnetStream}


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    allow_many_files()
    with work_folder(options) as folder:
        name, title = ("watched", "Watched sessions")
        if set(options.parts) <= set(REAPER):
            name, title = "watched-reaper", "Watched sessions: the reaper"
        results = Results(name, title, options, folder)
        with contextlib.ExitStack() as stack:
            if parts := [part for part in ONE_SERVER if part in options.parts]:
                server = stack.enter_context(ours(folder, application="counted").prepare([]))
                for part in parts:
                    say(f"  {part}")
                    asyncio.run(RUNS[part](server, options, results))
        if "resume" in options.parts:
            resume(folder, options, results)
        if "reap-two" in options.parts:
            reap_two(folder, options, results)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--parts", type=lambda text: text.split(","), help=f"some of {','.join(PARTS)}")
    made.add_argument("--readers", type=int, help="of each kind")
    made.add_argument("--microphones", type=int)
    made.add_argument("--reaped", type=int, help="how many sessions are left to the reaper")
    made.add_argument("--database", help=f"of `resume` and `reap-two`: {OWN}, or the URL of a server")
    brief = ["readers", "leaks", "audio", "resume"]
    return defaults(
        made.parse_args(arguments), seconds=(20.0, 5.0, 0.5), rounds=(50, 10, 2), readers=(500, 100, 10),
        microphones=(20, 20, 2), parts=(brief, brief, brief), database=(OWN, "sqlite", "sqlite"),
        reaped=(5, 2, 1),
    )  # fmt: skip


# --- one server ---------------------------------------------------------------------------------------------


async def readers(server: Ours, options, results: Results) -> None:
    key = start(server)
    everybody = await gather(server, key, options.readers, silent=options.readers // SILENT)
    await wait_for(partial(state, server, key), lambda now: now["subscriber_count"] == len(everybody))
    began = time.monotonic()
    loud = [reader for reader in everybody if not getattr(reader, "is_silent", False)]
    last = 1 + 100  # the entry of the start, then the frames
    waiting = [asyncio.ensure_future(reader.seqs_until(last)) for reader in loud]
    await asyncio.to_thread(say_frames, server, key, 100)
    assert all(found == list(range(2, last + 1)) for found in await asyncio.gather(*waiting))
    delivered_s = time.monotonic() - began
    before = counts(server)
    assert before["readers"] == before["leases"] == len(everybody) and before["waiting_bytes"] > 0, before
    began = time.monotonic()
    for reader in everybody:
        reader.drop()
    await wait_for(
        partial(counts, server),
        lambda now: not now["readers"] and not now["waiting_bytes"] and not now["leases"],
    )
    found = await wait_for(partial(state, server, key), lambda now: now["subscriber_count"] == 0)
    gone_s = time.monotonic() - began
    assert found["last_subscriber_left_at"] and found["state"] == "active", found
    results.raw["readers"] = {
        "count": len(everybody), "delivered_s": delivered_s, "gone_s": gone_s, "before": before,
    }  # fmt: skip
    results.target(
        f"{len(everybody)} readers dropped together: no lease, reader or outbox after", "<=", 2.0, gone_s, "s"
    )


async def leaks(server: Ours, options, results: Results) -> None:
    """Rounds of readers that are dropped at once: some at the door, some in the middle of a replay."""
    key, seen = start(server), []
    last = await asyncio.to_thread(say_frames, server, key, 300)
    each = min(ROUND, options.readers)
    for _ in range(options.rounds + 2):
        some = await gather(server, key, each, silent=each // SILENT)
        late = [await WIRES[wire]().open(server, key, server.tokens[2], after=1) for wire in WIRES]
        assert await late[0].seqs_until(last) == list(range(2, last + 1))
        speaking = asyncio.ensure_future(microphone(server, key, 60.0))
        doors = [Stream() for _ in range(DOORS)]
        coming = [asyncio.ensure_future(door.open(server, key, server.tokens[3])) for door in doors]
        await asyncio.sleep(0.05)
        for waiting in (speaking, *coming):
            waiting.cancel()
        await asyncio.gather(speaking, *coming, return_exceptions=True)
        for reader in [*some, *late, *doors]:
            reader.drop()
        await wait_for(partial(state, server, key), lambda now: now["subscriber_count"] == 0)
        seen.append(await settled(server))
    first, last_round = seen[1], seen[-1]  # the first rounds open what stays: threads, connections
    results.raw["leaks"] = {"rounds": seen}
    what = f"after {options.rounds} rounds of {2 * each + DOORS + 4} connections"
    for name in ("task_count", "open_files", "threads", "readers", "feeds", "waiting_bytes"):
        grown = last_round[name] - first[name]
        results.target(f"{name.replace('_', ' ')} {what}, more than after the second", "<=", 0, grown, "")


async def settled(server: Ours) -> dict:
    """What the server holds when nobody is connected but who asks."""
    idle = await wait_for(partial(counts, server), lambda now: not now["readers"] and not now["feeds"])
    for _ in range(100):  # connections are closed by the loop's next turns
        await asyncio.sleep(0.05)
        again = await asyncio.to_thread(counts, server)
        if again == idle:
            break
        idle = again
    return idle


async def audio(server: Ours, options, results: Results) -> None:
    keys = [start(server) for _ in range(options.microphones)]
    speaking = asyncio.gather(*(microphone(server, key, options.seconds) for key in keys))
    most_waiting = 0
    while not speaking.done():
        most_waiting = max(
            most_waiting, (await asyncio.to_thread(counts, server, "/audio"))["waiting_chunks"]
        )
        await asyncio.sleep(0.25)
    found = await speaking
    late_ms = sorted(1000 * each for late in found for each in late)
    last_ms = max(1000 * late[-1] for late in found)
    results.raw["audio"] = {
        "chunks": len(late_ms),
        "p50_ms": percentile(late_ms, 50),
        "p99_ms": percentile(late_ms, 99),
        "most_waiting_chunks": most_waiting,
        "frames": [state(server, key)["total_counter"] for key in keys],
    }
    what = f"{options.microphones} microphones, {options.seconds:g} s"
    results.target(f"{what}: p99 of the acknowledgements", "<=", 100, percentile(late_ms, 99), "ms")
    results.target(f"{what}: last chunk acknowledged after", "<=", 500, last_ms, "ms")
    results.target(f"{what}: chunks that ever waited for the classifier", "<=", 10, most_waiting, "")


# --- the reaper ---------------------------------------------------------------------------------------------


async def reap(server: Ours, options, results: Results) -> None:
    took = [await leave_one_by_one(server, server) for _ in range(options.reaped)]
    tell_reaped(results, "one process on SQLite", took)


async def leave_one_by_one(one: Ours, two: Ours) -> float:
    """Four readers at two servers leave, the last one late; seconds from its leaving to the end."""
    key = start(one, TTL_S)
    some = [await kind().open(at, key, at.tokens[0]) for kind in (Stream, Socket) for at in (one, two)]
    for reader in some[:-1]:
        reader.drop()
    await asyncio.sleep(TTL_S + 2 * INTERVAL_S)
    assert state(one, key)["state"] == "active", "reaped while somebody looked"
    left_at = time.time()
    some[-1].drop()
    found = await wait_for(partial(state, one, key), lambda now: now["state"] == "expired")
    assert seconds_of(found["stopped_at"]) - seconds_of(found["last_subscriber_left_at"]) >= TTL_S
    return seconds_of(found["stopped_at"]) - left_at


def seconds_of(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def tell_reaped(results: Results, where: str, took: list[float]) -> None:
    results.raw[f"reap {where}"] = {"s": took}
    what = f"reaped after the last of four left, ttl {TTL_S} s, {where}"
    results.target(f"{what}: earliest", ">=", TTL_S, min(took), "s")
    results.target(f"{what}: latest", "<=", TTL_S + INTERVAL_S, max(took), "s")


def reap_two(folder: Path, options, results: Results) -> None:
    say("  reap-two")
    if options.database == "sqlite" or (options.database == OWN and not has_postgresql()):
        results.note("reap-two is left out: it needs PostgreSQL")
        return
    with contextlib.ExitStack() as stack:
        env = {"DATABASE_URL": stack.enter_context(database(options.database, folder))}
        if (layer := redis(folder)) is None:
            results.note("reap-two without Redis: it is not installed")
        else:
            stack.enter_context(layer)
            env["REDIS_URL"] = f"redis://127.0.0.1:{layer.port}/0"
        one = stack.enter_context(ours(folder, name="one", **env).prepare([]))
        two = ours(folder, name="two", **env)
        two.token, two.tokens = one.token, one.tokens
        stack.enter_context(two)
        asyncio.run(measure_two(one, two, options, results))


async def measure_two(one: Ours, two: Ours, options, results: Results) -> None:
    tell_reaped(
        results,
        "two processes on PostgreSQL",
        [await leave_one_by_one(one, two) for _ in range(options.reaped)],
    )
    key = start(two, TTL_S)
    reader = await Stream().open(one, key, one.tokens[0])
    await asyncio.sleep(TTL_S + 2 * INTERVAL_S)
    assert state(two, key)["state"] == "active", "reaped while somebody looked at another process"
    killed_at = time.time()
    one.kill()
    reader.drop()
    found = await wait_for(partial(state, two, key), lambda now: now["state"] == "expired", 90)
    took_s = seconds_of(found["stopped_at"]) - killed_at
    results.raw["kill"] = {"s": took_s}
    limit_s = max(TTL_S, LEASE_S) + INTERVAL_S
    results.target(
        f"reaped after a kill -9 of the only reader's process, ttl {TTL_S} s", "<=", limit_s, took_s, "s"
    )


# --- resuming -----------------------------------------------------------------------------------------------


def resume(folder: Path, options, results: Results) -> None:
    table = results.table(
        f"{MISSED_EVENTS} missed events, ms", "wire", "server", "database", "median", "worst"
    )
    for where, url in databases(folder, options, results):
        for name in ("uvicorn", "daphne"):
            env = {"DATABASE_URL": url} if url else {}
            with ours(folder, name=f"{name}-{where}", server=name, **env).prepare([]) as server:
                say(f"  resume: {name}, {where}")
                asyncio.run(resume_on(server, name, where, results, table))


def databases(folder: Path, options, results: Results) -> Iterator[tuple[str, str]]:
    yield "SQLite", ""
    if options.database == "sqlite":
        return
    if options.database == OWN and not has_postgresql():
        results.note("resume on SQLite only: PostgreSQL is not installed")
        return
    with database(options.database, folder) as url:
        yield "PostgreSQL", url


async def resume_on(server: Ours, name: str, where: str, results: Results, table) -> None:
    key = start(server)
    last = say_frames(server, key, MISSED_EVENTS)
    for wire, kind in WIRES.items():
        times = [await resumed_ms(server, kind, key, last) for _ in range(TRIES)]
        results.raw[f"resume {wire} {name} {where}"] = {"ms": times}
        table.rows.append((wire, name, where, median(times), max(times)))
        results.target(
            f"{MISSED_EVENTS} missed events, {wire}, {name}, {where}: worst of {TRIES}",
            "<=",
            300,
            max(times),
            "ms",
        )


async def resumed_ms(server: Ours, kind, key: str, last: int) -> float:
    """From the connecting of a client that has the first entry to the last one that it missed."""
    began = time.monotonic()
    async with asyncio.timeout(20):
        reader = await kind().open(server, key, server.tokens[0], after=1)
        seqs = await reader.seqs_until(last)
    took_ms = (time.monotonic() - began) * 1000
    reader.drop()
    assert seqs == list(range(2, last + 1)), "missing, twice or out of order"
    return took_ms


RUNS = {"readers": readers, "leaks": leaks, "audio": audio, "reap": reap}

if __name__ == "__main__":
    sys.exit(main())
