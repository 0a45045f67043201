"""What queues up is committed together, and each request gets its own result."""

from __future__ import annotations

import asyncio
import os
import threading
from types import SimpleNamespace

import pytest

from sessionsite.common import group_commit
from sessionsite.common.group_commit import BATCH_MAX, GATHER_MAX_S, GATHER_S, Answer, GroupCommit


class Committing:
    """Takes batches of numbers and gives them back doubled; it can be held back, and can fail."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(group_commit, "close_old_connections", lambda: None)
        self.batches: list[list[int]] = []
        self.coming = 0
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()
        self.error: Exception | None = None
        self.writer: GroupCommit[int] = GroupCommit("test writer", self.commit, lambda: self.coming)

    def commit(self, batch: list[int]) -> list[object]:
        self.batches.append(batch)
        self.begun.set()
        assert self.may_end.wait(10)
        if self.error is not None:
            raise self.error
        return [ValueError(number) if number < 0 else 2 * number for number in batch]

    async def add(self, number: int) -> int:
        self.coming += 1
        try:
            answer = Answer.here()
            self.writer.put(number, answer)
            async with asyncio.timeout(10):
                return await answer.future
        finally:
            self.coming -= 1

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 10)


@pytest.fixture
def committing(monkeypatch):
    return Committing(monkeypatch)


async def test_each_gets_its_own_result_again_and_again(committing):
    for _ in range(20):
        assert await asyncio.gather(*map(committing.add, range(10))) == [2 * n for n in range(10)]
    assert sum(committing.batches, []) == [*range(10)] * 20


async def test_one_alone_is_committed_though_nobody_else_comes(committing):
    assert [await committing.add(number) for number in range(5)] == [0, 2, 4, 6, 8]
    assert committing.batches == [[0], [1], [2], [3], [4]]


async def test_one_is_committed_when_those_who_were_coming_do_not_arrive(committing):
    committing.coming = 100
    assert await committing.add(1) == 2
    assert await committing.add(2) == 4


async def test_its_thread_has_the_priority_of_who_started_it(committing):
    def put_from_further_behind(answer: Answer) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), own + 1)
        committing.writer.put(1, answer)

    own = os.getpriority(os.PRIO_PROCESS, 0)
    committing.writer.start()
    answer = Answer.here()
    threading.Thread(target=put_from_further_behind, args=(answer,)).start()
    assert await asyncio.wait_for(answer.future, 10) == 2
    assert os.getpriority(os.PRIO_PROCESS, committing.writer._thread.native_id) == own


async def test_what_comes_during_a_commit_is_the_next_batch_up_to_its_limit(committing):
    committing.may_end.clear()
    first = asyncio.ensure_future(committing.add(0))
    await committing.has_begun()
    others = [asyncio.ensure_future(committing.add(number)) for number in range(1, BATCH_MAX + 3)]
    await asyncio.sleep(0)
    committing.may_end.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in committing.batches] == [1, BATCH_MAX, 2]


async def test_a_result_that_is_an_error_is_raised_where_it_is_awaited(committing):
    found = await asyncio.gather(*map(committing.add, (1, -1, 2)), return_exceptions=True)
    assert [str(result) for result in found] == ["2", "-1", "4"]
    assert isinstance(found[1], ValueError)


async def test_a_commit_that_fails_tells_all_and_the_next_one_goes_on(committing):
    committing.error = RuntimeError("a bug")
    found = await asyncio.gather(*map(committing.add, range(3)), return_exceptions=True)
    assert found == [committing.error] * 3
    committing.error = None
    assert await committing.add(4) == 8


async def test_a_batch_gathers_for_as_long_as_commits_take_within_limits(committing, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr(group_commit, "time", SimpleNamespace(monotonic=lambda: now_s))

    async def commits_take(seconds: float) -> float:
        def slow(batch: list[int]) -> list[int]:
            nonlocal now_s
            now_s += seconds
            return batch

        monkeypatch.setattr(committing.writer, "_commit", slow)
        for number in range(60):
            await committing.add(number)
        return committing.writer.gather_s

    assert await commits_take(0.001) == GATHER_S
    assert await commits_take(0.010) == pytest.approx(0.010, rel=0.01)
    assert await commits_take(5.0) == pytest.approx(GATHER_MAX_S, rel=0.01)
    assert await commits_take(0.001) == pytest.approx(GATHER_S, rel=0.01)
