"""How long the server needs to read and store the history of a NINA that has run for weeks."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.lib.databases import OWN, database, has_postgresql
from benchmarks.lib.results import Results, say
from benchmarks.lib.rig.judging import judged
from benchmarks.lib.rig.recording import history_of, nothing_happens
from benchmarks.lib.rig.requests import add_rig, refresh, stored_sessions
from benchmarks.lib.servers import Ours, ours
from monitoring.nina.simulator import SimulatedNina

LIMIT_S = 5


def burst_on(wanted: str, folder: Path, options, results: Results) -> None:
    if wanted == OWN and not has_postgresql():
        results.note("skipped: PostgreSQL is not installed")
        return
    name = "SQLite" if wanted == "sqlite" else "PostgreSQL"
    with database(wanted, folder) as url:
        env = {"DATABASE_URL": url} if url else {}
        with ours(folder, name=f"burst-{name}", **env).prepare([]) as served:
            asyncio.run(_burst(served, name, options.events, results))


async def _burst(served: Ours, name: str, events: int, results: Results) -> None:
    say(f"  burst on {name}")
    async with SimulatedNina(nothing_happens()).serving() as nina:
        await add_rig(served, "rig-2", nina)
        nina.history, nina.images = history_of(events, datetime.now(UTC))
        seed_s, again_s = [await _refresh_s(served, "rig-2") for _ in range(2)]
        found = await judged(served, "rig-2", nina)
    wrong = {key: found[key] for key in ("lost", "counted_twice", "state_differs") if found[key]}
    assert not wrong, f"{name}: {wrong}"
    sessions, stored = await stored_sessions(served, "rig-2"), found["events_stored"]
    results.raw[f"burst-{name}"] = {
        "events": stored, "images_paired": found["images_paired"], "sessions": len(sessions),
        "journal_entries": sum(session["last_seq"] for session in sessions),
        "seed_s": seed_s, "again_s": again_s,
    }  # fmt: skip
    results.target(f"a history of {stored:,} events is stored, {name}", "<=", LIMIT_S, seed_s, "s")
    results.target(f"the same history read again, {name}", "<=", LIMIT_S, again_s, "s")


async def _refresh_s(served: Ours, slug: str) -> float:
    began = time.perf_counter()
    await refresh(served, slug)
    return time.perf_counter() - began
