"""Kill -9 during ingest, again and again: what was acknowledged is there, and nothing else is.

    python -m benchmarks.crash [--rounds 50] [--pictures 100000] [--database postgresql://...] [--append]

Each round loads a server with clients that write down every acknowledged id, kills it, starts it again and
then compares ids, rows, counters and files. A second process on the same data takes pictures all the while:
the repair at the start must not touch what is its. `--database own` makes a PostgreSQL for the run. A long
run may come in pieces: `--append` adds rounds, with a data folder of their own, to those of the results.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.lib.databases import OWN, database, has_postgresql
from benchmarks.lib.load import run_load
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.pictures import write_pictures
from benchmarks.lib.processes import ask, run_module
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, ours
from benchmarks.lib.stats import median

MONITOR, BESIDE = "crash-cam", "beside-cam"
KILL_AFTER_S = (0.3, 1.5)  # of load
BESIDE_AFTER_S = 3.0  # the other process goes on for so long after the kill: the repair falls into it
FED_WITHIN_S = 20.0
BESIDE_CLIENTS = 2
START_LIMIT_S = 5.0
IMAGES_EACH = 10  # of a session that fill.py makes
LINKS_MAX = 60_000  # of one file; ext4 allows 65,000


@dataclass
class Round:
    """What was found after one kill. problems: one text for each thing that must not be."""

    killed_after_s: float
    start_s: float = 0.0
    acknowledged: int = 0
    missing: int = 0
    rows: int = 0
    counted: int = 0
    originals: int = 0
    thumbnails: int = 0
    problems: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with work_folder(options) as folder:
        name = "crash" if options.database == "sqlite" else "crash-postgresql"
        results = Results(name, f"Killed during ingest, {database_name(options)}", options, folder)
        if options.database == OWN and not has_postgresql():
            results.note("skipped: PostgreSQL is not installed")
            results.write()
            return 0
        rounds = earlier_rounds(results.json_file) if options.append else []
        before = len(rounds)
        with database(options.database, folder) as url:
            for number, found in enumerate(
                run_rounds(folder, rounds=options.rounds, url=url, clients=options.clients,
                           pictures=options.pictures, seed=options.seed)
            ):  # fmt: skip
                say(f"  round {before + number + 1}: {summary(found)}")
                rounds.append(found)
        report(results, options, rounds)
    missed = results.write()
    return 1 if missed and (options.size == FULL or any(found.problems for found in rounds)) else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--clients", type=int, help="of the process that is killed")
    made.add_argument("--pictures", type=int, help="that are there before the first round")
    made.add_argument("--database", default="sqlite", help="sqlite, own, or the URL of a PostgreSQL")
    made.add_argument("--append", action="store_true", help="go on from the rounds in the results folder")
    made.add_argument("--seed", type=int, default=1, help="decides the moments of the kills")
    return defaults(made.parse_args(arguments), rounds=(50, 1, 1), clients=(8, 8, 2), pictures=(0, 0, 0))


def earlier_rounds(file: Path) -> list[Round]:
    """The rounds that stand in the results; none when there are none."""
    if not file.exists():
        return []
    return [Round(**found) for found in json.loads(file.read_text())["raw"]["rounds"]]


def database_name(options) -> str:
    return "SQLite" if options.database == "sqlite" else "PostgreSQL"


def summary(found: Round) -> str:
    problems = f"  PROBLEMS: {'; '.join(found.problems)}" if found.problems else ""
    return (
        f"killed after {found.killed_after_s:.1f} s, {found.acknowledged} acknowledged, "
        f"{found.missing} missing, {found.rows} rows, {found.counted} counted, {found.originals} files, "
        f"up in {found.start_s:.1f} s{problems}"
    )


# --- rounds ---------------------------------------------------------------------------------------------


def run_rounds(
    folder: Path, *, rounds: int, url: str = "", clients: int = 8, pictures: int = 0, seed: int = 1
) -> Iterator[Round]:
    """Load, kill, start again and look, `rounds` times. url: an empty PostgreSQL database; "" is SQLite."""
    moments = random.Random(seed)
    files = [str(path) for path in write_pictures(folder / "pictures", count=8, extension="jpg")]
    data = folder / "data"
    env = {"DATABASE_URL": url} if url else {}
    server = ours(folder, name="ours-killed", data_dir=data, **env).prepare([MONITOR, BESIDE])
    beside = ours(folder, name="ours-beside", data_dir=data, **env)
    beside.token = server.token
    if pictures:
        preload(server, data, url, pictures)
    acknowledged: set[str] = set()
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        stack.enter_context(beside)
        for _ in range(rounds):
            found = Round(killed_after_s=moments.uniform(*KILL_AFTER_S))
            acknowledged |= load_and_kill(server, beside, folder, files, clients, found)
            look(data, url, acknowledged, found)
            yield found


def load_and_kill(
    server: Ours, beside: Ours, folder: Path, files: list[str], clients: int, found: Round
) -> set[str]:
    """The server was killed under load and is up again; returns every id that either process acknowledged."""
    beside_s = found.killed_after_s + BESIDE_AFTER_S
    before = total(server, MONITOR)
    loads = [
        Posting(server, folder, MONITOR, files, connections=clients, seconds=30.0, until_cut=True),
        Posting(beside, folder, BESIDE, files, connections=BESIDE_CLIENTS, seconds=beside_s),
    ]
    for load in loads:
        load.start()
    await_more(server, MONITOR, before)
    time.sleep(found.killed_after_s)
    server.kill()
    server.start()
    found.start_s = server.start_s
    acknowledged: set[str] = set()
    for load in loads:
        load.join()
        if load.failure:
            raise load.failure
        acknowledged |= load.acknowledged
        if load.result["refused"]:
            found.problems.append(f"refused: {load.result['refusal']}")
    found.acknowledged = len(acknowledged)
    return acknowledged


def await_more(server: Ours, monitor: str, before: int) -> None:
    """The load has begun: the monitor counts. Raises TimeoutError."""
    end = time.monotonic() + FED_WITHIN_S
    while total(server, monitor) == before:
        if time.monotonic() > end:
            raise TimeoutError(f"{server.name} got no picture within {FED_WITHIN_S:g} s")
        time.sleep(0.02)


def total(server: Ours, monitor: str) -> int:
    status, state = ask(server, "GET", f"/api/v1/monitors/{monitor}/state/")
    if status != 200:
        raise RuntimeError(f"the state was answered {status}: {state}")
    return state["total_counter"]


class Posting(threading.Thread):
    """Clients that post to one monitor of one process, and the ids that were acknowledged."""

    def __init__(self, server: Ours, folder: Path, monitor: str, files: list[str], **load: Any) -> None:
        super().__init__(name=f"posting to {server.name}")
        self._server, self._folder, self._load = server, folder, load
        self._requests = {
            "kind": "json",
            "path": f"/monitor/{monitor}/image",
            "token": server.token,
            "pictures": files,
        }
        self.acknowledged: set[str] = set()
        self.result: dict[str, Any] = {}
        self.failure: Exception | None = None

    def run(self) -> None:
        acks = self._folder / f"acks-{self._server.name}"
        acks.unlink(missing_ok=True)
        try:
            self.result = run_load(
                self._server, self._folder, requests=self._requests, warm_s=0, acks=str(acks), **self._load
            )
            self.acknowledged = set(acks.read_text().split())
        except Exception as error:
            self.failure = error


# --- looking --------------------------------------------------------------------------------------------


def look(data: Path, url: str, acknowledged: set[str], found: Round) -> None:
    """Fill `found` with what database and disk hold. Nobody writes meanwhile."""
    media = data / "media"
    rows = {
        key: (path, thumb)
        for key, path, thumb in query(
            data, url, "SELECT key, file_path, thumbnail_path FROM monitoring_image"
        )
    }
    [[counted, kept]] = query(
        data, url, "SELECT sum(total_counter), sum(image_count) FROM sessions_app_session"
    )
    [[gaps]] = query(
        data, url,
        "SELECT count(*) FROM sessions_app_session s WHERE s.state = 'active' AND s.last_seq <> "
        "(SELECT count(*) FROM sessions_app_sessionevent e WHERE e.session_id = s.id)",
    )  # fmt: skip
    on_disk = set(files_below(media))
    named = {path for paths in rows.values() for path in paths}
    found.rows, found.counted = len(rows), int(counted or 0)
    found.thumbnails = sum(path.endswith(".thumb.webp") for path in on_disk)
    found.originals = len(on_disk) - found.thumbnails
    missing = acknowledged - rows.keys()
    found.missing = len(missing)
    problems = {
        f"{len(missing)} acknowledged pictures have no row": missing,
        f"{len(named - on_disk)} files of rows are not there": named - on_disk,
        f"{len(on_disk - named)} files have no row": on_disk - named,
        f"{counted} counted, {kept} kept, {len(rows)} rows": not found.counted == (kept or 0) == found.rows,
        f"{gaps} journals have gaps": gaps,
        "temporary files are left": list((media / "inflight").glob("*/*.part")),
    }
    found.problems += [text for text, is_so in problems.items() if is_so]


def query(data: Path, url: str, statement: str) -> list[tuple]:
    if url:
        import psycopg

        with psycopg.connect(url) as connection:
            return connection.execute(statement).fetchall()
    with contextlib.closing(sqlite3.connect(f"file:{data / 'db.sqlite3'}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def files_below(media: Path) -> Iterator[str]:
    """Paths below the media folder, without what is in flight."""
    for folder, names, files in os.walk(media):
        if Path(folder) == media:
            names[:] = [name for name in names if name != "inflight"]
        for file in files:
            yield os.path.relpath(os.path.join(folder, file), media)


def preload(server: Ours, data: Path, url: str, pictures: int) -> None:
    """So many pictures are there, rows and files; the files are links to a few."""
    sessions = len(server.sessions) + -(-pictures // IMAGES_EACH)  # those that run have no pictures yet
    run_module("benchmarks.lib.ours.fill", "--sessions", str(sessions), env=server.env, timeout_s=1800)
    media = data / "media"
    media.mkdir(exist_ok=True)
    paths = [
        path
        for row in query(data, url, "SELECT file_path, thumbnail_path FROM monitoring_image")
        for path in row
    ]
    for start in range(0, len(paths), LINKS_MAX):
        template = data / f"template-{start}"
        template.write_bytes(b"\0" * 1000)
        for path in itertools.islice(paths, start, start + LINKS_MAX):
            target = media / path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(template, target)
    say(f"  {len(paths) // 2} pictures are there before the first round")


def report(results: Results, options, rounds: list[Round]) -> None:
    results.raw = {"rounds": [asdict(found) for found in rounds]}
    starts = [found.start_s for found in rounds]
    last = rounds[-1]
    table = results.table("After the last round", "what", "number")
    table.rows = [
        ("rounds", len(rounds)),
        ("pictures before the first", options.pictures),
        ("acknowledged in all rounds", sum(found.acknowledged for found in rounds)),
        ("rows", last.rows),
        ("counted", last.counted),
        ("originals on disk", last.originals),
        ("thumbnails on disk", last.thumbnails),
        ("start-up, median s", median(starts)),
        ("start-up, longest s", max(starts)),
    ]
    for found in rounds:
        for problem in found.problems:
            results.note(problem)
    results.target(
        "acknowledged pictures that are missing", "<=", 0, sum(found.missing for found in rounds), ""
    )
    bad = sum(bool(found.problems) for found in rounds)
    results.target("rounds in which rows, counters, files or journal differ", "<=", 0, bad, "")
    results.target(f"start-up with {last.rows:,} pictures, longest", "<=", START_LIMIT_S, max(starts), "s")
    chart = results.chart("start-up after a kill", "s")
    chart.add("ours", starts)


if __name__ == "__main__":
    sys.exit(main())
