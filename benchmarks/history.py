"""Pages of a long history, and a camera's work on top of it; SQLite and PostgreSQL.

    python -m benchmarks.history [--quick] [--full] [--databases sqlite,own]

Sizes grow in one database by bulk SQL: 10,000 sessions with 100,000 pictures, then 100,000 with a million,
with --full a million with ten million (allow 13 GB of disk and a quarter of an hour for each database).
`own` is a PostgreSQL made for the run; a URL names a server in which a database is made.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.lib.databases import OWN, database, has_postgresql
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.pictures import write_pictures
from benchmarks.lib.processes import run_module
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, ours
from benchmarks.lib.stats import median, percentile

FILL_WITHIN_S = 3600.0
WARM = 3
FULL_SESSIONS = 1_000_000

Times = dict[tuple[str, int, str], dict[str, Any]]  # (database, sessions, page) -> figures


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with work_folder(options) as folder:
        results = Results("history", "Pages of a long history", options, folder)
        times: Times = {}
        for wanted in options.databases:
            if wanted == OWN and not has_postgresql():
                results.note("skipped: PostgreSQL is not installed")
                continue
            name = "SQLite" if wanted == "sqlite" else "PostgreSQL"
            with database(wanted, folder) as url:
                run_database(options, folder / name, name, url, times, results)
        report(results, options, times)
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--full", action="store_true", help="also a million sessions and ten million pictures")
    made.add_argument("--databases", type=lambda text: text.split(","), help="sqlite, own, or a URL")
    made.add_argument(
        "--sizes", type=lambda text: [int(w) for w in text.split(",")], help="numbers of sessions"
    )
    options = defaults(
        made.parse_args(arguments),
        rounds=(30, 8, 2),
        databases=(["sqlite", OWN], ["sqlite"], ["sqlite"]),
        sizes=([10_000, 100_000], [1000, 6000], [60]),
    )
    if options.full and FULL_SESSIONS not in options.sizes:
        options.sizes = [*options.sizes, FULL_SESSIONS]
    return options


def run_database(options, folder: Path, name: str, url: str, times: Times, results: Results) -> None:
    env = {"DATABASE_URL": url} if url else {}
    server = ours(folder, name=f"ours-{name}", **env).prepare([])
    for sessions in options.sizes:
        filled = run_module(
            "benchmarks.lib.ours.fill", "--sessions", str(sessions), env=server.env, timeout_s=FILL_WITHIN_S
        )
        say(f"  {name}: {filled['sessions']} sessions, {filled['images']} pictures in {filled['took_s']} s")
        with server:
            results.raw[f"{name} {sessions}"] = {**filled, "start_s": server.start_s}
            measure(options, server, name, sessions, pages_of(filled), times, results)
            measure_work(options, server, name, sessions, filled["monitor"], times, results)


def pages_of(filled: dict[str, Any]) -> dict[str, str]:
    """page -> address. What is asked of a history, and how deep."""
    cursors, monitor = filled["cursors"], filled["monitor"]
    pages = {}
    for noun in ("sessions", "images"):
        pages[f"{noun}, newest"] = f"/api/v1/{noun}/?limit=50"
        for depth in ("1 %", "50 %", "99 %"):
            pages[f"{noun}, depth {depth}"] = f"/api/v1/{noun}/?limit=50&cursor={cursors[f'{noun} {depth}']}"
        pages[f"{noun}, of a monitor"] = f"/api/v1/{noun}/?limit=50&monitor={monitor}"
        deep = cursors[f"{noun} 50 %"]
        pages[f"{noun}, of a monitor, depth 50 %"] = (
            f"/api/v1/{noun}/?limit=50&monitor={monitor}&cursor={deep}"
        )
        pages[f"{noun}, by label, common"] = f"/api/v1/{noun}/?limit=50&label=DEFECT"
        pages[f"{noun}, by label, rare"] = f"/api/v1/{noun}/?limit=50&label=rare"
    for how, text in (("common", "batch"), ("rare", "batch%200000001"), ("none", "batch%209")):
        pages[f"sessions, by beginning of name, {how}"] = f"/api/v1/sessions/?limit=50&q={text}"
    pages["images, of a session"] = f"/api/v1/images/?limit=50&session={filled['session']}"
    pages["images, by tag, common"] = "/api/v1/images/?limit=50&tag=scratch"
    pages["images, by tag, rare"] = "/api/v1/images/?limit=50&tag=rare-box"
    pages["sessions, running"] = "/api/v1/sessions/?limit=50&state=active"
    pages["events, newest"] = "/api/v1/events/?limit=50"
    pages["events, of a monitor"] = f"/api/v1/events/?limit=50&monitor={monitor}"
    pages["events, of a session"] = f"/api/v1/events/?limit=50&session={filled['session']}"
    pages["monitor page"] = f"/monitors/{monitor}/"
    pages["history page"] = "/sessions/"
    pages["history page, by beginning of name, rare"] = "/sessions/?q=batch%200000001"
    pages["admin, sessions"] = "/admin/sessions_app/session/"
    pages["admin, images"] = "/admin/monitoring/image/"
    pages["admin, sessions by key"] = f"/admin/sessions_app/session/?q={filled['session']}"
    return pages


def measure(
    options, server: Ours, name: str, sessions: int, pages: dict, times: Times, results: Results
) -> None:
    """Each page once per round, in turn, so that a slower moment meets all of them."""
    taken: dict[str, list[float]] = defaultdict(list)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    for number in range(WARM + options.rounds):
        for page, path in list(pages.items()):
            seconds, status, size = fetch(connection, server, path)
            if status != 200:
                results.note(f"{name}: {page} was answered {status} ({path.partition('?')[0]})")
                del pages[page]
            elif number >= WARM:
                taken[page].append(seconds * 1000)
                times[name, sessions, page] = {"bytes": size}
    for page, milliseconds in taken.items():
        figures = {"p50_ms": median(milliseconds), "p95_ms": percentile(milliseconds, 95)}
        times[name, sessions, page] |= figures
    connection.close()


def measure_work(
    options, server: Ours, name: str, sessions: int, monitor: str, times: Times, results: Results
) -> None:
    """A session is started, takes pictures and is stopped, round after round."""
    [picture] = write_pictures(server.folder / f"{sessions}", count=1, extension="jpg")
    requests = {
        "start": ("start/", b""),
        "a picture": ("images/", picture.read_bytes()),
        "stop": ("stop/", b""),
    }
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "image/jpeg"}
    taken: dict[str, list[float]] = defaultdict(list)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    for number in range(WARM + options.rounds):
        for what, (path, body) in requests.items():
            began = time.monotonic()
            connection.request("POST", f"/api/v1/monitors/{monitor}/{path}", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status >= 300:
                results.note(f"{name}: {what} was answered {answer.status}")
            elif number >= WARM:
                taken[what].append((time.monotonic() - began) * 1000)
    connection.close()
    for what, milliseconds in taken.items():
        figures = {"p50_ms": median(milliseconds), "p95_ms": percentile(milliseconds, 95)}
        times[name, sessions, f"work: {what}"] = figures


def fetch(connection, server: Ours, path: str) -> tuple[float, int, int]:
    """(seconds, status, bytes). Pages are asked with the cookie of an admin, the API with a token."""
    is_api = path.startswith("/api/")
    headers = {"Authorization": f"Bearer {server.token}"} if is_api else {"Cookie": server.cookie}
    began = time.monotonic()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    return time.monotonic() - began, answer.status, len(body)


def report(results: Results, options, times: Times) -> None:
    results.raw["pages"] = {f"{d}, {s}, {p}": figures for (d, s, p), figures in times.items()}
    names = list(dict.fromkeys(which for which, _, _ in times))
    small, large = options.sizes[0], options.sizes[-1]
    for name in names:
        table = results.table(
            f"{name}: median ms of a page of 50, and of a camera's work", "page",
            *(f"{sessions:,} sessions" for sessions in options.sizes), "p95 ms of the last", "growth",
        )  # fmt: skip
        chart = results.chart(f"{name}, {large:,} sessions", "ms")
        for page in dict.fromkeys(page for which, _, page in times if which == name):
            found = [times.get((name, sessions, page), {}).get("p50_ms") for sessions in options.sizes]
            growth = found[-1] / found[0] if found[0] and found[-1] else None
            table.rows.append((page, *found, times.get((name, large, page), {}).get("p95_ms"), growth))
            if found[-1] is not None:
                chart.bars[page] = (found[-1],) * 3
        set_targets(results, times, name, small, large)


def set_targets(results: Results, times: Times, name: str, small: int, large: int) -> None:
    def of(sessions: int, page: str) -> float | None:
        return times.get((name, sessions, page), {}).get("p50_ms")

    depths, growths = {}, {}
    for which, sessions, page in times:
        if which != name or sessions != large:
            continue
        base = (
            page.partition(", depth")[0] if ", of a monitor" in page else page.partition(",")[0] + ", newest"
        )
        if ", depth" in page and of(large, base):
            depths[page] = of(large, page) / of(large, base)
        if of(small, page):
            growths[page] = of(large, page) / of(small, page)
    for what, found in (
        ("deepest page / first page", depths),
        (f"growth from {small:,} to {large:,}", growths),
    ):
        worst = max(found, key=found.get) if found else ""
        results.target(f"{name}: {what}, the worst ({worst})", "<=", 2.0, found.get(worst))


if __name__ == "__main__":
    sys.exit(main())
