"""How long an operator waits: start and stop of one monitor while cameras saturate another.

python -m benchmarks.mixed [--quick] [--databases sqlite,own]
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.lib.databases import OWN, database, has_postgresql
from benchmarks.lib.load import run_load
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.pictures import write_pictures
from benchmarks.lib.processes import ask
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, ours
from benchmarks.lib.stats import percentile

BUSY, OPERATED = "busy-cam", "operated-cam"
LIMIT_MS = 150
EVERY_S = 0.1  # from one act of the operator to the next
ACTS = ("start", "stop")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with work_folder(options) as folder:
        results = Results("mixed", "Start and stop beside saturated ingest", options, folder)
        pictures = [str(path) for path in write_pictures(folder / "pictures", count=8, extension="jpg")]
        for wanted in options.databases:
            if wanted == OWN and not has_postgresql():
                results.note("skipped: PostgreSQL is not installed")
                continue
            name = "SQLite" if wanted == "sqlite" else "PostgreSQL"
            with database(wanted, folder) as url:
                env = {"DATABASE_URL": url} if url else {}
                server = ours(folder, name=f"ours-{name}", **env).prepare([BUSY, OPERATED], start=[BUSY])
                with server:
                    results.raw[name] = run(server, folder, options, pictures, results)
        report(results, options)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--clients", type=int, help="cameras that send without pause")
    made.add_argument("--databases", type=lambda text: text.split(","), help="sqlite, own, or a URL")
    return defaults(
        made.parse_args(arguments), seconds=(20.0, 4.0, 1.0), rounds=(1, 1, 1), clients=(8, 8, 2),
        databases=(["sqlite", OWN], ["sqlite"], ["sqlite"]),
    )  # fmt: skip


def run(server: Ours, folder: Path, options, pictures: list[str], results: Results) -> dict[str, Any]:
    """The operator alone, then beside the cameras; times in milliseconds."""
    for act in ACTS:  # the first of everything is slower
        one_act(server, act, results)
    quiet = operate(server, min(options.seconds, 3.0), results)
    cameras: dict[str, Any] = {}
    requests = {"kind": "json", "path": f"/monitor/{BUSY}/image", "token": server.token, "pictures": pictures}

    def post() -> None:
        cameras.update(
            run_load(server, folder, requests=requests, connections=options.clients, seconds=options.seconds)
        )

    posting = threading.Thread(target=post)
    posting.start()
    time.sleep(1.0)  # the generator starts and warms up
    busy = operate(server, max(options.seconds - 0.5, 0.5), results)
    posting.join()
    if not cameras.get("accepted"):
        raise RuntimeError(f"no picture was accepted: {cameras.get('refusal', 'the generator failed')}")
    acts = sum(map(len, busy.values()))
    say(f"  {server.name}: {cameras['accepted_per_s']:.0f} pictures/s beside {acts} acts")
    return {"quiet": quiet, "busy": busy, "cameras": cameras}


def operate(server: Ours, seconds: float, results: Results) -> dict[str, list[float]]:
    """Start and stop in turn, at a steady pace."""
    taken: dict[str, list[float]] = defaultdict(list)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for act in ACTS:
            milliseconds = one_act(server, act, results)
            taken[act].append(milliseconds)
            time.sleep(max(0.0, EVERY_S - milliseconds / 1000))
    return taken


def one_act(server: Ours, act: str, results: Results) -> float:
    began = time.monotonic()
    status, answer = ask(server, "POST", f"/api/v1/monitors/{OPERATED}/{act}/", {})
    if status not in (200, 201):
        results.note(f"{act} was answered {status}: {str(answer)[:200]}")
    return (time.monotonic() - began) * 1000


def report(results: Results, options) -> None:
    table = results.table(
        f"{options.clients} clients post to another monitor without pause",
        "database", "act", "pictures/s", "p50 ms", "p95 ms", "p99 ms", "most ms", "acts",
    )  # fmt: skip
    chart = results.chart("start and stop, p50, p95, most", "ms")
    for name, found in results.raw.items():
        for load, rate in (("quiet", 0), ("busy", found["cameras"]["accepted_per_s"])):
            for act in ACTS:
                times = found[load][act]
                figures = [percentile(times, percent) for percent in (50, 95, 99, 100)]
                table.rows.append((name, act, rate, *figures, len(times)))
                chart.bars[f"ours, {name}, {act}, {load}"] = (figures[0], figures[1], figures[3])
        p95 = percentile(found["busy"]["start"], 95)
        results.target(f"{name}: start, p95, while {options.clients} clients post", "<=", LIMIT_MS, p95, "ms")


if __name__ == "__main__":
    sys.exit(main())
