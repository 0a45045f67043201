"""Reads take turns, and one that takes long keeps nobody waiting."""

import asyncio

import pytest

from sessionsite import turns as turns_module
from sessionsite.turns import Turns


async def waits(turns: Turns, name: str, log: list, until: asyncio.Event) -> None:
    async with turns.one():
        log.append(name)
        await until.wait()


async def settled() -> None:
    """What can go on without a timer has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(turns_module, "SLOW_S", 60)


async def test_one_more_than_may_work_waits_for_the_first_to_end(patient):
    turns, log, ends = Turns(2), [], [asyncio.Event() for _ in range(3)]
    tasks = [asyncio.create_task(waits(turns, f"{n}", log, end)) for n, end in enumerate(ends)]
    await settled()
    assert log == ["0", "1"]
    ends[1].set()
    await settled()
    assert log == ["0", "1", "2"]
    for end in ends:
        end.set()
    await asyncio.gather(*tasks)


async def test_a_slow_one_makes_room_and_its_end_makes_no_second(monkeypatch):
    monkeypatch.setattr(turns_module, "SLOW_S", 0)
    turns, log, ends = Turns(1), [], [asyncio.Event() for _ in range(2)]
    slow = asyncio.create_task(waits(turns, "slow", log, ends[0]))
    await settled()
    monkeypatch.setattr(turns_module, "SLOW_S", 60)
    tasks = [asyncio.create_task(waits(turns, name, log, ends[1])) for name in ("next", "last")]
    await settled()
    assert log == ["slow", "next"]
    ends[0].set()
    await slow
    await settled()
    assert log == ["slow", "next"]
    ends[1].set()
    await asyncio.gather(*tasks)
    assert log == ["slow", "next", "last"]


async def test_who_leaves_while_waiting_takes_no_turn_along(patient):
    turns, log, end = Turns(1), [], asyncio.Event()
    first = asyncio.create_task(waits(turns, "first", log, end))
    await settled()
    gone, last = (asyncio.create_task(waits(turns, name, log, end)) for name in ("gone", "last"))
    await settled()
    gone.cancel()
    end.set()
    await asyncio.gather(first, last)
    assert log == ["first", "last"]
    async with turns.one():
        pass
