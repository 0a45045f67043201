"""State reads and REST lists: 200 clients that poll once a second, and as fast as it goes.

    python -m benchmarks.reads [--quick]

Ours stands beside the same urls under Django's stock ASGI handler (`stock`), beside a plain Django REST site
(`drf`), and beside an answer of constant bytes from the same process, which is what the server itself costs.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.lib.load import run_load
from benchmarks.lib.options import FULL, QUICK, defaults, parser, work_folder
from benchmarks.lib.pictures import write_pictures
from benchmarks.lib.processes import Server, ask, run_module
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, drf, ours
from benchmarks.lib.stats import median, ratio

MONITOR = "bench-cam"
STATE = f"/api/v1/monitors/{MONITOR}/state/"
WALL = "/api/v1/fleet/"
LISTS = {
    "monitors": "/api/v1/monitors/?limit=50",
    "sessions": "/api/v1/sessions/?limit=50",
    "images": "/api/v1/images/?limit=50",
}
FLEET, ONE = "fleet", "one session"
SERVERS = ["stock", "ours-daphne", "drf"]
SATURATED, POLLED = "saturated", "polled"


@dataclass
class Case:
    name: str
    server: Server
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = (SATURATED,)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with work_folder(options) as folder, contextlib.ExitStack() as stack:
        results = Results("reads", "State reads and REST lists", options, folder)
        cases = make_cases(options, folder, results, stack)
        windows: dict[tuple[str, str], list[dict]] = defaultdict(list)
        for number in range(options.rounds):
            for part in (SATURATED, POLLED):
                for case in (case for case in cases if part in case.parts):
                    windows[case.name, part].append(measure(case, part, folder, options, results, number))
        report(results, options, windows)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--clients", type=int, help="connections at saturation")
    made.add_argument("--pollers", type=int, help="connections that ask once a second")
    made.add_argument(
        "--servers", type=lambda text: text.split(","), help=f"beside ours: {','.join(SERVERS)}"
    )
    return defaults(
        made.parse_args(arguments),
        seconds=(4.0, 1.0, 0.5), rounds=(3, 1, 1), clients=(16, 16, 2), pollers=(200, 200, 5),
        sessions=(200, 60, 5), servers=(SERVERS, ["stock", "drf"], SERVERS),
    )  # fmt: skip


def make_cases(options, folder: Path, results: Results, stack) -> list[Case]:
    """What is asked of which server; each has some history and a running monitor with one picture."""
    servers = make_servers(options, folder, stack)
    main = servers["ours"]
    cases = [Case("bare-constant", main, "/bench/constant")]
    cases.append(Case("ours-constant", main, f"/bench/lane/{MONITOR}/"))
    for name in (name for name in servers if name != "drf"):
        cases.append(Case(f"{name} state", servers[name], STATE, parts=(SATURATED, POLLED)))
    if etag := etag_of(main, results):
        cases.append(Case("ours state, unchanged", main, STATE, {"If-None-Match": etag}))
    for noun, path in {FLEET: WALL, **lists_of(options), ONE: ""}.items():
        for name in (name for name in ("ours", "stock") if name in servers):  # right after each other
            one = f"/api/v1/sessions/{servers[name].sessions[MONITOR]}/"
            cases.append(Case(f"{name} {noun}", servers[name], path or one))
    if "drf" in servers:
        cases.append(Case("drf state", servers["drf"], f"/state/{MONITOR}/", parts=(SATURATED, POLLED)))
        cases.append(Case("drf sessions", servers["drf"], "/sessions/"))
    return [case for case in cases if answers(case, results)]


def lists_of(options) -> dict[str, str]:
    return {"sessions": LISTS["sessions"]} if options.size == QUICK else LISTS


def make_servers(options, folder: Path, stack) -> dict[str, Server]:
    """The servers of the run, started."""
    picture = write_pictures(folder / "pictures", count=1, extension="jpg")[0]
    servers: dict[str, Server] = {"ours": our_server(options, folder, "live", "uvicorn", stack)}
    if "stock" in options.servers:
        servers["stock"] = our_server(options, folder, "stock", "uvicorn", stack)
    if "ours-daphne" in options.servers:
        servers["ours-daphne"] = our_server(options, folder, "live", "daphne", stack)
    if "drf" in options.servers:
        servers["drf"] = stack.enter_context(drf(folder, server="uvicorn"))
    for server in servers.values():
        add_picture(server, picture, folder)
    return servers


def our_server(options, folder: Path, application: str, server: str, stack) -> Ours:
    name = f"ours-{application}-{server}"
    made = ours(folder, name=name, server=server, application=application).prepare([MONITOR])
    run_module(
        "benchmarks.lib.ours.fill", "--sessions", str(options.sessions), "--monitors", "20", env=made.env
    )
    return stack.enter_context(made)


def add_picture(server: Server, picture: Path, folder: Path) -> None:
    path = f"/monitor/{MONITOR}/image"
    requests = {"kind": "json", "path": path, "token": server.token, "pictures": [str(picture)]}
    done = run_load(server, folder, requests=requests, connections=1, seconds=0.2, warm_s=0)
    if not done["total_accepted"]:
        raise RuntimeError(f"{server.name} took no picture: {done['refusal']}")


def etag_of(server: Server, results: Results) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", STATE, headers={"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if not (etag := answer.getheader("ETag")):
        results.note("the state carries no ETag")
    return etag or ""


def answers(case: Case, results: Results) -> bool:
    status, text = ask(case.server, "GET", case.path, headers=case.headers)
    if status not in (200, 304):
        results.note(f"{case.name} was answered {status}: {str(text)[:200]}")
    return status in (200, 304)


def measure(case: Case, part: str, folder: Path, options, results: Results, number: int) -> dict[str, Any]:
    requests = {"kind": "get", "path": case.path, "token": case.server.token, "headers": case.headers}
    pace = (
        {"connections": options.clients}
        if part == SATURATED
        else {"connections": options.pollers, "rate": 1.0}
    )
    seconds = options.seconds if part == SATURATED else max(options.seconds, 1.5)
    window = run_load(
        case.server, folder, requests=requests, seconds=seconds, warm_s=min(0.5, options.seconds), **pace
    )
    if window["refused"]:
        results.note(f"{case.name}, {part}: {window['refused']} refused, the first: {window['refusal']}")
    say(f"  round {number + 1}  {part:9} {case.name:22} {window['accepted_per_s']:9.0f}/s")
    return window


def report(results: Results, options, windows: dict) -> None:
    def of(name: str, figure: str, part: str = SATURATED) -> float | None:
        values = [w[figure] for w in windows.get((name, part), []) if w.get(figure) is not None]
        return median(values) if values else None

    full = results.table(
        f"{options.clients} clients, as fast as it goes",
        "case", "answers/s", "server CPU ms each", "p50 ms", "p99 ms", "generator CPU %",
    )  # fmt: skip
    polled = results.table(
        f"{options.pollers} clients, one answer per second each", "case", "answers/s", "p50 ms", "p99 ms",
        "server CPU %",
    )  # fmt: skip
    chart = results.chart("as fast as it goes", "answers/s")
    for name, part in windows:
        if part == SATURATED:
            figures = ("accepted_per_s", "server_cpu_ms_each", "p50_ms", "p99_ms", "generator_cpu_percent")
            full.rows.append((name, *(of(name, figure) for figure in figures)))
            chart.add(name, [window["accepted_per_s"] for window in windows[name, part]])
        else:
            figures = ("accepted_per_s", "p50_ms", "p99_ms", "server_cpu_percent")
            polled.rows.append((name, *(of(name, figure, part) for figure in figures)))
    results.raw = {f"{name}, {part}": found for (name, part), found in windows.items()}
    state, constant = (of(name, "server_cpu_ms_each") for name in ("ours state", "ours-constant"))
    results.target("state: CPU / a constant answer through the same lane", "<=", 1.5, ratio(state, constant))
    times = ratio(of("ours state", "accepted_per_s"), of("stock state", "accepted_per_s"))
    results.target("state: answers/s / the same view under the stock handler", ">=", 100, times)
    times = ratio(of(f"ours {FLEET}", "accepted_per_s"), of(f"stock {FLEET}", "accepted_per_s"))
    results.target("fleet: answers/s / the same view under the stock handler", ">=", 100, times)
    for noun in (*lists_of(options), ONE):
        times = ratio(of(f"ours {noun}", "accepted_per_s"), of(f"stock {noun}", "accepted_per_s"))
        results.target(f"{noun}: pooled / stock handler", ">=", 2, times)


if __name__ == "__main__":
    sys.exit(main())
