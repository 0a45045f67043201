"""One thread that commits what has queued up as one transaction, and tells each request its result."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import close_old_connections

logger = logging.getLogger(__name__)

BATCH_MAX = 64
GATHER_S, GATHER_MAX_S = 0.004, 0.02  # a commit alone costs as much as two or three of its items

Item = TypeVar("Item")


@dataclass(frozen=True)
class Answer:
    """Where one request's result is awaited: a future and its loop."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    @classmethod
    def here(cls) -> Answer:
        """An answer awaited on the running loop."""
        loop = asyncio.get_running_loop()
        return cls(loop, loop.create_future())

    def give(self, result: object) -> None:
        """From any thread: who waits gets the result; an exception is raised there."""
        with suppress(RuntimeError):  # the loop has ended: nobody waits, what is committed stays
            self.loop.call_soon_threadsafe(self.settle, result)

    def settle(self, result: object) -> None:
        """On the loop's own thread, what `give` does."""
        if self.future.done():  # its client has gone; what is committed stays all the same
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class GroupCommit(Generic[Item]):
    """Started by the first item. While it commits, the next batch gathers: the busier, the larger.

    commit: takes a batch, returns each item's result in order (an exception is raised where it is awaited);
    when it raises itself, everyone gets that exception.
    coming: how many items are on their way in this process, queued ones included. A commit waits for half of
    them, for about as long as it takes itself, so that a lone item never waits.
    """

    def __init__(
        self, name: str, commit: Callable[[list[Item]], Sequence[object]], coming: Callable[[], int]
    ) -> None:
        self._name, self._commit, self._coming = name, commit, coming
        self._jobs: deque[tuple[Item, Answer]] = deque()
        self._changed = threading.Condition()
        self._first_at = 0.0  # when the first of these came
        self.gather_s = GATHER_S  # how long the first of a batch waits for others now
        self._is_idle = False  # the thread waits for a first job, however long it takes
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """The thread runs. Else the first item starts it, with the priority of the thread that puts it."""
        if self._thread is None:
            with self._changed:
                self._start()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            thread.start()
            self._thread = thread

    def put(self, item: Item, answer: Answer) -> None:
        """Thread-safe; the answer is given after the commit."""
        with self._changed:
            if not self._jobs:
                self._first_at = time.monotonic()
            self._jobs.append((item, answer))
            # Not for each job: a thread woken in vain takes the interpreter from those who bring more.
            if self._is_idle or self._is_enough():
                self._changed.notify()
            self._start()

    def _is_enough(self) -> bool:
        return len(self._jobs) >= BATCH_MAX or 2 * len(self._jobs) >= self._coming()

    def _run(self) -> None:
        while True:
            self._work(self._gather())

    def _gather(self) -> list[tuple[Item, Answer]]:
        """What is to be committed together: at least one job, as soon as there is one."""
        with self._changed:
            began = time.monotonic()
            if self._coming() and not self._jobs:
                # Whoever was just answered comes back at once: the first of them need not wake this thread.
                self._changed.wait_for(lambda: self._jobs and self._is_enough(), self.gather_s)
            self._wait_for_first()
            left_s = max(began, self._first_at) + self.gather_s - time.monotonic()
            self._changed.wait_for(self._is_enough, max(0.0, left_s))
            return [self._jobs.popleft() for _ in range(min(len(self._jobs), BATCH_MAX))]

    def _wait_for_first(self) -> None:
        while not self._jobs:
            self._is_idle = True
            self._changed.wait()
        self._is_idle = False

    def _work(self, jobs: list[tuple[Item, Answer]]) -> None:
        began = time.monotonic()
        close_old_connections()
        try:
            results: Sequence[object] = self._commit([item for item, _ in jobs])
        except Exception as error:  # a bug: its traceback is logged, and the thread lives for the next batch
            logger.exception("%s: a batch of %d failed", self._name, len(jobs))
            results = [error] * len(jobs)
        finally:
            close_old_connections()
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Answer, object]]] = defaultdict(list)
        for (_, answer), result in zip(jobs, results, strict=True):
            by_loop[answer.loop].append((answer, result))
        for loop, own in by_loop.items():
            with suppress(RuntimeError):  # its loop has ended: nobody waits
                loop.call_soon_threadsafe(_settle, own)
        self._note_duration(time.monotonic() - began)

    def _note_duration(self, took_s: float) -> None:
        """The next batches gather for about as long as the last eight took, on a slow machine longer."""
        self.gather_s += (min(max(took_s, GATHER_S), GATHER_MAX_S) - self.gather_s) / 8


def _settle(results: list[tuple[Answer, object]]) -> None:
    for answer, result in results:
        answer.settle(result)
