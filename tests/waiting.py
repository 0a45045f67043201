"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import connections

STEP_S = 0.01
PATIENCE_S = 30.0  # then it is taken for a deadlock; a machine with other work is slow, not wrong
_threads = ThreadPoolExecutor(4, thread_name_prefix="test")


def wait_until(is_true: Callable[[], object], within_s: float = PATIENCE_S, what: str = ""):
    """What `is_true()` returns once it is true. Fails after `within_s` seconds."""
    end = time.monotonic() + within_s
    while not (found := is_true()):
        assert time.monotonic() < end, f"not within {within_s} s: {what or is_true}"
        time.sleep(STEP_S)
    return found


async def until(is_true: Callable[[], object], within_s: float = PATIENCE_S, what: str = ""):
    """The same without blocking the event loop."""
    end = time.monotonic() + within_s
    while not (found := is_true()):
        assert time.monotonic() < end, f"not within {within_s} s: {what or is_true} {live_tasks()}"
        await asyncio.sleep(STEP_S)
    return found


def _then_close(func: Callable):
    try:
        return func()
    finally:
        connections.close_all()


async def in_thread(func: Callable, *args, **kwargs):
    """func(...), which uses the database, as another thread of the server would call it."""
    call = partial(func, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, _then_close, call)


async def until_read(read: Callable, is_true: Callable[[object], object], within_s: float = PATIENCE_S):
    """What `read()`, which uses the database, returns once `is_true` of it."""
    end = time.monotonic() + within_s
    while not is_true(found := await in_thread(read)):
        assert time.monotonic() < end, f"not within {within_s} s: {is_true} of {vars(found)}"
        await asyncio.sleep(STEP_S)
    return found


LIVE_TASKS = ("close", "feed", "hub", "pump", "relay", "socket", "stream")


def live_tasks() -> list[str]:
    """The tasks of hubs and readers that run on this event loop; a Redis client has some of its own."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.partition(" ")[0] in LIVE_TASKS]
