"""Wake-ups between processes through a real Redis; another layer object plays the other process."""

from __future__ import annotations

import asyncio
import os
import uuid

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.asyncio import Redis

from sessionsite.common import hub as hub_module
from sessionsite.common import live
from sessionsite.common.hub import get_hub, shutdown, stats
from sessionsite.common.hub.relay import group_of
from tests.common.things import Listener, Things
from tests.waiting import until

REDIS_URL = os.environ.get("REDIS_URL", "")
pytestmark = [pytest.mark.redis, pytest.mark.skipif(not REDIS_URL, reason="REDIS_URL is not set")]


def layer_of(url: str, prefix: str) -> dict:
    return {"hosts": [{"address": url, "socket_timeout": 20, "socket_connect_timeout": 3}], "prefix": prefix}


@pytest.fixture
def things(monkeypatch) -> Things:
    topics = Things()
    monkeypatch.setitem(live._registry.topics, "thing", topics)
    topics.make("a")
    return topics


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
async def hub(things, settings, monkeypatch, prefix):
    """A hub that learns of changes by the layer alone: its check of each second never comes."""
    monkeypatch.setattr(hub_module, "CHECK_INTERVAL_S", 3600.0)
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": layer_of(REDIS_URL, prefix),
        }
    }
    yield get_hub()
    await shutdown()


@pytest.fixture
async def elsewhere(prefix):
    """The layer of another process."""
    layer = RedisPubSubChannelLayer(**layer_of(REDIS_URL, prefix))
    yield layer
    await layer.flush()


async def subscribed(elsewhere, topic: str) -> None:
    """The hub has subscribed to the topic's group: a message to it has a receiver."""

    async def receivers() -> int:
        async with Redis.from_url(REDIS_URL) as redis:
            name = f"{elsewhere.prefix}__group__{group_of(topic)}"
            return dict(await redis.pubsub_numsub(name))[name.encode()]

    async with asyncio.timeout(5):
        while not await receivers():
            await asyncio.sleep(0.01)


async def test_a_change_of_another_process_arrives_by_its_wake_up(hub, things, elsewhere):
    ann = await Listener(hub).follow("thing:a")
    await subscribed(elsewhere, "thing:a")
    things.change("a", announce=False)
    wake = {"type": "live.wake", "topic": "thing:a", "revision": 1, "seq": 0, "urgent": True}
    await elsewhere.group_send(group_of("thing:a"), wake)
    await ann.sees(1)


async def test_an_own_change_is_told_to_the_other_processes(hub, things, elsewhere):
    channel = await elsewhere.new_channel()
    await elsewhere.group_add(group_of("thing:a"), channel)
    things.change("a", urgent=True)
    message = await asyncio.wait_for(elsewhere.receive(channel), 5)
    assert (message["topic"], message["revision"], message["urgent"]) == ("thing:a", 1, True)


async def test_the_newest_of_many_changes_is_told(hub, things, elsewhere):
    channel = await elsewhere.new_channel()
    await elsewhere.group_add(group_of("thing:a"), channel)
    for _ in range(200):
        things.change("a")
    told = []
    async with asyncio.timeout(5):
        while not told or told[-1] < 200:
            told.append((await elsewhere.receive(channel))["revision"])
    assert told == sorted(told)
    assert len(told) < 20


async def test_a_socket_of_redis_that_is_silent_stays_open(hub, things, elsewhere):
    """Longer than the 5 s after which a newer client library gives up by default."""
    ann = await Listener(hub).follow("thing:a")
    await subscribed(elsewhere, "thing:a")
    await asyncio.sleep(6)
    things.change("a", announce=False)
    wake = {"type": "live.wake", "topic": "thing:a", "revision": 1, "seq": 0, "urgent": True}
    await elsewhere.group_send(group_of("thing:a"), wake)
    await ann.sees(1)
    assert stats()["layer_degraded"] is False


async def test_the_health_page_names_the_layer(hub):
    await until(lambda: stats()["layer"] == "redis")
