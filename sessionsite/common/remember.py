"""Answers of the database that lanes outside the request stack may keep for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sessionsite.common.threads import read_in_thread

Answer = TypeVar("Answer")

REMEMBERED_MAX = 10_000


class Remembered(Generic[Answer]):
    """`ask(*args)`, asked in a thread and kept for `for_s` seconds under a key. An error is not kept.

    Those who come while it is being asked wait for that very answer: a busy client's connections would
    otherwise all ask at once, each time it is forgotten.
    """

    def __init__(self, ask: Callable[..., Answer], *, for_s: float = 1.0) -> None:
        self._ask, self._for_s = ask, for_s
        self._answers: dict[Hashable, tuple[float, Answer]] = {}
        self._asking: dict[Hashable, asyncio.Task[Answer]] = {}

    async def get(self, key: Hashable, *args) -> Answer:
        until, answer = self._answers.get(key, (0.0, None))
        if until > time.monotonic():
            return answer
        loop = asyncio.get_running_loop()
        asking = self._asking.get(key)
        if asking is None or asking.get_loop() is not loop:
            asking = self._asking[key] = loop.create_task(self._ask_for(key, args))
        return await asyncio.shield(asking)  # one who goes leaves the question to the others

    async def _ask_for(self, key: Hashable, args: tuple) -> Answer:
        asked_at = time.monotonic()
        try:
            answer = await read_in_thread(self._ask, *args)
        finally:
            if self._asking.get(key) is asyncio.current_task():
                del self._asking[key]
        if len(self._answers) >= REMEMBERED_MAX:
            self._answers.clear()
        self._answers[key] = asked_at + self._for_s, answer
        return answer
