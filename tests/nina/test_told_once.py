"""How often an open panel is told: once per reading of the history, and with each event of a batch."""

from __future__ import annotations

import asyncio

import pytest
from django.db import transaction

from monitoring.nina import listener as listener_module
from monitoring.nina import store
from monitoring.nina.consumers import EACH_UP_TO
from monitoring.nina.events import Event
from monitoring.nina.listener import rebuild_now
from monitoring.nina.simulator import SimulatedNina
from monitoring.nina.verbs import change_rig
from tests.nina import test_unified_socket as sockets
from tests.nina.listeners import BEGIN, fresh, holds, listening
from tests.nina.player import Player
from tests.waiting import in_thread

pytestmark = pytest.mark.django_db(transaction=True)
panel = sockets.panel
PAIR = ["unifiedSession", "sessionUpdate"]


@pytest.fixture
def public_rig(rig):
    return change_rig(rig, by="test", is_public=True)


@pytest.fixture
def followed(public_rig, script, monkeypatch):
    """A simulated NINA, for `async with`, and the rig whose listener has read it."""
    monkeypatch.setattr(listener_module, "SIGN_OF_LIFE_S", 3600.0)  # it would be one more change
    return SimulatedNina(script, begins_at=BEGIN)


async def opened(panel):
    """A panel that has the state, and again after it has subscribed."""
    socket = await panel()
    while (await socket.next())["type"] != "sessionUpdate":
        continue
    return socket


async def pair(socket) -> list[dict]:
    """The state that comes next, in both its messages."""
    messages = [await socket.next() for _ in PAIR]
    assert [message["type"] for message in messages] == PAIR
    return [message["data"] for message in messages]


async def nothing_else(socket, rig) -> None:
    """Nothing is on its way: what happens now is what comes next."""
    await in_thread(store.receive, rig.pk, [Event("SOMETHING-ELSE", BEGIN)])
    assert (await socket.next())["data"]["Type"] == "SOMETHING-ELSE"
    await pair(socket)


async def seeded(rig):
    return await holds(rig, lambda rig: rig.link.get("status") == "connected" and rig.rebuilt_at)


async def test_a_refresh_is_told_once(public_rig, followed, panel):
    async with followed.serving(), listening(public_rig, followed):
        before = await seeded(public_rig)
        socket = await opened(panel)
        await in_thread(rebuild_now, before)
        await pair(socket)
        after = await fresh(before)
        assert after.revision == before.revision + 1
        assert after.link["clock"]["read_at"] > before.link["clock"]["read_at"]  # it is part of the change
        await nothing_else(socket, before)


async def test_a_refresh_that_brings_events_is_told_once(public_rig, followed, panel):
    async with followed.serving(), listening(public_rig, followed):
        before = await seeded(public_rig)
        socket = await opened(panel)
        followed.history += followed.script.entries_of(followed.script.frames[:60])
        await in_thread(rebuild_now, before)
        await pair(socket)
        after = await fresh(before)
        assert after.revision == before.revision + 1 and after.last_seq > before.last_seq
        await nothing_else(socket, before)


async def test_a_new_connection_is_told_once_per_change_of_the_link_and_once_for_its_history(
    public_rig, followed, panel
):
    gate = asyncio.Event()
    async with followed.serving(), listening(public_rig, followed) as listener:
        before = await seeded(public_rig)
        listener._sleep = lambda seconds: gate.wait()
        socket = await opened(panel)
        await followed.cut()
        assert {state["connectionStatus"] for state in await pair(socket)} == {"disconnected"}
        gate.set()
        await holds(before, lambda rig: rig.rebuilt_at > before.rebuilt_at)
        after = await seeded(before)
        assert after.revision == before.revision + 4  # disconnected, connecting, the history, connected


async def test_each_event_of_a_batch_is_followed_by_the_same_newest_state(public_rig, script, panel):
    player = Player(public_rig, script)
    await in_thread(player.rebuild)
    socket = await opened(panel)
    events = accepted(player, 10)
    await in_thread(store.receive, public_rig.pk, events)
    newest = None
    for event in events:
        assert (await socket.next())["data"]["Type"] == event.type
        for kind in PAIR:
            message = await socket.next()
            assert message["type"] == kind
            newest = newest or message["data"]
            assert message["data"] == newest
    assert newest["recent_events"][0]["eventType"] == events[-1].type
    await nothing_else(socket, public_rig)


async def test_more_events_than_a_batch_are_followed_by_one_state(public_rig, script, panel):
    player = Player(public_rig, script)
    await in_thread(player.rebuild)
    socket = await opened(panel)
    events = accepted(player, EACH_UP_TO + 1)

    @transaction.atomic
    def at_once() -> None:
        for start in range(0, len(events), store.BATCH):
            store.receive(public_rig.pk, events[start : start + store.BATCH])

    await in_thread(at_once)
    for event in events:
        assert (await socket.next())["data"]["Type"] == event.type
    await pair(socket)
    await nothing_else(socket, public_rig)


def accepted(player: Player, count: int) -> list:
    """The first events that the frames of the night bring."""
    found = [player.intake.take(frame.text, frame.at) for frame in player.script.frames]
    return [event for event in found if event][:count]
