"""Runs jobs, one at a time, in one process of all: whoever holds the lease.

A job whose process was killed is taken up again from its start as soon as the lease has run out. A run that
lost its lease meanwhile is fenced off by its claim: every write of it names the claim, and changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError

from monitoring import disk
from monitoring.jobs import verbs
from monitoring.jobs.models import Job, JobState
from monitoring.services.errors import DiskFull
from sessions_app.leases import hold_lease
from sessionsite.common.errors import DomainError
from sessionsite.common.threads import pool, run_in_pool

logger = logging.getLogger(__name__)

LEASE = "jobs"
LEASE_S = 20.0
RENEW_S = 5.0
LOOK_S = 1.0  # how soon a job that was asked for in any process begins
NOTE_EVERY_S = 0.5
INTERNAL_ERROR = "Something went wrong; the log of the server says what."


class Stopping(Exception):
    """The server stops: the job goes back into the queue."""


class Run:
    """What a job's function is given: the job, and a way to say how far it is."""

    def __init__(self, job: Job, is_stopping: Callable[[], bool]) -> None:
        self.job = job
        self._is_stopping = is_stopping
        self._noted_at = 0.0

    def note(self, done: int, total: int, words: str = "") -> None:
        """`done` of `total` are through. Raises Stopping, verbs.Replaced, DiskFull."""
        if self._is_stopping():
            raise Stopping
        if time.monotonic() - self._noted_at < NOTE_EVERY_S:
            return
        self._noted_at = time.monotonic()
        if disk.is_full():
            raise DiskFull("The disk has reached its reserve; free some space and ask again.")
        verbs.note_progress(self.job, done / total if total else 0.0, words or f"{done:,} of {total:,}")


def run_next(is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """One job is run to its end, as far as it goes. False: there was none, or another process runs them."""
    if not verbs.has_work() or hold_lease(LEASE, LEASE_S) is None:
        return False
    job = verbs.take_up()
    if job is None:
        return False
    try:
        changes = _function_of(job)(Run(job, is_stopping))
        state = changes.pop("state", JobState.DONE)
        verbs.end(job, state, claim=job.claim, progress_frac=1.0, **changes)
        if state == JobState.DONE:
            verbs.forget_upload(job)  # not before: a job that is taken up again reads it once more
    except Stopping:
        verbs.put_back(job)
    except (verbs.Replaced, verbs.JobMoved):
        logger.info("%s was cancelled, removed or taken over", job.key)
    except (OperationalError, InterfaceError):
        raise  # of the database, not of the job: it is taken up again
    except DomainError as refusal:
        _fail(job, refusal.message)
    except Exception:
        logger.exception("%s failed", job.key)
        _fail(job, INTERNAL_ERROR)
    return True


def _fail(job: Job, message: str) -> None:
    with suppress(verbs.JobMoved):
        verbs.end(job, JobState.FAILED, claim=job.claim, message=message[:500])


def _function_of(job: Job) -> Callable[[Run], dict]:
    """What does the work of this kind: takes a Run, gives the columns of the finished job."""
    from monitoring.jobs.work import FUNCTIONS  # its modules need this one

    return FUNCTIONS[job.kind]


_waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event] = WeakKeyDictionary()


def look_for_jobs() -> None:
    """Wakes `keep_running` in this process when there is something to do; registered as a loop of LOOK_S."""
    if verbs.has_work():
        for event_loop, is_there in list(_waiting.items()):
            with suppress(RuntimeError):  # that loop has ended
                event_loop.call_soon_threadsafe(is_there.set)


async def keep_running(stopping: asyncio.Event) -> None:
    """Jobs are run until `stopping` is set; the one at work then goes back into the queue."""
    is_there = _waiting[asyncio.get_running_loop()] = asyncio.Event()
    end = asyncio.ensure_future(stopping.wait())
    end.add_done_callback(lambda _: is_there.set())
    try:
        while not stopping.is_set():
            is_there.clear()
            if not await _run_next(stopping):
                await is_there.wait()
    finally:
        end.cancel()


async def _run_next(stopping: asyncio.Event) -> bool:
    """`run_next` in a thread, under a lease that is renewed meanwhile."""
    work = asyncio.ensure_future(_in_thread(run_next, stopping.is_set))
    while not (await asyncio.wait({work}, timeout=RENEW_S))[0]:
        with suppress(OperationalError, InterfaceError):  # the claim fences a run that lost its lease
            await _in_thread(hold_lease, LEASE, LEASE_S)
    return work.result()


async def _in_thread(func: Callable, *args):
    return await run_in_pool(pool("jobs", 2), func, *args)
