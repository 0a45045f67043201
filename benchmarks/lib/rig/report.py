"""The targets and the table of days and nights."""

from __future__ import annotations

from argparse import Namespace

from benchmarks.lib.options import FULL
from benchmarks.lib.results import Results

# docs/performance.md says what each of these limits would catch.
OBJECTS_PER_EVENT = {"day": 1, "nights": 0.5}  # an event that stays in memory takes ten in the mean
MALLOC_MIB = 0.5  # from the third quarter to the last
DAY_SLOPE_MIB = 0.25  # per simulated hour, of what is in use: page caches are filling
NIGHTS_MIB = {"used": 1.0, "own": 2.5}  # from the third quarter to the last


def report(found: dict, run: Namespace, results: Results) -> None:
    rigs = found["rigs"].values()

    def total(name: str) -> int:
        return sum(rig[name] if isinstance(rig[name], int) else len(rig[name]) for rig in rigs)

    results.target("events lost", "<=", 0, total("lost"), "events")
    results.target("events counted twice", "<=", 0, total("counted_twice"), "events")
    results.target("values of the state unlike a fresh machine's", "<=", 0, total("state_differs"), "values")
    if run.size == FULL:
        _judge_memory(found, run, results)
    table = results.table("What happened", "what", "figure")
    table.rows += [
        ("simulated hours, at this speed, of so many rigs", f"{run.hours:g}, {run.speed:g}x, {run.rigs}"),
        ("frames sent, of which twice", f"{found['frames_sent']:,}, {run.dup:.0%}"),
        ("cuts of a connection, one every so many seconds", f"{total('cuts')} ({run.cut_every:g})"),
        (
            "restarts of a NINA, entries that they took",
            f"{total('restarts')}, {total('entries_forgotten'):,}",
        ),
        ("connections", total("connections")),
        ("events in the histories of NINA", total("events_in_nina")),
        ("stored: heard on the socket", total("heard")),
        ("stored: only read from the history", total("events_stored") - total("heard")),
        ("frames found by a rebuild to repeat an event", total("repeats")),
        ("messages on open panels", sum(found["on_the_panels"].values())),
        ("events told between the last two quarters", found["last_quarter_events"]),
        ("processor time of the server, % of a core", found["cpu_percent"]),
        *_memory_rows(found),
    ]


def _judge_memory(found: dict, run: Namespace, results: Results) -> None:
    target = results.target
    objects, malloc = found["objects_per_event"], found["last_quarter_malloc_mib"]
    target("objects held per stored event", "<=", OBJECTS_PER_EVENT[run.part], objects, "objects")
    target("in use by malloc without SQLite, third to last quarter", "<=", MALLOC_MIB, malloc, "MiB")
    if run.part == "day":
        slope, unit = found["used_slope_mib_per_simulated_hour"], "MiB per simulated hour"
        what = "own memory without what malloc keeps free, slope over the second half"
        target(what, "<=", DAY_SLOPE_MIB, slope, unit)
    else:
        used, own = found["last_quarter_used_mib"], found["last_quarter_own_mib"]
        what = "own memory without what malloc keeps free, third to last quarter"
        target(what, "<=", NIGHTS_MIB["used"], used, "MiB")
        target("own memory, third to last quarter", "<=", NIGHTS_MIB["own"], own, "MiB")


def _memory_rows(found: dict) -> list[tuple]:
    return [
        ("objects in each quarter, thousands", _shown(found["objects"], 1000)),
        ("in use by malloc in each quarter, without SQLite, MiB", _shown(found["malloc_mib"])),
        ("in use by SQLite in each quarter, MiB", _shown(found["sqlite_mib"])),
        ("own memory in each quarter, MiB", _shown(found["own_mib"])),
        ("without what malloc keeps free, MiB", _shown(found["used_mib"])),
        ("slope of own memory over the second half, MiB per real hour", found["slope_mib_per_real_hour"]),
        ("and per simulated hour", found["slope_mib_per_simulated_hour"]),
        (
            "without what malloc keeps free, MiB per simulated hour",
            found["used_slope_mib_per_simulated_hour"],
        ),
    ]


def _shown(figures: list[float], divisor: int = 1) -> str:
    return " / ".join(f"{figure / divisor:.1f}" for figure in figures)
