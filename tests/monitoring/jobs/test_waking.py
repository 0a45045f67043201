"""A process that has nothing to do sleeps until a look finds a job, or until it stops."""

import asyncio

import pytest

from monitoring.jobs import runner
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
    stopping.set()
    await task
    assert len(runs) == 1
