"""Publishing on request, the same for every server of the fan-out benchmark.

`/bench/publish?rate=20&seconds=5&size=600` starts it, `/bench/published` tells how far it is.
rate 0: as fast as the server takes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from benchmarks.lib.peers.state import FIRST_REVISION, state_text

MOST_SECONDS = 120.0


def wanted(query: str) -> tuple[float, float, int]:
    """(rate per second, seconds, bytes) of a request's query."""
    given = {name: values[0] for name, values in parse_qs(query).items()}
    seconds = min(float(given.get("seconds", 1)), MOST_SECONDS)
    return float(given.get("rate", 20)), seconds, int(given.get("size", 600))


class Publisher:
    """send: gives one text to every reader and returns when the next may follow."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self.published = 0
        self.is_done = True
        self._task: asyncio.Task | None = None

    def start(self, query: str) -> None:
        rate, seconds, size = wanted(query)
        self.published, self.is_done = 0, False
        self._task = asyncio.create_task(self._run(rate, seconds, size))

    def progress(self) -> dict:
        return {"published": self.published, "is_done": self.is_done}

    async def _run(self, rate: float, seconds: float, size: int) -> None:
        began = time.monotonic()
        while self.published < rate * seconds if rate else time.monotonic() < began + seconds:
            if rate:
                await asyncio.sleep(max(0.0, began + self.published / rate - time.monotonic()))
            await self._send(state_text(size, FIRST_REVISION + self.published))
            self.published += 1
        self.is_done = True
