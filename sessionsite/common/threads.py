"""Small pools of long-lived threads that keep their database connections from job to job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from django.db import close_old_connections

Result = TypeVar("Result")

LIVE_READERS = 2  # threads that read snapshots and events for sockets and streams
LIVE_WRITERS = 1  # threads that write down who reads, and what sockets send


@cache
def pool(name: str, size: int) -> ThreadPoolExecutor:
    """This process's pool of that name; its threads start with their first job."""
    return ThreadPoolExecutor(size, thread_name_prefix=name)


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
