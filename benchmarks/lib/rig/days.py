"""Nights of several telescopes, one after the other, on one server; the clocks of their NINAs run fast."""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from benchmarks.lib.machine import cpu_seconds
from benchmarks.lib.results import say
from benchmarks.lib.rig.growth import growth, watch
from benchmarks.lib.rig.requests import add_rig
from benchmarks.lib.rig.telescope import SETTLE_S, Telescope
from benchmarks.lib.servers import Ours

BEGIN_AFTER_S = 1.0


async def days(served: Ours, memory: Path, run: Namespace) -> dict:
    """What was stored and shown at the end against what each NINA has told, and the memory meanwhile."""
    say(f"  {run.hours:g} hours of {run.rigs} rigs in {run.hours * 60 / run.speed:.1f} minutes")
    telescopes = [Telescope(f"dome-{number}", served, run, number) for number in range(1, run.rigs + 1)]
    async with AsyncExitStack() as stack:
        for telescope in telescopes:
            await stack.enter_async_context(telescope.nina.serving())
            await add_rig(served, telescope.slug, telescope.nina)
        begin = telescopes[0].nina.now() + timedelta(seconds=BEGIN_AFTER_S * run.speed)
        samples: list[dict] = []
        cpu_s, began = cpu_seconds(served.pid), time.monotonic()
        await until_over(
            [
                telescopes[0].until(begin + timedelta(hours=run.hours)),
                *[telescope.live(begin) for telescope in telescopes],
            ],
            [
                watch(served, memory, [telescope.nina for telescope in telescopes], samples),
                *[telescope.lose_connections() for telescope in telescopes],
                *[telescope.follow() for telescope in telescopes],
            ],
        )
        took_s, cpu_s = time.monotonic() - began, cpu_seconds(served.pid) - cpu_s
        await asyncio.sleep(SETTLE_S)
        return {
            "hours": run.hours, "took_s": round(took_s), "cpu_percent": 100 * cpu_s / took_s,
            "frames_sent": sum(telescope.nina.sent for telescope in telescopes),
            "on_the_panels": dict(sum((telescope.panel for telescope in telescopes), Counter())),
            "rigs": {telescope.slug: await telescope.judged() for telescope in telescopes},
            **growth(samples, run.speed),
            "samples": samples,
        }  # fmt: skip


async def until_over(works: list[Coroutine], meanwhile: list[Coroutine]) -> None:
    """All of `works` have ended, and what went on meanwhile is cancelled.

    Whatever fails, of either, ends everything at once, as an ExceptionGroup.
    """
    async with asyncio.TaskGroup() as tasks:
        endless = [tasks.create_task(work) for work in meanwhile]
        await asyncio.wait([tasks.create_task(work) for work in works])
        for task in endless:
            task.cancel()
