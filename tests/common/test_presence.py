"""Counting readers: the hub tells an app how many read each of its topics, off the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sessionsite.common.hub import get_hub, presence, shutdown
from tests.common.things import Listener, Things
from tests.waiting import until


class Counted:
    """A watch in memory, whose writes can be held up and made to fail."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.written: list[tuple[str, int]] = []
        self.renewed: list[set[str]] = []
        self.released: list[str] = []
        self.lost: set[str] = set()
        self.failures = 0
        self.is_counted = True
        self.gate = threading.Event()
        self.gate.set()
        self.threads: set[str] = set()

    def hold(self, name: str, holder: str, count: int) -> bool:
        self.threads.add(threading.current_thread().name)
        assert self.gate.wait(10)
        if self.failures:
            self.failures -= 1
            raise OSError("the database does not answer")
        self.counts[name] = count
        self.written.append((name, count))
        return self.is_counted and count > 0

    def renew(self, holder: str, names: set[str]) -> set[str]:
        self.renewed.append(names)
        lost, self.lost = self.lost, set()
        return lost

    def release(self, holder: str) -> None:
        self.released.append(holder)


@pytest.fixture
def things(things) -> Things:
    things.make("b")
    return things


@pytest.fixture
def counted(monkeypatch) -> Counted:
    watch = Counted()
    monkeypatch.setattr(presence, "_watches", {"thing": watch})  # and no watch that has tables
    monkeypatch.setattr(presence, "RETRY_S", 0.01)
    return watch


@pytest.fixture
async def hub(things, counted, settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    yield get_hub()
    counted.gate.set()
    await shutdown()


async def test_a_reader_is_counted_before_it_has_its_snapshot(hub, counted):
    counted.gate.clear()
    ann = Listener(hub)
    joining = asyncio.create_task(ann.follow("thing:a"))
    await until(lambda: counted.threads, what="the watch is asked")
    assert ann.frames == []
    counted.gate.set()
    await joining
    assert counted.counts == {"a": 1}
    assert counted.threads == {"live write_0"}


async def test_the_count_follows_those_who_come_and_go(hub, counted):
    ann = await Listener(hub).follow("thing:a")
    bob = await Listener(hub).follow("thing:a")
    await until(lambda: counted.counts["a"] == 2)
    ann.reader.close(1000)
    await until(lambda: counted.counts["a"] == 1)
    bob.reader.leave("thing:a")
    await until(lambda: counted.counts["a"] == 0)
    await until(lambda: not hub.presence._held, what="nothing is remembered")


async def test_a_second_subscription_of_one_reader_counts_once(hub, counted):
    ann = await Listener(hub).follow("thing:a")
    await ann.follow("thing:a")
    await until(lambda: hub.presence.held == {"thing:a": 1})
    assert counted.counts == {"a": 1}


async def test_those_who_do_not_look_are_not_counted(hub, counted):
    await Listener(hub, is_watching=False).follow("thing:a")
    assert counted.written == []
    await Listener(hub).follow("thing:a")
    assert counted.counts == {"a": 1}


async def test_many_at_once_are_few_writes(hub, counted):
    counted.gate.clear()
    readers = [Listener(hub) for _ in range(200)]
    joining = [asyncio.create_task(reader.follow("thing:a")) for reader in readers]
    await until(lambda: counted.threads, what="the watch is asked")
    counted.gate.set()
    await asyncio.gather(*joining)
    await until(lambda: counted.counts["a"] == 200)
    for reader in readers:
        reader.reader.close(1000)
    await until(lambda: counted.counts["a"] == 0)
    assert len(counted.written) < 10


async def test_who_comes_while_the_last_one_is_written_off_waits_for_its_own_lease(hub, counted):
    ann = await Listener(hub).follow("thing:a")
    counted.gate.clear()
    ann.reader.close(1000)
    await until(lambda: hub.presence._held["thing:a"].writing is not None)
    await asyncio.sleep(0)
    bob = Listener(hub)
    joining = asyncio.create_task(bob.follow("thing:a"))
    await asyncio.sleep(0.05)
    assert bob.frames == []
    counted.gate.set()
    await joining
    assert counted.written[-1] == ("a", 1)


async def test_a_reader_is_refused_when_its_lease_cannot_be_written(hub, counted):
    counted.failures = 1
    ann = Listener(hub)
    with pytest.raises(OSError):
        await ann.follow("thing:a")
    assert ann.reader.feeds == {}
    await (bob := Listener(hub)).follow("thing:a")
    await until(lambda: bob.of("snapshot"))


async def test_a_failure_to_write_off_is_tried_again(hub, counted):
    ann = await Listener(hub).follow("thing:a")
    counted.failures = 3
    ann.reader.close(1000)
    await until(lambda: counted.counts["a"] == 0)


async def test_what_is_not_counted_is_asked_once(hub, counted):
    counted.is_counted = False
    ann = await Listener(hub).follow("thing:a")
    await Listener(hub).follow("thing:a")
    await until(lambda: ann.of("snapshot"))
    assert len(counted.written) == 1
    assert hub.presence.held == {}


async def test_leases_are_renewed_every_ten_seconds(hub, counted):
    await Listener(hub).follow("thing:a")
    await Listener(hub).follow("thing:b")
    for now in (1000, 1005, 1009.9, 1010, 1019, 1020):
        hub.presence.renew_when_due(now)
        await until(lambda: hub.presence._renewing is None)
    assert counted.renewed == [{"a", "b"}] * 3


async def test_a_lost_lease_is_taken_anew(hub, counted):
    await Listener(hub).follow("thing:a")
    counted.lost, before = {"a"}, len(counted.written)
    hub.presence.renew_when_due(1000)
    await until(lambda: len(counted.written) > before)
    assert counted.written[-1] == ("a", 1)


async def test_a_hub_that_ends_leaves_no_lease_and_no_task(hub, counted):
    await Listener(hub).follow("thing:a")
    await shutdown()
    assert counted.released == [hub.presence.holder]
    await until(lambda: len(asyncio.all_tasks()) == 1, what="no task is left")
