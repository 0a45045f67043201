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

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError

from monitoring import disk
from monitoring.jobs import verbs
from monitoring.jobs.models import Job, JobState
from monitoring.services.errors import DiskFull
from sessions_app.leases import hold_lease
from sessionsite.common.errors import DomainError
from sessionsite.common.threads import pool

logger = logging.getLogger(__name__)

LEASE = "jobs"
LEASE_S = 20.0
RENEW_S = 5.0
LOOK_S = 1.0
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


async def keep_running(stopping: asyncio.Event) -> None:
    """Jobs are run until `stopping` is set; the one at work then goes back into the queue."""
    while not stopping.is_set():
        work = asyncio.ensure_future(_in_thread(run_next, stopping.is_set))
        while not (await asyncio.wait({work}, timeout=RENEW_S))[0]:
            with suppress(OperationalError, InterfaceError):  # the claim fences a run that lost its lease
                await _in_thread(hold_lease, LEASE, LEASE_S)
        if not work.result():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await stopping.wait()


async def _in_thread(func: Callable, *args):
    return await database_sync_to_async(func, thread_sensitive=False, executor=pool("jobs", 2))(*args)
