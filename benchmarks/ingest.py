"""Pictures per second: ours, a bare peer doing the same work, plain Django REST, and the work with no HTTP.

    python -m benchmarks.ingest [--quick] [--only ours-uvicorn-process,starlette-scaled]

Each server runs all the time; they are loaded in turn, round after round, so that a slower moment of the
machine meets all of them. The accepted pictures are compared with the server's own counter after each window.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.lib.load import run_load
from benchmarks.lib.options import FULL, QUICK, TINY, defaults, parser, work_folder
from benchmarks.lib.pictures import write_pictures
from benchmarks.lib.processes import Server, ask, environment, run_module
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, drf, has_starlette, ours, starlette_ingest
from benchmarks.lib.stats import median, ratio

MONITOR = "bench-cam"
ROSEPETAL = f"/monitor/{MONITOR}/image"
NATIVE = f"/api/v1/monitors/{MONITOR}/images/"
PEERS = {
    "starlette-full": {"PEER_DECODE": "full"},
    "starlette-scaled": {"PEER_DECODE": "scaled"},
    "starlette-tuned": {"PEER_DECODE": "scaled", "PEER_CODEC": "fast"},
    "starlette-full-fsync": {"PEER_DECODE": "full", "PEER_FSYNC": "1"},
    "starlette-scaled-fsync": {"PEER_DECODE": "scaled", "PEER_FSYNC": "1"},
}
DRF: dict[str, dict[str, Any]] = {
    "drf-daphne": {"server": "daphne"},
    "drf-uvicorn": {"server": "uvicorn"},
    "drf-lean-daphne": {"server": "daphne", "is_lean": True},
}
OURS = {
    "ours-uvicorn-process": ("uvicorn", "process"),
    "ours-uvicorn-power": ("uvicorn", "power"),
    "ours-daphne-process": ("daphne", "process"),
    "ours-daphne-power": ("daphne", "power"),
}
IN_PROCESS = ("ceiling-bare", "ceiling-bare-fsync", "ceiling-verb")
# Who is compared stands side by side: the speed of a virtual machine is another one half a minute later.
FIRST = (
    "starlette-full", "ours-uvicorn-process", "ceiling-bare", "starlette-scaled",
    "ours-uvicorn-power", "starlette-full-fsync", "ceiling-bare-fsync",
    "ours-daphne-process", "drf-daphne", "drf-lean-daphne",
)  # fmt: skip
# What the targets need, and the other forms of a body.
QUICK_CASES = {
    "ours-uvicorn-process",
    "ours-uvicorn-process-raw",
    "ours-uvicorn-process-multipart",
    "ours-uvicorn-power",
    "ours-daphne-process",
    "starlette-full",
    "starlette-scaled",
    "starlette-full-fsync",
    "drf-daphne",
    "ceiling-bare",
}


@dataclass
class Case:
    """One bar of the chart. server None: in this machine's processes, without HTTP."""

    name: str
    server: Server | None
    requests: dict[str, Any] = field(default_factory=dict)
    total: Callable[[], int] | None = None
    windows: list[dict[str, Any]] = field(default_factory=list)

    def median(self, figure: str) -> float | None:
        values = [window[figure] for window in self.windows if window.get(figure) is not None]
        return median(values) if values else None


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with work_folder(options) as folder, contextlib.ExitStack() as stack:
        results = Results("ingest", "Picture ingest, 640x480, about 60 kB", options, folder)
        pictures = {
            extension: [
                str(path) for path in write_pictures(folder / "pictures", count=16, extension=extension)
            ]
            for extension in ("jpg", "png")
        }
        cases = make_cases(options, folder, pictures, results, stack)
        for number in range(options.rounds):
            for case in cases:
                measure(case, folder, options, results, number)
        report(results, cases)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--clients", type=int, help="keep-alive connections")
    made.add_argument("--only", default="", help="names of cases, comma-separated")
    options = defaults(
        made.parse_args(arguments), seconds=(5.0, 0.8, 0.6), rounds=(4, 2, 1), clients=(8, 8, 2)
    )
    options.warm_s = {FULL: 1.0, TINY: 0.1}.get(options.size, 0.3)
    return options


def make_cases(options, folder: Path, pictures: dict, results: Results, stack) -> list[Case]:
    """The cases of the run, their servers started until `stack` ends."""
    cases = [
        *our_cases(options, folder, pictures, stack),
        *peer_cases(options, folder, pictures, results, stack),
    ]
    cases += [Case(name, None) for name in IN_PROCESS if is_wanted(options, name)]
    if unknown := set(filter(None, options.only.split(","))) - {case.name for case in cases}:
        results.note(f"no such case here: {', '.join(sorted(unknown))}")
    return sorted(cases, key=lambda case: FIRST.index(case.name) if case.name in FIRST else len(FIRST))


def is_wanted(options, name: str) -> bool:
    if options.only:
        return name in options.only.split(",")
    return options.size != QUICK or name in QUICK_CASES


def our_cases(options, folder: Path, pictures: dict, stack) -> list[Case]:
    cases = []
    for name, (server_name, durability) in OURS.items():
        kinds = our_kinds(name)
        if not (wanted := {label: kind for label, kind in kinds.items() if is_wanted(options, label)}):
            continue
        server = stack.enter_context(
            ours(folder, name=name, server=server_name, durability=durability).prepare([MONITOR])
        )
        for label, (kind, path, extension) in wanted.items():
            requests = {"kind": kind, "path": path, "token": server.token, "pictures": pictures[extension]}
            cases.append(Case(label, server, requests, total_of_ours(server)))
    return cases


