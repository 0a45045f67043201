"""Runs the registered loops as asyncio tasks of this process, supervised, under database leases.

Loops of one interval take turns in one trip to a thread: on a machine that sleeps in between, waking costs
more than what they do. A step that fails is logged and the loop goes on. A leased loop runs in one process of
all: the lease is renewed while a long step is still at work, and runs out by itself when its process dies.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from sessions_app.leases import drop_leases, hold_lease
from sessionsite.common.clock import iso, now
from sessionsite.common.loops import Loop, Service, register_loop, registered_loops, registered_services
from sessionsite.common.threads import pool, run_in_pool

__all__ = ["is_running", "loop_reports", "register_loop", "start", "stop"]

logger = logging.getLogger(__name__)

LEASE_S = 30.0
RENEW_S = 10.0
STOP_WITHIN_S = 2.0
AGAIN_S = 5.0
THREADS = 4


@dataclass
class LoopReport:
    """What this process knows about one loop; `last_run_at` is None until its first step has ended."""

    name: str
    interval_s: float
    leased: bool
    holds: bool = False
    runs: int = 0
    failures: int = 0
    last_run_at: str | None = None
    last_duration_ms: float | None = None
    last_error: str = ""


Loops = list[tuple[Loop, LoopReport]]


@dataclass
class _Runner:
    """The tasks of one event loop."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task] = field(default_factory=list)
    ask_again_at: dict[str, float] = field(default_factory=dict)

    def launch(self) -> None:
        together: dict[float, Loops] = {}
        for loop in registered_loops():
            report = _reports[loop.name] = LoopReport(loop.name, loop.interval_s, loop.leased)
            together.setdefault(loop.interval_s, []).append((loop, report))
        for interval_s, loops in together.items():
            name = f"loops:{interval_s:g}s"
            self.tasks.append(asyncio.create_task(self._repeat(interval_s, loops), name=name))
        for service in registered_services():
            self.tasks.append(asyncio.create_task(self._keep_up(service), name=f"service:{service.name}"))

    async def _keep_up(self, service: Service) -> None:
        while not self.stopping.is_set():
            try:
                await service.run(self.stopping)
            except Exception:
                logger.exception("%s failed; it begins anew in %g s", service.name, AGAIN_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self.stopping.wait()

    async def _repeat(self, interval_s: float, loops: Loops) -> None:
        while not self.stopping.is_set():
            try:
                await self._round(loops)
            except Exception:
                logger.exception("the background loops of %g s stumbled; they go on", interval_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self.stopping.wait()

    async def _round(self, loops: Loops) -> None:
        """One step of each, in turn."""
        steps = asyncio.ensure_future(self._in_thread(self._step_each, loops))
        while not (await asyncio.wait({steps}, timeout=RENEW_S))[0]:
            try:
                await self._in_thread(self._renew, loops)
            except DatabaseError:
                logger.warning("the leases of a long step could not be renewed", exc_info=True)
        steps.result()

    def _step_each(self, loops: Loops) -> None:
        for loop, report in loops:
            if self.stopping.is_set():
                return
            try:
                if self._may_run(loop, report):
                    _step(loop, report)
            except Exception as exc:
                report.failures += 1
                report.last_error = f"{type(exc).__name__}: {exc}"[:300]
                logger.exception("background loop %s failed; it goes on in %g s", loop.name, loop.interval_s)
                close_old_connections()  # the next loop does not meet the broken one

    def _may_run(self, loop: Loop, report: LoopReport) -> bool:
        if loop.leased and time.monotonic() >= self.ask_again_at.get(loop.name, 0.0):
            report.holds = False  # until the answer is there
            self.ask_again_at[loop.name] = time.monotonic() + RENEW_S
            report.holds = _hold(loop)
        return report.holds or not loop.leased

    def _renew(self, loops: Loops) -> None:
        for loop, report in loops:
            if report.holds:
                report.holds = _hold(loop)

    async def _in_thread(self, func: Callable, *args):
        return await run_in_pool(pool("background", THREADS), func, *args)

    async def end(self) -> None:
        """Let the running steps end, then give the leases back."""
        self.stopping.set()
        if self.tasks:
            _, late = await asyncio.wait(self.tasks, timeout=STOP_WITHIN_S)
            for task in late:
                logger.warning("%s did not end within %g s", task.get_name(), STOP_WITHIN_S)
                task.cancel()
        if any(report.holds for report in _reports.values()):
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await self._in_thread(drop_leases)
            except Exception:  # the leases run out by themselves
                logger.warning("the leases could not be given back", exc_info=True)
        _reports.clear()


def _step(loop: Loop, report: LoopReport) -> None:
    begun = time.monotonic()
    try:
        loop.func()
        report.last_error = ""
    finally:
        report.runs += 1
        report.last_run_at = iso(now())
        report.last_duration_ms = round((time.monotonic() - begun) * 1000, 1)


def _hold(loop: Loop) -> bool:
    """This process keeps the loop until its next step; what a killed one held waits hardly longer."""
    ttl_s = max(LEASE_S, min(3 * loop.interval_s, loop.interval_s + LEASE_S))
    return hold_lease(f"loop:{loop.name}", ttl_s) is not None


_runners: WeakKeyDictionary[asyncio.AbstractEventLoop, _Runner] = WeakKeyDictionary()
_reports: dict[str, LoopReport] = {}


def start(*, always: bool = False) -> None:
    """The registered loops run on the running event loop; a second call changes nothing.

    With BACKGROUND_LOOPS off nothing starts, unless `always` says so (the worker).
    """
    event_loop = asyncio.get_running_loop()
    if event_loop in _runners or not (always or settings.BACKGROUND_LOOPS):
        return
    runner = _runners[event_loop] = _Runner()
    runner.launch()


async def stop() -> None:
    """No loop runs on this event loop any more; running steps get STOP_WITHIN_S seconds to end."""
    if runner := _runners.pop(asyncio.get_running_loop(), None):
        await runner.end()


def is_running() -> bool:
    """Whether this process runs the loops."""
    return bool(_reports)


def loop_reports() -> list[LoopReport]:
    """One report per loop that this process runs."""
    return [_reports[name] for name in sorted(_reports)]
