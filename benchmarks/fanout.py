"""One state to many readers: ours and three peers, WebSocket and event stream.

    python -m benchmarks.fanout [--quick] [--readers 100,500] [--only ours-uvicorn,nchan]

Parts: `paced` (20 states per second, every one counted, latency), `saturated` (as fast as each server takes
them), `redis` (published in one process of ours, read in another), `stalled` (none of the readers or a tenth
of them never reads; the server with the targets in every round, the others once), `memory` (of readers that
nothing is sent to). CPU is that of the server process alone.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.lib import machine
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.readers import Readers, allow_many_files
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import ours, redis
from benchmarks.lib.sides import SSE, WS, Publishing, Side, fresh, is_wanted, make_sides, our_side
from benchmarks.lib.stats import median, ratio

MINE = "ours-uvicorn"  # the targets are about this one
PARTS = ("paced", "saturated", "redis", "stalled", "memory")
RATE = 20.0
SIZE_BYTES = 600
STALLED_SIZE_BYTES = 16_000  # small states would fit into the kernel's buffers for minutes
ARRIVE_S = 3.0  # nothing new for so long after the last was published: it is over

Figures = dict[tuple, list[dict[str, Any]]]


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    allow_many_files()
    with work_folder(options) as folder:
        results = Results("fanout", f"Fan-out of one {SIZE_BYTES}-byte state", options, folder)
        found: Figures = defaultdict(list)
        with contextlib.ExitStack() as stack:
            sides = make_sides(options, folder, results, stack)
            for number in range(options.rounds):
                for kind in options.kinds:
                    run_round(options, folder, sides, kind, number, found, results)
            if "memory" in options.parts:
                for side in sides:
                    measure_memory(options, folder, side, found)
        if "redis" in options.parts:
            with_redis(options, folder, found, results)
        report(results, options, found)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--readers", type=numbers, help="numbers; the first is measured in every round")
    made.add_argument("--parts", type=words, help=f"some of {','.join(PARTS)}")
    made.add_argument("--kinds", type=words, default=[WS, SSE], help="ws,sse")
    made.add_argument("--only", type=words, help="names of servers")
    options = defaults(
        made.parse_args(arguments),
        readers=([500, 100, 1000, 2000], [500], [5]),
        seconds=(5.0, 1.0, 0.5),
        rounds=(3, 1, 1),
        parts=(PARTS, ["paced", "saturated"], PARTS),
        only=([], ["ours-uvicorn", "starlette", "websockets", "nchan"], []),
        idle=(1000, 300, 10),
        stalled_s=(15.0, 6.0, 0.5),
    )
    options.main = options.readers[0]
    return options


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def numbers(text: str) -> list[int]:
    return [int(word) for word in words(text)]


def paced(readers: Readers, side: Side, seconds: float, size: int = SIZE_BYTES) -> dict[str, Any]:
    """RATE states a second for `seconds`, counted until nothing more arrives."""
    publishing = Publishing(side, rate=RATE, seconds=seconds, size=size)
    readers.reset()
    publishing.start()
    published = publishing.wait()
    expected = published if published is not None else round(RATE * seconds)
    while True:
        window = readers.count()
        if window["fewest"] >= expected or window["quiet_s"] > ARRIVE_S:
            return {**window, "published": expected, "is_stuck": published is None}
        time.sleep(0.1)


def saturated(readers: Readers, side: Side, seconds: float) -> dict[str, Any]:
    """As many states as the server sends; the window lies inside the time of publishing."""
    edge_s = min(0.5, seconds / 4)
    publishing = Publishing(side, rate=0, seconds=seconds + 2 * edge_s, size=SIZE_BYTES)
    publishing.start()
    time.sleep(edge_s)
    readers.reset()
    time.sleep(seconds)
    window = readers.count()
    publishing.wait()
    return window


# --- rounds ---------------------------------------------------------------------------------------------


def run_round(
    options, folder, sides: list[Side], kind: str, number: int, found: Figures, results: Results
) -> None:
    for count in options.readers if number == 0 else [options.main]:
        for side in (side for side in sides if kind in side.paths):
            with side.readers(folder, kind, count, sample=1) as readers:
                if "paced" in options.parts:
                    note(
                        found,
                        ("paced", kind, count, side.name),
                        paced(readers, side, options.seconds),
                        number,
                    )
            if "saturated" in options.parts and count == options.main:
                with side.readers(folder, kind, count, sample=25) as readers:
                    window = saturated(readers, side, options.seconds)
                    note(found, ("saturated", kind, count, side.name), window, number)
    if "stalled" in options.parts:
        for side in (side for side in sides if kind in side.paths and (number == 0 or side.name == MINE)):
            measure_stalled(options, folder, side, kind, number, found)


def note(found: Figures, key: tuple, window: dict[str, Any], number: int) -> None:
    found[key].append(window)
    part, kind, count, name = key
    cpu = window["cpu_s_per_100k"]
    say(
        f"  round {number + 1}  {part:9} {kind:3} {count:5} {name:13} {window['delivered_per_s']:9.0f}/s"
        f"  {cpu if cpu is None else round(cpu, 2)} CPU s per 100k"
    )


def measure_stalled(options, folder: Path, side: Side, kind: str, number: int, found: Figures) -> None:
    """The same without and with a tenth of readers that never read, in a server that is of no further use.

    Every other round the two windows change places: the first one has a server that is still cold.
    """
    windows = [0, stalled_of(options)]
    with fresh(side, folder) as copy:
        for stalled in windows if number % 2 == 0 else reversed(windows):
            with copy.readers(folder, kind, options.main, stalled=stalled) as readers:
                before = machine.memory_bytes(copy.server.pid)
                window = paced(readers, copy, options.stalled_s, STALLED_SIZE_BYTES)
                window["grown_bytes"] = machine.memory_bytes(copy.server.pid) - before
            window["stalled"] = stalled
            window["others_percent"] = 100 * window["fewest"] / window["published"]
            note(found, ("stalled", kind, stalled, side.name), window, number)


def stalled_of(options) -> int:
    return max(1, options.main // 10)


def measure_memory(options, folder: Path, side: Side, found: Figures) -> None:
    """What one reader costs that is connected and gets nothing, in a server that had no others before."""
    for kind in (kind for kind in options.kinds if kind in side.paths):
        with fresh(side, folder) as copy:
            with copy.readers(folder, kind, max(options.idle // 10, 2)):
                time.sleep(0.5)  # imports and first allocations are no reader's cost
            time.sleep(0.5)
            before = machine.memory_bytes(copy.server.pid)
            with copy.readers(folder, kind, options.idle):
                time.sleep(min(2.0, options.seconds))
                each = (machine.memory_bytes(copy.server.pid) - before) / options.idle
        found["memory", kind, options.idle, side.name].append({"bytes_each": each})
        say(f"  memory {kind:3} {side.name:13} {each / 1000:.1f} kB per idle reader")


def with_redis(options, folder: Path, found: Figures, results: Results) -> None:
    """Two processes of ours on one database with a Redis between them."""
    layer = redis(folder)
    if layer is None:
        results.note("skipped: redis-server is not installed")
        return
    for server_name in ("uvicorn", "daphne"):
        if not is_wanted(options, f"ours-{server_name}"):
            continue
        with contextlib.ExitStack() as stack:
            if layer.process is None or layer.process.poll() is not None:
                layer.start()
            stack.callback(layer.stop)
            env = {"REDIS_URL": f"redis://127.0.0.1:{layer.port}/0"}
            data = folder / f"redis-{server_name}"
            name = f"ours-{server_name}-redis"
            reading = ours(folder, name=name, server=server_name, application="live", data_dir=data, **env)
            stack.enter_context(reading.prepare([]))
            writing = ours(folder, name=f"{name}-publisher", application="live", data_dir=data, **env)
            stack.enter_context(writing)
            side = our_side(reading, writing)
            for number in range(options.rounds):
                for kind in options.kinds:
                    count = options.main
                    with side.readers(folder, kind, count) as readers:
                        window = paced(readers, side, options.seconds)
                        note(found, ("paced", kind, count, name), window, number)


# --- report ---------------------------------------------------------------------------------------------


class Medians:
    """medians(part, kind, count, name, figure): over the rounds, None where it was not measured."""

    def __init__(self, found: Figures) -> None:
        self._found = found

    def __call__(self, part: str, kind: str, count: int, name: str, figure: str) -> float | None:
        values = [
            w[figure] for w in self._found.get((part, kind, count, name), []) if w.get(figure) is not None
        ]
        return median(values) if values else None


def report(results: Results, options, found: Figures) -> None:
    of = Medians(found)
    report_rates(results, found, of)
    report_stalled(results, found, of)
    memory = results.table("Memory of an idle reader", "wire", "server", "readers", "kB each")
    for part, kind, count, name in found:
        if part == "memory":
            each = of(part, kind, count, name, "bytes_each")
            memory.rows.append((kind, name, count, each / 1000))
    results.raw = {" ".join(map(str, key)): windows for key, windows in found.items()}
    set_targets(results, options, of, options.main)


def report_rates(results: Results, found: Figures, of: Medians) -> None:
    columns = (
        "wire",
        "readers",
        "server",
        "delivered/s",
        "delivered %",
        "CPU s per 100k",
        "p50 ms",
        "p99 ms",
    )
    paced_table = results.table(f"{RATE:g} states per second, every one counted", *columns)
    full_table = results.table("As fast as the server sends", *columns[:4], columns[5])
    charts = {
        (part, kind): results.chart(f"{part}, {kind}", "server CPU s per 100,000 deliveries")
        for part in ("paced", "saturated")
        for kind in (WS, SSE)
    }
    for key in sorted(found, key=lambda key: (key[0], key[1] == SSE, key[2])):
        part, kind, count, name = key
        rate, cpu = of(*key, "delivered_per_s"), of(*key, "cpu_s_per_100k")
        if part == "paced":
            windows = found[key]
            share = median([100 * w["delivered"] / (w["published"] * count) for w in windows])
            row = (kind, count, name, rate, share, cpu, of(*key, "p50_ms"), of(*key, "p99_ms"))
            paced_table.rows.append(row)
        elif part == "saturated":
            full_table.rows.append((kind, count, name, rate, cpu))
        if (part, kind) in charts:
            charts[part, kind].add(f"{name}, {count}", [w["cpu_s_per_100k"] for w in found[key]])
    results.charts = [chart for chart in results.charts if chart.bars]


def report_stalled(results: Results, found: Figures, of: Medians) -> None:
    table = results.table(
        f"A tenth of the readers stalled, {STALLED_SIZE_BYTES // 1000} kB states at {RATE:g} per second",
        "wire", "server", "stalled", "rounds", "the others got %", "p99 ms", "memory grew MB", "",
    )  # fmt: skip
    for key, windows in found.items():
        part, kind, stalled, name = key
        if part == "stalled":
            figures = of(*key, "others_percent"), of(*key, "p99_ms"), of(*key, "grown_bytes") / 1e6
            word = "stopped for everyone" if any(window["is_stuck"] for window in windows) else ""
            table.rows.append((kind, name, stalled, len(windows), *figures, word))


def set_targets(results: Results, options, of: Medians, count: int) -> None:
    for part in ("paced", "saturated"):
        for kind, peers in (
            (WS, {"starlette": 0.75, "websockets": 1.05, "nchan": 1.7}),
            (SSE, {"starlette": 0.6, "nchan": 1.8}),
        ):
            mine = of(part, kind, count, MINE, "cpu_s_per_100k")
            for peer, limit in peers.items():
                measured = ratio(mine, of(part, kind, count, peer, "cpu_s_per_100k"))
                results.target(f"{kind}, {part}, {count}: CPU per delivery / {peer}", "<=", limit, measured)
    p99 = ratio(*(of("paced", WS, count, name, "p99_ms") for name in (MINE, "websockets")))
    results.target(f"ws, {count} at {RATE:g} Hz: p99 / websockets broadcast", "<=", 1.2, p99)
    memory_targets(results, options, of)


def memory_targets(results: Results, options, of: Medians) -> None:
    stalled = stalled_of(options)
    for kind in options.kinds:
        each = of("memory", kind, options.idle, MINE, "bytes_each")
        each_kb = None if each is None else each / 1000
        results.target(f"{kind}: memory per idle reader", "<=", 40, each_kb, "kB")
        key = ("stalled", kind, stalled, MINE)
        grown, quiet = of(*key, "grown_bytes"), of("stalled", kind, 0, MINE, "grown_bytes")
        more_mb = None if grown is None or quiet is None else max(grown - quiet, 0) / stalled / 1e6
        results.target(f"{kind}: memory per stalled reader", "<=", 1, more_mb, "MB")
        results.target(f"{kind}: the others get, of 100 %", ">=", 100, of(*key, "others_percent"), "%")
        p99 = ratio(of(*key, "p99_ms"), of("stalled", kind, 0, MINE, "p99_ms"))
        results.target(f"{kind}: p99 of the others / with none stalled", "<=", 1.2, p99)


if __name__ == "__main__":
    sys.exit(main())
