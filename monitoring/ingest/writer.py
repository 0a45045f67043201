"""The one thread of this process that commits pictures: what has queued up goes in as one transaction."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

from django.db import close_old_connections

from monitoring.services import image_rows
from monitoring.services.errors import Unstorable
from monitoring.services.image_rows import Added, Pending
from sessionsite.common.errors import DomainError

logger = logging.getLogger(__name__)

BATCH_MAX = 64

Result = Added | DomainError


@dataclass(frozen=True)
class Job:
    """One picture that waits for its commit, and where its result is awaited."""

    pending: Pending
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Result]


class Writer:
    """Started by the first picture. While it commits, the next batch gathers: the busier, the larger."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, job: Job) -> None:
        """Thread-safe; the job's future gets its result after the commit."""
        self._jobs.put(job)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="picture writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            jobs = [self._jobs.get()]
            while len(jobs) < BATCH_MAX:
                try:
                    jobs.append(self._jobs.get_nowait())
                except queue.Empty:
                    break
            self._commit(jobs)

    def _commit(self, jobs: list[Job]) -> None:
        close_old_connections()
        try:
            image_rows.commit([job.pending for job in jobs])
        except Exception:  # a bug: its traceback is logged, and the thread lives for the next batch
            logger.exception("a batch of %d pictures failed", len(jobs))
            for job in jobs:
                job.pending.result = job.pending.result or Unstorable("The picture could not be stored.")
        finally:
            close_old_connections()
        by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
        for job in jobs:
            by_loop[job.loop].append(job)
        for loop, own in by_loop.items():
            with suppress(RuntimeError):  # its loop has ended: nobody waits, the pictures are kept
                loop.call_soon_threadsafe(_resolve, own)


def _resolve(jobs: list[Job]) -> None:
    for job in jobs:
        if not job.future.done():  # done: its client has gone; the picture is kept all the same
            job.future.set_result(job.pending.result)
