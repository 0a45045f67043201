"""How the server's memory grows while events are stored: samples, quarters, slopes, a picture."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours
from monitoring.nina.simulator import SimulatedNina

LOOK_S = 0.2
TOLD_WITHIN_S = 60.0
MIB = 2**20


async def watch(served: Ours, memory: Path, ninas: list[SimulatedNina], samples: list[dict]) -> None:
    """What the server tells of its memory is in `samples`, until this is cancelled.

    Raises RuntimeError when the server has ended or tells nothing.
    """
    began = told_at = time.time()
    while True:
        await asyncio.sleep(LOOK_S)
        if served.process.poll() is not None or time.time() - told_at > TOLD_WITHIN_S:
            raise RuntimeError("the server does not tell what it holds in memory any more")
        told = json.loads(memory.read_text()) if memory.exists() else {"at": 0.0}
        if told["at"] > told_at:
            told_at = told["at"]
            samples.append(
                {**sample_of(told), "at_s": round(told_at - began, 1), "events": events_told(ninas)}
            )


def sample_of(told: dict[str, float]) -> dict[str, float]:
    """own: anonymous memory. used: of that what malloc does not keep free.

    malloc: in use without SQLite's page caches, which fill with the database.
    """
    return {
        "objects": told["objects"],
        "own_mib": round(told["own_bytes"] / MIB, 3),
        "used_mib": round((told["own_bytes"] - told["free_bytes"]) / MIB, 3),
        "malloc_mib": round((told["malloc_bytes"] - told["sqlite_bytes"]) / MIB, 3),
        "sqlite_mib": round(told["sqlite_bytes"] / MIB, 3),
    }


def events_told(ninas: list[SimulatedNina]) -> int:
    """Entries of all histories, those included that restarts have taken."""
    return sum(len(nina.history) + sum(len(entries) for entries, _ in nina.past) for nina in ninas)


def growth(samples: list[dict], speed: float) -> dict:
    """Each quarter of the time in figures, and what they come to per event and per hour.

    Of objects the least of a quarter: what a rebuild under way holds comes and goes. Else its median:
    the parts are not read at one moment. Per event: from the second quarter on, when code is loaded.
    """
    cuts = [len(samples) * n // 4 for n in range(5)]
    quarters = [samples[begin:end] or samples for begin, end in pairwise(cuts)]
    objects = _of_each(quarters, "objects", min)
    malloc, sqlite, own, used = [
        _of_each(quarters, f"{name}_mib", median) for name in ("malloc", "sqlite", "own", "used")
    ]
    events = max(quarters[3][-1]["events"] - quarters[1][-1]["events"], 1)
    own_slope, used_slope = [
        slope_of([(sample["at_s"], sample[f"{name}_mib"]) for sample in samples[cuts[2] :]]) * 3600
        for name in ("own", "used")
    ]
    return {
        "objects": objects, "malloc_mib": malloc, "own_mib": own, "used_mib": used, "sqlite_mib": sqlite,
        "objects_per_event": round((objects[3] - objects[1]) / events, 2),
        "last_quarter_malloc_mib": round(malloc[3] - malloc[2], 3),
        "last_quarter_own_mib": round(own[3] - own[2], 3),
        "last_quarter_used_mib": round(used[3] - used[2], 3),
        "last_quarter_events": quarters[3][-1]["events"] - quarters[2][-1]["events"],
        "slope_mib_per_real_hour": round(own_slope, 3),
        "slope_mib_per_simulated_hour": round(own_slope / speed, 4),
        "used_slope_mib_per_simulated_hour": round(used_slope / speed, 4),
    }  # fmt: skip


def _of_each(quarters: list[list[dict]], name: str, figure: Callable) -> list[float]:
    return [figure(sample[name] for sample in quarter) for quarter in quarters]


def slope_of(points: list[tuple[float, float]]) -> float:
    """Of the straight line with the least squares; 0 for fewer than three points."""
    if len(points) < 3:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def draw(samples: list[dict], results: Results) -> None:
    """The memory over the time as a picture beside the table."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        say("no chart: matplotlib is not installed (requirements-bench.txt)")
        return
    minutes = [sample["at_s"] / 60 for sample in samples]
    figure, axis = pyplot.subplots(figsize=(9, 3.2))
    for name, label, colour in (
        ("own_mib", "own memory", "#2f6f8f"),
        ("malloc_mib", "in use by malloc, without SQLite", "#6f9f5f"),
        ("sqlite_mib", "in use by SQLite", "#8f6f9f"),
    ):
        axis.plot(minutes, [sample[name] for sample in samples], color=colour, label=label)
    axis.set_ylim(0, 1.35 * max(sample["own_mib"] for sample in samples))
    axis.set_xlabel("real minutes", fontsize=8)
    axis.set_ylabel("MiB of the server", fontsize=8)
    events = axis.twinx()
    events.plot(minutes, [sample["events"] for sample in samples], color="#b8862f", linewidth=1)
    events.set_ylabel("events in the histories", fontsize=8, color="#b8862f")
    events.set_ylim(bottom=0)
    axis.legend(fontsize=8, loc="upper left", ncols=3, frameon=False)
    for each in (axis, events):
        each.tick_params(labelsize=8)
        each.spines["top"].set_visible(False)
    axis.set_title(f"{results.title} at {results.options.speed:g}x speed", fontsize=10, loc="left")
    figure.tight_layout()
    figure.savefig(results.path.with_name(f"{results.path.name}.png"), dpi=110, metadata={"Software": ""})
    pyplot.close(figure)
