"""A telescope's nights on a real server: latency, a burst, a day at 60 times speed, nights at 1,800 times.

    python -m benchmarks.rig_night [--quick] [--parts latency,burst,day,nights] [--hours 24] [--speed 60]

NINA is simulated in this process and says how fast its clock runs; the server is `serve`. Parts:

latency  an event on an open /ws/unified, under uvicorn and daphne
burst    a history of 10,000 events: the recorded night again and again, on SQLite and PostgreSQL
day      24 hours of --rigs; every --cut-every seconds all connections end, --dup of the frames come twice,
         and between two nights each NINA restarts and has forgotten the one that is over
nights   the same for 250 hours, a night a day

At the end of a day what is stored is compared with what each NINA has told, event by event, and the state
with that of a fresh machine; the server's memory is judged per stored event and as a whole. Both have files
of their own, rig-day.* and rig-nights.*.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks.lib.databases import OWN
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.results import Results, Target
from benchmarks.lib.rig.burst import burst_on
from benchmarks.lib.rig.days import days
from benchmarks.lib.rig.growth import draw
from benchmarks.lib.rig.latency import latency
from benchmarks.lib.rig.report import report
from benchmarks.lib.servers import ours

PARTS = ("latency", "burst", "day", "nights")
SAMPLE_S = 5.0
# (full, quick, tiny); every: simulated hours from night to night.
DAYS = {
    "day": {
        "hours": (24.0, 1.0, 16.0), "speed": (60.0, 60.0, 7200.0), "every": (12.75, 12.75, 13.0),
        "cut_every": (20.0, 10.0, 2.0), "rigs": (4, 4, 2),
    },
    "nights": {
        "hours": (250.0, 50.0, 16.0), "speed": (1800.0, 1800.0, 7200.0), "every": (25.0, 25.0, 13.0),
        "cut_every": (5.0, 5.0, 2.0), "rigs": (4, 4, 2),
    },
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    missed = []
    with work_folder(options) as folder:
        if {"latency", "burst"} & set(options.parts):
            missed += latency_and_burst(options, folder)
        for part in ("day", "nights"):
            if part in options.parts:
                missed += days_of(part, options, folder)
    return 1 if missed and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--parts", type=lambda text: text.split(","), help=f"some of {','.join(PARTS)}")
    made.add_argument("--hours", type=float, help="of simulated time")
    made.add_argument("--speed", type=float, help="of the simulated clock")
    made.add_argument("--every", type=float, help="simulated hours from night to night")
    made.add_argument("--cut-every", type=float, help="real seconds")
    made.add_argument("--down", type=float, default=1.0, help="seconds without NINA after each cut")
    made.add_argument("--dup", type=float, default=0.3, help="share of frames that come twice")
    made.add_argument("--rigs", type=int, help="of a day")
    made.add_argument("--events", type=int, help="of the burst, at least")
    made.add_argument("--databases", type=lambda text: text.split(","), help="sqlite, own, or a URL")
    return defaults(
        made.parse_args(arguments), rounds=(200, 50, 3),
        parts=(list(PARTS), list(PARTS[:3]), list(PARTS[:3])),
        events=(10_000, 10_000, 100), databases=(["sqlite", OWN], ["sqlite"], ["sqlite"]),
    )  # fmt: skip


def latency_and_burst(options: argparse.Namespace, folder: Path) -> list[Target]:
    results = Results("rig", "A rig: latency and a burst", options, folder)
    for server in ("uvicorn", "daphne") if "latency" in options.parts else ():
        with ours(folder, server=server).prepare([]) as served:
            asyncio.run(latency(served, server, options, results))
    for wanted in options.databases if "burst" in options.parts else ():
        burst_on(wanted, folder, options, results)
    return results.write()


def days_of(part: str, options: argparse.Namespace, folder: Path) -> list[Target]:
    run = defaults(argparse.Namespace(**vars(options), part=part), **DAYS[part])
    results = Results(f"rig-{part}", f"Rigs for {run.hours:g} hours", run, folder)
    memory, every_s = folder / f"{part}-memory.json", min(SAMPLE_S, run.hours * 3600 / run.speed / 20)
    told = {"BENCH_MEMORY": str(memory), "BENCH_MEMORY_EVERY_S": str(every_s)}
    with ours(folder, name=part, **told).prepare([]) as served:
        found = asyncio.run(days(served, memory, run))
    results.raw[part] = found
    report(found, run, results)
    missed = results.write()
    draw(found["samples"], results)
    return missed


if __name__ == "__main__":
    sys.exit(main())
