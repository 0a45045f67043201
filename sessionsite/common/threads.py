"""Small pools of long-lived threads, which keep their database connections from job to job."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from django.db import close_old_connections

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

LIVE_READERS = 2  # threads that read snapshots and events for sockets and streams
LIVE_WRITERS = 1  # threads that write down who reads, and what sockets send


@cache
def pool(name: str, size: int) -> ThreadPoolExecutor:
    """This process's pool of that name; its threads start with their first job."""
    return ThreadPoolExecutor(size, thread_name_prefix=name)


class Workers:
    """Threads for jobs whose result nobody awaits here: without a future, a job is handed over in a third.

    begin: what each thread does first. They have the priority of the thread that makes them, and last as
    long as the process.
    """

    def __init__(self, name: str, size: int, begin: Callable[[], None]) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[..., None], tuple]] = queue.SimpleQueue()
        for number in range(size):
            threading.Thread(target=self._run, args=(begin,), name=f"{name}_{number}", daemon=True).start()

    def submit(self, func: Callable[..., None], *args) -> None:
        """func(*args) runs soon in one of the threads; what it raises is logged."""
        self._jobs.put((func, args))

    def _run(self, begin: Callable[[], None]) -> None:
        begin()
        while True:
            self._work(*self._jobs.get())

    @staticmethod
    def _work(func: Callable[..., None], args: tuple) -> None:
        try:
            func(*args)
        except Exception:
            logger.exception("a job failed")


@cache
def workers(name: str, size: int, begin: Callable[[], None] = lambda: None) -> Workers:
    """This process's workers of that name."""
    return Workers(name, size, begin)


def _with_fresh_connection(func: Callable[..., Result], args: tuple) -> Result:
    close_old_connections()
    try:
        return func(*args)
    finally:
        close_old_connections()  # keeps what CONN_MAX_AGE lets it keep


async def run_in_pool(threads: ThreadPoolExecutor, func: Callable[..., Result], *args) -> Result:
    """func(*args), which uses the database, in one of `threads`."""
    return await asyncio.get_running_loop().run_in_executor(threads, _with_fresh_connection, func, args)


async def read_in_thread(func: Callable[..., Result], *args) -> Result:
    """func(*args), which reads the database, off the event loop."""
    return await run_in_pool(pool("live", LIVE_READERS), func, *args)


def start_reading(func: Callable[[], Result], then: Callable[[Future[Result]], None]) -> None:
    """func(), which reads the database, runs soon, and then(its future) after it, both in a thread.

    May be called in any thread. Raises RuntimeError when the process ends.
    """
    pool("live", LIVE_READERS).submit(_with_fresh_connection, func, ()).add_done_callback(then)


async def write_in_thread(func: Callable[..., Result], *args) -> Result:
    """func(*args), which writes to the database, off the event loop and out of the readers' way."""
    return await run_in_pool(pool("live write", LIVE_WRITERS), func, *args)
