"""Requests that come together are counted together: one question to the counter for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from sessionsite.accounts.rates.stores import Store, Taken, Wanted
from sessionsite.common.threads import read_in_thread

Waiting = dict[str, tuple[int, list[asyncio.Future]]]


class Gathered:
    """One question at a time per event loop, each for all who wait; first come, first granted.

    A quick store is asked once in a turn of the loop, on the loop; another in a thread, and those who come
    meanwhile are the next question.
    """

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, Waiting] = WeakKeyDictionary()
        self._working: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Handle | asyncio.Task] = (
            WeakKeyDictionary()
        )

    async def take(self, name: str, limit: int) -> Taken:
        """Whether one more fits under `name`."""
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.setdefault(loop, {}).setdefault(name, (limit, []))[1].append(mine)
        if loop not in self._working:
            self._working[loop] = self._begin(loop)
        return await mine

    def _begin(self, loop: asyncio.AbstractEventLoop) -> asyncio.Handle | asyncio.Task:
        if self._store().is_quick:
            return loop.call_soon(self._ask_here, loop)
        return loop.create_task(self._ask_in_thread(loop), name="rates")

    def _ask_here(self, loop: asyncio.AbstractEventLoop) -> None:
        del self._working[loop]
        waiting = self._waiting.pop(loop)
        try:
            _grant(waiting, self._store().take(_wanted(waiting)))
        except Exception as error:
            _fail(waiting, error)

    async def _ask_in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while waiting := self._waiting.pop(loop, None):
                try:
                    _grant(waiting, await read_in_thread(self._store().take, _wanted(waiting)))
                except Exception as error:
                    _fail(waiting, error)
        finally:
            del self._working[loop]


def _wanted(waiting: Waiting) -> list[Wanted]:
    return [Wanted(name, len(futures), limit) for name, (limit, futures) in waiting.items()]


def _grant(waiting: Waiting, found: list[Taken]) -> None:
    for (_, futures), taken in zip(waiting.values(), found, strict=True):
        for number, future in enumerate(futures):
            if not future.done():
                future.set_result(Taken(int(number < taken.granted), taken.wait_s))


def _fail(waiting: Waiting, error: Exception) -> None:
    for future in (future for _, futures in waiting.values() for future in futures):
        if not future.done():
            future.set_exception(error)
