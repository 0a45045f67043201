"""Requests that come while the counter is being asked are counted together by the next question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from sessionsite.accounts.rates.stores import Taken, Wanted
from sessionsite.common.threads import read_in_thread

Ask = Callable[[Sequence[Wanted]], list[Taken]]
Waiting = dict[str, tuple[int, list[asyncio.Future]]]


class Gathered:
    """One question at a time per event loop, each for all who wait; first come, first granted."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, Waiting] = WeakKeyDictionary()
        self._working: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task] = WeakKeyDictionary()

    async def take(self, name: str, limit: int) -> Taken:
        """Whether one more fits under `name`."""
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.setdefault(loop, {}).setdefault(name, (limit, []))[1].append(mine)
        if loop not in self._working:
            self._working[loop] = loop.create_task(self._work(loop), name="rates")
        return await mine

    async def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while waiting := self._waiting.pop(loop, None):
                await self._settle(waiting)
        finally:
            del self._working[loop]

    async def _settle(self, waiting: Waiting) -> None:
        wanted = [Wanted(name, len(futures), limit) for name, (limit, futures) in waiting.items()]
        try:
            found = await read_in_thread(self._ask, wanted)
        except Exception as error:
            for future in (future for _, futures in waiting.values() for future in futures):
                if not future.done():
                    future.set_exception(error)
            return
        for (_, futures), taken in zip(waiting.values(), found, strict=True):
            for number, future in enumerate(futures):
                if not future.done():
                    future.set_result(Taken(int(number < taken.granted), taken.wait_s))
