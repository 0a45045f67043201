"""What a reader asks for again is replayed whole, however large, and as fast as its connection takes it."""

from __future__ import annotations

import asyncio
import json

import pytest

from sessionsite.common.hub import get_hub, shutdown
from sessionsite.common.hub.reader import ACK_WINDOW
from tests.common.things import Listener, Things
from tests.waiting import until


@pytest.fixture
def things(things) -> Things:
    things.make("a", events=1000)
    return things


@pytest.fixture
async def hub(things):
    yield get_hub()
    await shutdown()


class Narrow:
    """A connection whose buffer takes `room` frames; `drains` says whether its peer reads."""

    form = None

    def __init__(self, room: int) -> None:
        self.room = self.left = room
        self.drains = asyncio.Event()
        self.drains.set()
        self.frames: list[dict] = []
        self.waits = 0

    def write(self, frame) -> bool:
        if not self.left:
            return False
        self.left -= 1
        self.frames.append(json.loads(frame.body))
        return True

    async def writable(self) -> None:
        self.waits += 1
        await self.drains.wait()
        self.left = self.room

    def abort(self) -> None:
        return

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames if frame["type"] == "event"]


async def test_a_replay_larger_than_the_outbox_has_no_gap(hub):
    ann = Listener(hub, opens=False)
    ann.reader.outbox.limit_bytes = 4000
    await ann.follow("thing:a", after=0)
    assert ann.reader.outbox.size_bytes > 10 * 4000
    ann.reader.open()
    await until(lambda: len(ann.seqs) == 1000)
    assert ann.seqs == list(range(1, 1001))
    assert ann.of("gap") == []
    assert ann.reader.outbox._replay_bytes == 0


async def test_a_thousand_events_are_one_read(hub, things):
    ann = await Listener(hub).follow("thing:a", after=0)
    await until(lambda: len(ann.seqs) == 1000)
    assert things.event_reads == 1


async def test_what_waits_leaves_as_fast_as_the_connection_takes_it(hub):
    wire = Narrow(room=100)
    ann = Listener(hub, opens=False, wire=wire)
    await ann.follow("thing:a", after=0)
    ann.reader.open()
    await until(lambda: len(wire.seqs) == 1000)
    assert wire.seqs == list(range(1, 1001)) and ann.frames == []
    assert wire.waits <= 12  # a buffer full at a time, not a wait for each frame


async def test_a_replay_waits_for_a_connection_that_takes_nothing_more(hub):
    wire = Narrow(room=100)
    wire.drains.clear()
    ann = Listener(hub, wire=wire)
    await ann.follow("thing:a", after=0)
    await until(lambda: wire.waits == 1)
    assert wire.seqs == list(range(1, 100))  # the snapshot was the first of the hundred
    assert len(ann.reader.outbox) == 901 and not ann.reader._pumping.done()
    wire.drains.set()
    await until(lambda: len(wire.seqs) == 1000)
    assert wire.seqs == list(range(1, 1001))


async def test_a_replay_stays_within_what_was_acknowledged(hub):
    wire = Narrow(room=10_000)
    ann = Listener(hub, opens=False, wire=wire, uses_acks=True)
    await ann.follow("thing:a", after=0)
    ann.reader.open()
    for acked in range(ACK_WINDOW, 1001 + ACK_WINDOW, ACK_WINDOW):
        await until(lambda acked=acked: len(wire.frames) == min(acked, 1001))
        ann.reader.ack(acked)
    assert wire.seqs == list(range(1, 1001))
