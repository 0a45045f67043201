"""Requests take turns: threads that all want the interpreter at once mostly wake each other up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

SLOW_S = 0.02  # a turn that takes longer makes room for the next one


class Turns:
    """At most `count` at work at once, per event loop, and those that take long beside them.

    So nobody waits longer than SLOW_S for somebody who waits for a disk, a database or a large result.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Waits for a turn; it ends with the block, or before when the block takes long."""
        loop = asyncio.get_running_loop()
        free = self._free.setdefault(loop, asyncio.Semaphore(self._count))
        await free.acquire()
        turn = _Turn(free)
        slow = loop.call_later(SLOW_S, turn.end)
        try:
            yield
        finally:
            slow.cancel()
            turn.end()


class _Turn:
    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free

    def end(self) -> None:
        """Ended once, however often this is called."""
        if self._free is not None:
            self._free.release()
            self._free = None