def our_kinds(name: str) -> dict[str, tuple[str, str, str]]:
    """label -> (kind of request, path, picture); every form is measured on one server."""
    kinds = {name: ("json", ROSEPETAL, "jpg")}
    if name == "ours-uvicorn-process":
        kinds |= {
            f"{name}-raw": ("raw", NATIVE, "jpg"),
            f"{name}-multipart": ("form", NATIVE, "jpg"),
            f"{name}-png": ("json", ROSEPETAL, "png"),
            f"{name}-raw-png": ("raw", NATIVE, "png"),
        }
    return kinds


def total_of_ours(server: Ours) -> Callable[[], int]:
    def total() -> int:
        status, state = ask(server, "GET", f"/api/v1/monitors/{MONITOR}/state/")
        if status != 200:
            raise RuntimeError(f"the state was answered {status}: {state}")
        return state["total_counter"]

    return total


def peer_cases(options, folder: Path, pictures: dict, results: Results, stack) -> list[Case]:
    if not has_starlette():
        results.note("skipped: starlette is not installed (requirements-bench.txt)")
    names = [name for name in PEERS if has_starlette() and is_wanted(options, name)]
    cases = []
    for name in names:
        server = stack.enter_context(starlette_ingest(folder, name, **PEERS[name]))
        cases.append(peer_case(name, server, pictures["jpg"]))
        extra = f"{name}-png"
        if name == "starlette-scaled" and is_wanted(options, extra):
            cases.append(peer_case(extra, server, pictures["png"]))
    for name in (name for name in DRF if is_wanted(options, name)):
        server = stack.enter_context(drf(folder, **DRF[name]))
        cases.append(peer_case(name, server, pictures["jpg"]))
    return cases


def peer_case(name: str, server: Server, pictures: list[str]) -> Case:
    requests = {"kind": "json", "path": "/monitor/cam/image", "token": server.token, "pictures": pictures}
    return Case(name, server, requests, lambda: ask(server, "GET", "/total")[1]["total_counter"])


def measure(case: Case, folder: Path, options, results: Results, number: int) -> None:
    """One window of one case; a mismatch of counters or a refusal becomes a note."""
    os.sync()  # what the last window left to the disk is not this one's load
    if case.server is None:
        window = in_process(case.name, folder / f"{case.name}-{number}", options)
    else:
        before = case.total()
        window = run_load(
            case.server, folder, requests=case.requests, connections=options.clients,
            seconds=options.seconds, warm_s=options.warm_s,
        )  # fmt: skip
        counted = case.total() - before
        if counted != window["total_accepted"]:
            results.note(f"{case.name}: {window['total_accepted']} were accepted but {counted} counted")
        if window["refused"]:
            results.note(f"{case.name}: {window['refused']} refused, the first: {window['refusal']}")
    case.windows.append(window)
    say(f"  round {number + 1}  {case.name:34} {window['accepted_per_s']:8.0f}/s")


def in_process(name: str, data: Path, options) -> dict[str, Any]:
    data.mkdir()
    pictures = data.parent / "pictures"
    return run_module(
        "benchmarks.lib.ceiling",
        "--work", name.removeprefix("ceiling-"), "--pictures", str(pictures),
        "--seconds", str(options.seconds), "--warm", str(options.warm_s),
        env=environment(
            DATA_DIR=str(data), DURABILITY="process", DISK_RESERVE_BYTES="0", LOG_LEVEL="WARNING",
            DJANGO_SETTINGS_MODULE="benchmarks.lib.ours.settings",
        ),
    )  # fmt: skip


def report(results: Results, cases: list[Case]) -> None:
    table = results.table(
        "Base64 JSON and JPEG unless named; medians of the rounds",
        "case", "accepted/s", "server CPU ms each", "p50 ms", "p99 ms", "generator CPU %",
    )  # fmt: skip
    chart = results.chart("accepted", "pictures/s")
    by_name: dict[str, Case] = {}
    for case in cases:
        by_name[case.name] = case
        figures = ("accepted_per_s", "server_cpu_ms_each", "p50_ms", "p99_ms", "generator_cpu_percent")
        table.rows.append((case.name, *(case.median(figure) for figure in figures)))
        chart.add(case.name, [window["accepted_per_s"] for window in case.windows])
    results.raw = {case.name: case.windows for case in cases}
    set_targets(results, defaultdict(lambda: Case("", None), by_name))


def set_targets(results: Results, cases: dict[str, Case]) -> None:
    def against(ours_name: str, peer: str) -> float | None:
        return ratio(cases[ours_name].median("accepted_per_s"), cases[peer].median("accepted_per_s"))

    process, power, daphne = "ours-uvicorn-process", "ours-uvicorn-power", "ours-daphne-process"
    results.target("process, uvicorn / Starlette, full decode", ">=", 2.0, against(process, "starlette-full"))
    results.target(
        "process, uvicorn / Starlette, scaled decode", ">=", 1.05, against(process, "starlette-scaled")
    )
    results.target(
        "process, uvicorn / the same work without HTTP", ">=", 0.72, against(process, "ceiling-bare")
    )
    results.target(
        "power, uvicorn / Starlette with the same fsyncs", ">=", 2.0, against(power, "starlette-full-fsync")
    )
    results.target("process, daphne / plain Django REST on daphne", ">=", 8.0, against(daphne, "drf-daphne"))
    results.target("process, daphne / Starlette, full decode", ">=", 1.2, against(daphne, "starlette-full"))
    beside = [(peer, against(daphne, peer)) for peer in ("drf-daphne", "drf-lean-daphne")]
    if rows := [row for row in beside if row[1] is not None]:
        results.table(f"{daphne} beside Django REST", "peer", "times as many").rows.extend(rows)


if __name__ == "__main__":
    sys.exit(main())
