"""A process that has nothing to do sleeps until a look finds a job, or until it stops."""

import asyncio

import pytest

from monitoring.jobs import runner
from sessionsite.common.threads import pool, run_in_pool
from tests.waiting import in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def runs(monkeypatch) -> list[int]:
    """One entry per time that `keep_running` asked for the next job; it never gets one."""
    found = []
    monkeypatch.setattr(runner, "run_next", lambda is_stopping: found.append(1))
    return found


async def test_a_look_that_finds_a_job_wakes_it(job, runs):
    stopping = asyncio.Event()
    task = asyncio.create_task(runner.keep_running(stopping))
    await until(lambda: runs)
    await in_thread(runner.look_for_jobs)
    await until(lambda: len(runs) == 2)
    stopping.set()
    await task
    assert len(runs) == 2


async def test_a_look_that_finds_none_wakes_nobody_and_the_end_does(runs):
    stopping = asyncio.Event()
    task = asyncio.create_task(runner.keep_running(stopping))
    await until(lambda: runs)
    await in_thread(runner.look_for_jobs)
    for _ in range(3):  # turns of the loop, in which it would wake and queue a run before ours
        await asyncio.sleep(0)
    await run_in_pool(pool("jobs", 2), lambda: None)
    assert len(runs) == 1
    stopping.set()
    await task
    assert len(runs) == 1
