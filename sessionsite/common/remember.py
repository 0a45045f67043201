"""Answers of the database that lanes outside the request stack may keep for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sessionsite.common.threads import read_in_thread

Answer = TypeVar("Answer")

REMEMBERED_MAX = 10_000


class Remembered(Generic[Answer]):
    """`ask(*args)`, asked in a thread and kept for `for_s` seconds under a key. An error is not kept."""

    def __init__(self, ask: Callable[..., Answer], *, for_s: float = 1.0) -> None:
        self._ask, self._for_s = ask, for_s
        self._answers: dict[Hashable, tuple[float, Answer]] = {}

    async def get(self, key: Hashable, *args) -> Answer:
        until, answer = self._answers.get(key, (0.0, None))
        if until > time.monotonic():
            return answer
        asked_at = time.monotonic()
        answer = await read_in_thread(self._ask, *args)
        if len(self._answers) >= REMEMBERED_MAX:
            self._answers.clear()
        self._answers[key] = asked_at + self._for_s, answer
        return answer
