"""Journal entries per second: one per request, many per request, and without HTTP.

    python -m benchmarks.events [--quick] [--databases sqlite,own]

Beside ours stands a Django REST view that does the same on the same database, in a plain and in a lean site.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.lib.databases import OWN, database, fresh_database, has_postgresql
from benchmarks.lib.load import run_load
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.processes import Server, ask, run_module
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, drf, ours
from benchmarks.lib.stats import median, ratio

MONITOR = "bench-cam"
BATCH = 100
ONE = json.dumps({"label": "benchmark", "detail": {"n": "{n}"}})
PLAIN, LEAN = PEERS = ("drf", "drf-lean")
LIMITS = {"SQLite": 40, "PostgreSQL": 12}


@dataclass
class Case:
    name: str
    database: str
    server: Server
    path: str
    body: str = ONE
    items: int = 1

    @property
    def key(self) -> str:
        return f"{self.database}, {self.name}"


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with work_folder(options) as folder:
        results = Results("events", "Journal entries", options, folder)
        windows: dict[str, list[dict]] = defaultdict(list)
        in_process: dict[str, dict] = {}
        for wanted in options.databases:
            if wanted == OWN and not has_postgresql():
                results.note("skipped: PostgreSQL is not installed")
                continue
            name = "SQLite" if wanted == "sqlite" else "PostgreSQL"
            with contextlib.ExitStack() as stack:
                url = stack.enter_context(database(wanted, folder))
                run_database(options, folder / name, name, url, windows, results, stack)
                in_process[name] = journal_alone(options, folder / name, stack, url)
        report(results, options, windows, in_process)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--clients", type=int)
    made.add_argument("--databases", type=lambda text: text.split(","), help="sqlite, own, or a URL")
    return defaults(
        made.parse_args(arguments), seconds=(4.0, 1.0, 0.6), rounds=(5, 2, 1), clients=(16, 16, 2),
        databases=(["sqlite", OWN], ["sqlite"], ["sqlite"]),
    )  # fmt: skip


def run_database(options, folder, name: str, url: str, windows, results: Results, stack) -> None:
    cases = make_cases(folder, name, url, results, stack)
    for number in range(options.rounds):
        for case in cases:
            window = measure(case, folder, options, results)
            windows[case.key].append(window)
            say(f"  round {number + 1}  {case.key:34} {window['accepted_per_s']:8.0f} entries/s")


def make_cases(folder: Path, name: str, url: str, results: Results, stack) -> list[Case]:
    env = {"DATABASE_URL": url} if url else {}
    server = stack.enter_context(ours(folder, name=f"ours-{name}", **env).prepare([MONITOR]))
    path = f"/api/v1/sessions/{server.sessions[MONITOR]}/events/"
    cases = [Case("ours", name, server, path)]
    for peer_name in PEERS:
        peer_env = {"DATABASE_URL": stack.enter_context(fresh_database(url))} if url else {}
        peer = drf(folder, server="uvicorn", is_lean=peer_name == LEAN, PEER_FSYNC="1", **peer_env)
        cases.append(Case(peer_name, name, stack.enter_context(peer), "/sessions/1/events/"))
    batch = f"[{', '.join([ONE] * BATCH)}]"
    if takes_batches(server, path, results):
        cases.append(Case(f"ours, {BATCH} per request", name, server, path, batch, BATCH))
    return cases


def takes_batches(server: Ours, path: str, results: Results) -> bool:
    """Whether a list of markers is taken as that many entries."""
    status, answer = ask(server, "POST", path, [{"label": "one"}, {"label": "two"}])
    if status not in (200, 201):
        results.note(f"the route of events takes one entry per request (a list: {status})")
    return status in (200, 201)


def measure(case: Case, folder: Path, options, results: Results) -> dict[str, Any]:
    """One window. A journal that has more or fewer entries than were acknowledged becomes a note."""
    before = last_seq(case)
    requests = {
        "kind": "body",
        "path": case.path,
        "token": case.server.token,
        "body": case.body,
        "items": case.items,
    }
    window = run_load(
        case.server, folder, requests=requests, connections=options.clients, seconds=options.seconds,
        warm_s=min(0.5, options.seconds),
    )  # fmt: skip
    if window["refused"]:
        results.note(f"{case.key}: {window['refused']} refused, the first: {window['refusal']}")
    if before is not None and (added := last_seq(case) - before) != window["total_accepted"]:
        results.note(f"{case.key}: {window['total_accepted']} accepted, but {added} numbered")
    return window


def last_seq(case: Case) -> int | None:
    """The newest number of the session's journal; None for the peer, which has no such route."""
    if not isinstance(case.server, Ours):
        return None
    status, session = ask(case.server, "GET", case.path.removesuffix("events/"))
    if status != 200:
        raise RuntimeError(f"the session was answered {status}: {session}")
    return session["last_seq"]


def journal_alone(options, folder: Path, stack, url: str) -> dict[str, float]:
    env = {"DATABASE_URL": stack.enter_context(fresh_database(url))} if url else {}
    server = ours(folder, name="journal", **env)
    return run_module("benchmarks.lib.ours.journal", "--seconds", str(options.seconds), env=server.env)


def report(results: Results, options, windows: dict, in_process: dict) -> None:
    table = results.table(
        f"{options.clients} clients; DURABILITY=power, the peer with the same commits",
        "case", "entries/s", "server CPU ms each", "p50 ms", "p99 ms",
    )  # fmt: skip
    chart = results.chart("journal", "entries/s")
    rates = {}
    for key, found in windows.items():
        medians = {
            figure: median([w[figure] for w in found if w[figure] is not None] or [0])
            for figure in ("accepted_per_s", "server_cpu_ms_each", "p50_ms", "p99_ms")
        }
        rates[key] = medians["accepted_per_s"]
        table.rows.append((key, *medians.values()))
        chart.add(key, [window["accepted_per_s"] for window in found])
    alone = results.table(
        "Without HTTP, one thread", "database", "one per transaction",
        f"{BATCH} appended in a transaction", f"{BATCH} markers with one call",
    )  # fmt: skip
    for name, found in in_process.items():
        alone.rows.append((name, *found.values()))
    results.raw = {**windows, "in process": in_process}
    set_targets(results, rates)


def set_targets(results: Results, rates: dict[str, float]) -> None:
    def against(database_name: str, peer: str) -> float | None:
        return ratio(rates.get(f"{database_name}, ours"), rates.get(f"{database_name}, {peer}"))

    for name, limit in LIMITS.items():
        measured = against(name, PLAIN)
        results.target(f"{name}: one entry per request / plain Django REST", ">=", limit, measured)
    beside = results.table("Ours beside Django REST, one entry per request", "peer", "times as many")
    for key in rates:
        if key.endswith(PEERS):
            beside.rows.append((key, against(*key.split(", "))))


if __name__ == "__main__":
    sys.exit(main())
