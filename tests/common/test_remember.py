"""What lanes remember: asked once for all who wait, right for its time, never an error."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sessionsite.common.remember import Remembered

# The threads that ask look after connections that they kept from other tests.
pytestmark = pytest.mark.django_db(transaction=True)


class Asked:
    """A question whose answers are its numbers; it can be held back, and can fail."""

    def __init__(self) -> None:
        self.count, self.may_answer, self.error = 0, threading.Event(), None
        self.may_answer.set()

    def __call__(self) -> int:
        self.count += 1
        number = self.count
        assert self.may_answer.wait(10)
        if self.error is not None:
            raise self.error
        return number


@pytest.fixture
def asked():
    return Asked()


async def begun(asked: Asked) -> None:
    async with asyncio.timeout(10):
        while not asked.count:
            await asyncio.sleep(0)


async def test_those_who_come_meanwhile_share_one_question(asked):
    answers = Remembered(asked)
    assert await asyncio.gather(*(answers.get("key") for _ in range(20))) == [1] * 20
    assert await answers.get("key") == 1
    assert await answers.get("another") == 2


async def test_what_is_kept_for_no_time_is_asked_again(asked):
    answers = Remembered(asked, for_s=0)
    assert [await answers.get("key"), await answers.get("key")] == [1, 2]


async def test_an_error_reaches_all_who_wait_and_is_not_kept(asked):
    answers = Remembered(asked)
    asked.error = LookupError("not there")
    found = await asyncio.gather(*(answers.get("key") for _ in range(3)), return_exceptions=True)
    assert found == [asked.error] * 3
    asked.error = None
    assert await answers.get("key") == 2


async def test_one_who_goes_leaves_the_answer_to_the_others(asked):
    answers = Remembered(asked)
    asked.may_answer.clear()
    first, second = (asyncio.ensure_future(answers.get("key")) for _ in range(2))
    await begun(asked)
    first.cancel()
    asked.may_answer.set()
    assert await second == 1
    assert first.cancelled()
