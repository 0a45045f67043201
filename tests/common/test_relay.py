"""Wake-ups between processes: numbers through a layer that may drop them, be slow, or be away."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest
from channels.layers import InMemoryChannelLayer

from sessionsite.common import hub as hub_module
from sessionsite.common import live
from sessionsite.common.hub import Hub, relay
from sessionsite.common.hub.relay import Relay, group_of
from tests.common.things import Listener, Things
from tests.services import REDIS_URL, need_redis
from tests.waiting import live_tasks, until


class Post:
    """What the layers of two processes share."""

    def __init__(self) -> None:
        self.groups: dict[str, set[asyncio.Queue]] = {}
        self.sent: list[tuple[float, dict]] = []
        self.is_away = False


class Layer:
    """A channel layer on paper, as one process sees it."""

    def __init__(self, post: Post) -> None:
        self._post, self._queues = post, {}
        self.channels = 0

    def _answer(self) -> None:
        if self._post.is_away:
            raise ConnectionError("the layer is away")

    async def new_channel(self, prefix: str) -> str:
        self._answer()
        self.channels += 1
        self._queues[name := f"{prefix}{self.channels}"] = asyncio.Queue()
        return name

    async def group_add(self, group: str, channel: str) -> None:
        self._answer()
        self._post.groups.setdefault(group, set()).add(self._queues[channel])

    async def group_discard(self, group: str, channel: str) -> None:
        self._answer()
        self._post.groups.get(group, set()).discard(self._queues[channel])

    async def group_send(self, group: str, message: dict) -> None:
        self._answer()
        self._post.sent.append((time.monotonic(), message))
        for queue in self._post.groups.get(group, ()):
            queue.put_nowait(message)

    async def receive(self, channel: str) -> dict:
        message = await self._queues[channel].get()
        if message is None:
            raise ConnectionError("the layer went away")
        return message

    def break_down(self) -> None:
        """Whoever waits for a message learns that the connection is gone."""
        for queue in self._queues.values():
            queue.put_nowait(None)


@pytest.fixture
def things(things, monkeypatch) -> Things:
    monkeypatch.setattr(hub_module, "CHECK_INTERVAL_S", 60.0)  # nothing but the relay brings news
    return things


@pytest.fixture
async def processes(things, monkeypatch):
    """Makes the hubs of two processes: what is committed here is a commit of the first one only."""
    made: list[Hub] = []

    def make(layers) -> tuple[Hub, Hub]:
        for layer in layers:
            monkeypatch.setattr(relay, "get_channel_layer", lambda layer=layer: layer)
            made.append(Hub())
        live.remove_listener(made[1].on_commit)
        return made[0], made[1]

    yield make
    for hub in made:
        await hub.close()
    await until(lambda: not live_tasks(), what="no task is left")


async def test_a_change_in_one_process_reaches_the_readers_of_another(processes, things):
    post = Post()
    _, there = processes((Layer(post), Layer(post)))
    ann = await Listener(there).follow("thing:a")
    await until(lambda: group_of("thing:a") in post.groups)
    things.change("a")
    await ann.sees(1)


async def test_what_leaves_is_numbers_never_data(processes, things):
    post = Post()
    processes((Layer(post), Layer(post)))
    things.change("a", urgent=True)
    await until(lambda: post.sent)
    assert post.sent[0][1] == {
        "type": "live.wake",
        "topic": "thing:a",
        "revision": 1,
        "seq": 0,
        "urgent": True,
    }


async def test_many_changes_leave_as_few_and_the_last_one_leaves(processes, things):
    post = Post()
    processes((Layer(post), Layer(post)))
    begun, changes = time.monotonic(), 0
    while changes < 50 or time.monotonic() - begun < 0.35:
        things.change("a")
        changes += 1
        await asyncio.sleep(0.002)
    await until(lambda: post.sent and post.sent[-1][1]["revision"] == things.things["a"].revision)
    most = 3 + (time.monotonic() - begun) / relay.WAKE_INTERVAL_S
    assert 2 <= len(post.sent) <= most


async def test_an_urgent_change_leaves_at_once(processes, things, monkeypatch):
    monkeypatch.setattr(relay, "WAKE_INTERVAL_S", 30.0)
    post = Post()
    processes((Layer(post), Layer(post)))
    things.change("a")
    await until(lambda: len(post.sent) == 1)
    things.change("a")
    await asyncio.sleep(0.05)
    assert len(post.sent) == 1
    things.change("a", urgent=True)
    await until(lambda: len(post.sent) == 2, within_s=15)
    assert post.sent[1][1]["revision"] == 3


async def test_a_hundred_readers_are_one_member_of_the_group(processes, things):
    post = Post()
    _, there = processes((Layer(post), Layer(post)))
    readers = [Listener(there) for _ in range(100)]
    await asyncio.gather(*(reader.follow("thing:a") for reader in readers))
    await until(lambda: group_of("thing:a") in post.groups)
    assert len(post.groups[group_of("thing:a")]) == 1
    things.change("a")
    for reader in readers:
        await reader.sees(1)


async def test_a_topic_without_readers_is_no_longer_listened_to(processes, things):
    post = Post()
    _, there = processes((Layer(post), Layer(post)))
    things.make("b")
    ann = await Listener(there).follow("thing:a")
    await ann.follow("thing:b")
    await until(lambda: post.groups.get(group_of("thing:a")) and post.groups.get(group_of("thing:b")))
    ann.reader.leave("thing:a")
    await until(lambda: not post.groups[group_of("thing:a")])
    assert post.groups[group_of("thing:b")]


async def test_a_layer_that_breaks_down_is_listened_to_again(processes, things, monkeypatch, caplog):
    monkeypatch.setattr(relay, "RETRY_S", (0.01,))
    post = Post()
    layer = Layer(post)
    _, there = processes((Layer(post), layer))
    ann = await Listener(there).follow("thing:a")
    await until(lambda: post.groups.get(group_of("thing:a")))
    post.is_away = True
    layer.break_down()
    await until(lambda: there.relay.is_degraded)
    things.change("a")
    await asyncio.sleep(0.05)
    assert ann.revision == 0
    post.is_away = False
    await until(lambda: not there.relay.is_degraded and layer.channels >= 2)
    things.change("a", urgent=True)
    await ann.sees(2)
    warned = [record for record in caplog.records if "layer does not answer" in record.message]
    assert 1 <= len(warned) <= 2  # once per process, not once per try


async def test_a_layer_that_is_away_does_not_hold_up_this_process(processes, things):
    post = Post()
    post.is_away = True
    here, _ = processes((Layer(post), Layer(post)))
    ann = await Listener(here).follow("thing:a")
    things.change("a")
    await ann.sees(1)
    await until(lambda: here.relay.is_degraded)
    assert hub_module.stats([here])["layer_degraded"] is True


async def test_without_a_layer_that_leaves_the_process_nothing_is_done(things, monkeypatch):
    monkeypatch.setattr(relay, "get_channel_layer", InMemoryChannelLayer)
    deaf = Relay(lambda *numbers: pytest.fail("nobody speaks"))
    assert not deaf.is_in_use
    deaf.listen("thing:a")
    deaf.tell("thing:a", 1, None, True)
    deaf.forget("thing:a")
    await deaf.close()
    assert live_tasks() == []


@pytest.mark.parametrize("topic", ["monitor:" + "a" * 64, "session:se_x", "thing:ä ö"])
def test_group_names_are_ascii_and_short(topic):
    name = group_of(topic)
    assert name.isascii() and len(name) < 100 and set(name) <= set("live.0123456789abcdef")


# --- through a real Redis -------------------------------------------------------------------------


@pytest.fixture
async def redis_layers():
    from channels_redis.pubsub import RedisPubSubChannelLayer

    need_redis()
    prefix = f"test-{secrets.token_hex(4)}"
    layers = [RedisPubSubChannelLayer(hosts=[{"address": REDIS_URL}], prefix=prefix) for _ in range(2)]
    yield layers
    for layer in layers:
        await layer.flush()


@pytest.mark.redis
async def test_through_redis_every_last_change_arrives_at_once(redis_layers, processes, things):
    _, there = processes(redis_layers)
    ann = await Listener(there).follow("thing:a")

    def is_heard() -> bool:  # Redis tells nobody when a subscription has begun
        things.change("a", urgent=True)
        return ann.revision > 0

    await until(is_heard)
    await ann.sees(things.things["a"].revision)
    waits = []
    for _ in range(20):
        begun = time.monotonic()
        things.change("a", urgent=True)
        await ann.sees(things.things["a"].revision)
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[-3] < 0.25
