"""Readers that nothing stands before get what is new in one pass, and the same as all others."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from sessionsite.common import hub as hub_module
from sessionsite.common.hub import Hub, Reader, feed, get_hub, shutdown
from sessionsite.common.hub.reader import ACK_WINDOW
from sessionsite.common.hub.wires import FULL_BYTES
from tests.common.things import Listener, Things
from tests.waiting import live_tasks, until


@pytest.fixture
async def hub(things, monkeypatch, settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    monkeypatch.setattr(feed, "FRAME_INTERVAL_S", 0.001)
    yield get_hub()
    await shutdown()
    await until(lambda: not live_tasks(), what="no task is left")


class Plug:
    """The transport of a connection, and the wire to it. `fill`: its peer takes nothing until `drain`."""

    form = "websocket_bytes"

    def __init__(self) -> None:
        self.frames: list[dict] = []
        self.drained = asyncio.Event()
        self.drained.set()
        self.is_ended = False
        self.transport = self._transport = PlugTransport(self)

    def fill(self) -> None:
        self.drained.clear()

    def drain(self) -> None:
        self.drained.set()

    def write(self, frame) -> bool:
        if self.is_ended or not self.drained.is_set():
            return False
        self.transport.write(frame.websocket_bytes)
        return True

    async def writable(self) -> None:
        await self.drained.wait()

    def abort(self) -> None:
        return

    def numbers(self, kind: str, field: str) -> list[int]:
        return [frame[field] for frame in self.frames if frame["type"] == kind]


class PlugTransport:
    def __init__(self, plug: Plug) -> None:
        self._plug = plug

    def is_closing(self) -> bool:
        return self._plug.is_ended

    def get_write_buffer_size(self) -> int:
        return 0 if self._plug.drained.is_set() else FULL_BYTES

    def write(self, data: bytes) -> None:
        self._plug.frames.append(orjson.loads(data[data.index(b"{") :]))


class Plugged(Listener):
    def __init__(self, hub: Hub, **options) -> None:
        self.plug = Plug()
        super().__init__(hub, wire=self.plug, **options)


async def crowd(hub: Hub, things: Things, count: int, **options) -> list[Plugged]:
    """So many readers of thing:a that have had one state, and with it nothing before them."""
    readers = [await Plugged(hub, **options).follow("thing:a") for _ in range(count)]
    things.change("a", urgent=True)
    await all_have(readers, things)
    return readers


async def all_have(readers: list[Plugged], things: Things) -> None:
    newest = things.things["a"].revision
    await until(lambda: all(reader.plug.numbers("state", "revision")[-1:] == [newest] for reader in readers))


async def test_everybody_gets_each_state_and_event_once_and_in_order(hub, things):
    readers = await crowd(hub, things, 5)
    for _ in range(10):
        things.append("a")
        things.change("a", urgent=True)
        await all_have(readers, things)
    for reader in readers:
        assert reader.plug.numbers("state", "revision") == list(range(1, 12))
        assert reader.plug.numbers("event", "seq") == list(range(1, 11))
        assert reader.reader.sent_frames == len(reader.plug.frames)


async def test_nobody_in_the_crowd_is_asked_for_each_frame(hub, things, monkeypatch):
    readers = await crowd(hub, things, 3)
    asked: list[Reader] = []
    monkeypatch.setattr(Reader, "put", lambda reader, frame, **more: asked.append(reader))
    things.change("a", urgent=True)
    await all_have(readers, things)
    assert asked == []


async def test_who_takes_nothing_for_a_while_gets_the_newest_state_and_all_events(hub, things):
    slow, quick = readers = await crowd(hub, things, 2)
    slow.plug.fill()
    for _ in range(5):
        things.append("a")
        things.change("a", urgent=True)
        await all_have([quick], things)
    assert slow.plug.numbers("state", "revision") == [1]
    assert slow.reader.outbox.size_bytes > 0 and slow.reader.sent_frames == len(slow.plug.frames)
    slow.plug.drain()
    await all_have(readers, things)
    things.change("a", urgent=True)
    await all_have(readers, things)
    assert slow.plug.numbers("state", "revision") == [1, 6, 7]
    assert slow.plug.numbers("event", "seq") == [1, 2, 3, 4, 5]
    assert quick.plug.numbers("state", "revision") == [1, 2, 3, 4, 5, 6, 7]
    for reader in readers:
        assert reader.reader.sent_frames == len(reader.plug.frames)


async def test_who_takes_nothing_at_all_is_closed_and_the_others_go_on(hub, things, monkeypatch):
    monkeypatch.setattr(hub_module, "CHECK_INTERVAL_S", 0.02)
    monkeypatch.setattr(hub_module, "SLOW_LIMIT_S", 0.1)
    slow, quick = await crowd(hub, things, 2)
    slow.plug.fill()
    things.change("a", urgent=True)
    await until(lambda: slow.close_code == 4408)
    things.change("a", urgent=True)
    await all_have([quick], things)
    assert quick.close_code is None


async def test_a_connection_that_is_about_to_end_is_not_written_to(hub, things):
    ending, other = await crowd(hub, things, 2)
    ending.plug.is_ended = True
    things.change("a", urgent=True)
    await all_have([other], things)
    assert ending.plug.numbers("state", "revision") == [1]


@pytest.mark.parametrize("leave", [lambda reader: reader.leave("thing:a"), lambda reader: reader.close(1000)])
async def test_who_leaves_gets_nothing_more_and_keeps_its_count(hub, things, leave):
    gone, other = await crowd(hub, things, 2)
    leave(gone.reader)
    things.change("a", urgent=True)
    await all_have([other], things)
    assert gone.plug.numbers("state", "revision") == [1]
    assert gone.reader.sent_frames == len(gone.plug.frames)


async def test_who_waits_for_one_topic_waits_for_all_of_them_in_order(hub, things):
    """A frame of another topic must not overtake those that wait."""
    things.make("b")
    [ann] = await crowd(hub, things, 1)
    await ann.follow("thing:b")
    things.change("b", urgent=True)
    await until(lambda: len(ann.plug.numbers("state", "revision")) == 2)
    ann.plug.fill()
    things.change("a", urgent=True)
    await until(lambda: len(ann.reader.outbox) == 1)
    ann.plug.drained.is_set = lambda: True  # there is room again, and the pump does not know yet
    things.change("b", urgent=True)
    await until(lambda: len(ann.reader.outbox) == 2)
    del ann.plug.drained.is_set
    ann.plug.drain()
    await until(lambda: len(ann.plug.numbers("state", "revision")) == 4)
    assert [frame["topic"] for frame in ann.plug.frames[-2:]] == ["thing:a", "thing:b"]


async def test_a_reader_that_acknowledges_keeps_its_window(hub, things):
    [ann] = await crowd(hub, things, 1, uses_acks=True)
    for _ in range(ACK_WINDOW + 5):
        things.append("a")
    await until(lambda: len(ann.reader.outbox) > 0)
    assert ann.reader.sent_frames == len(ann.plug.frames) == ACK_WINDOW
    ann.reader.ack(ACK_WINDOW)
    await until(lambda: ann.plug.numbers("event", "seq") == list(range(1, ACK_WINDOW + 6)))


async def test_a_stream_in_the_crowd_ends_with_its_topic(hub, things):
    [stream] = await crowd(hub, things, 1, ends_with_topic=True)
    things.things["a"].is_finished = True
    things.change("a", urgent=True)
    await until(lambda: stream.close_code == 1000)
    assert stream.plug.numbers("state", "revision") == [1, 2]


async def test_who_joins_ahead_of_the_crowd_is_not_taken_back(hub, things):
    [ann] = await crowd(hub, things, 1)
    things.change("a", announce=False)
    bob = await Plugged(hub).follow("thing:a")
    await all_have([ann], things)
    assert bob.plug.numbers("snapshot", "revision") == [2] and bob.plug.numbers("state", "revision") == []
    things.change("a", urgent=True)
    await all_have([ann, bob], things)
    assert bob.plug.numbers("state", "revision") == [3]
