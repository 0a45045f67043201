"""/ws/unified: what a panel receives, in which order, and who may open it."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import OperationalError, connections

from monitoring.nina import consumers, link, store
from monitoring.nina.models import Rig
from monitoring.nina.verbs import add_rig, change_rig
from sessionsite.common import clock
from sessionsite.common.clock import iso, parse_iso, to_epoch_ms
from tests.nina.night import CHECKPOINTS
from tests.nina.player import BOOT, Player
from tests.waiting import PATIENCE_S, in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


class Panel:
    """A web panel. `next` gives the next message of a type; the others on the way are kept in `seen`."""

    def __init__(self, application, path: str, headers: dict[str, str]) -> None:
        sent = [(name.encode(), value.encode()) for name, value in {"host": "testserver", **headers}.items()]
        self._wire = WebsocketCommunicator(application, path, headers=sent)
        self.seen: list[dict] = []

    async def open(self) -> Panel:
        accepted, _ = await self._wire.connect(timeout=PATIENCE_S)
        assert accepted
        return self

    async def next(self, kind: str = "") -> dict:
        while True:
            event = await self._wire.receive_output(timeout=PATIENCE_S)
            assert event["type"] == "websocket.send", f"closed with {event.get('code')}"
            message = orjson.loads(event["text"])
            self.seen.append(message)
            if kind in ("", message["type"]):
                return message

    async def closed(self) -> int:
        while (event := await self._wire.receive_output(timeout=PATIENCE_S))["type"] == "websocket.send":
            self.seen.append(orjson.loads(event["text"]))
        return event["code"]

    async def send(self, text: str) -> None:
        await self._wire.send_input({"type": "websocket.receive", "text": text})

    async def quiet(self) -> bool:
        return await self._wire.receive_nothing(timeout=0.3)

    async def end(self) -> None:
        await self._wire.disconnect(timeout=PATIENCE_S)


@pytest.fixture
async def panel(settings):
    """Opens panels: panel("/ws/unified", token=...). All end with the test."""
    from sessionsite.lanes import Site

    settings.BACKGROUND_LOOPS = False
    settings.ALLOWED_HOSTS = ["testserver"]
    application, opened = Site(), []

    async def open_panel(path: str = "/ws/unified", *, token: str = "", **headers: str) -> Panel:
        if token:
            headers["authorization"] = f"Bearer {token}"
        opened.append(Panel(application, path, headers))
        return await opened[-1].open()

    yield open_panel
    from sessionsite.common import hub

    for each in opened:
        await each.end()
    await consumers.shutdown()
    await hub.shutdown()
    await until(lambda: len(asyncio.all_tasks()) == 1, what="no task is left")
    await in_thread(connections.close_all)


@pytest.fixture
def public_rig(rig):
    return change_rig(rig, by="test", is_public=True)


async def test_a_panel_gets_the_state_at_once_and_again_after_it_has_subscribed(
    public_rig, script, panel, monkeypatch
):
    assert (consumers.REPEAT_S, consumers.HEARTBEAT_S) == (1.5, 20.0)
    monkeypatch.setattr(consumers, "REPEAT_S", 0.05)
    monkeypatch.setattr(consumers, "HEARTBEAT_S", 0.1)
    await in_thread(Player(public_rig, script).rebuild)
    socket = await panel()
    first = [await socket.next() for _ in range(4)]
    assert [message["type"] for message in first] == [
        "connection",
        "unifiedSession",
        "sessionUpdate",
        "heartbeat",
    ]
    assert all({"type", "data", "timestamp"} == set(message) for message in first)
    state = first[1]["data"]
    assert len(state) == 36 and "session" not in state
    assert state["target"]["name"] == "NGC 2244" and state["isActive"] is True
    assert first[2]["data"] | {"duration": 0} == state | {"duration": 0}


async def test_heartbeats_go_on_when_the_snapshot_cannot_be_read(public_rig, panel, monkeypatch):
    def away(rig_id: int) -> dict:
        raise OperationalError("the database is away")

    monkeypatch.setattr(consumers, "REPEAT_S", 0.3)
    monkeypatch.setattr(consumers, "HEARTBEAT_S", 0.2)
    socket = await panel()
    await socket.next("unifiedSession")
    monkeypatch.setattr(consumers, "_current", away)
    for _ in range(4):
        await socket.next("heartbeat")
    assert "sessionUpdate" not in {message["type"] for message in socket.seen}


async def test_the_rest_answer_is_exactly_the_object_of_the_socket(
    public_rig, script, panel, client, monkeypatch
):
    monkeypatch.setattr("monitoring.nina.topic.rig_now", lambda rig: CHECKPOINTS[-1].as_of)
    await in_thread(Player(public_rig, script).rebuild)
    socket = await panel()
    told = (await socket.next("unifiedSession"))["data"]
    assert (await in_thread(client.get, "/api/nina/session-state")).json() == told
    assert (await socket.next("sessionUpdate"))["data"] == told


async def test_a_panel_of_another_origin_follows_a_public_rig(public_rig, panel):
    socket = await panel(origin="http://localhost:5173")
    assert (await socket.next())["type"] == "connection"


async def test_every_event_of_a_batch_comes_with_a_state(public_rig, script, panel):
    player = Player(public_rig, script)
    await in_thread(player.rebuild)
    socket = await panel()
    await socket.next("sessionUpdate")  # the repeat
    events = [player.intake.take(frame.text, frame.at) for frame in script.frames[:60]]
    batch = [event for event in events if event][: store.BATCH]
    await in_thread(store.receive, public_rig.pk, batch)
    for event in batch:
        assert (await socket.next())["data"]["Type"] == event.type
        assert [(await socket.next())["type"] for _ in range(2)] == ["unifiedSession", "sessionUpdate"]
    assert len(batch) == store.BATCH and await socket.quiet()


async def test_every_live_event_comes_with_the_state_after_it(public_rig, script, panel):
    player = Player(public_rig, script)
    await in_thread(player.rebuild)
    socket = await panel("/ws/unified/rig-1")
    await socket.next("unifiedSession")
    await in_thread(player.play, 3)
    for name in ("FILTERWHEEL-CHANGED", "IMAGE-PREPARED", "IMAGE-SAVE"):
        event = (await socket.next("nina-event"))["data"]
        assert (event["Type"], event["Source"]) == (name, "NINA")
        assert (await socket.next("unifiedSession"))["data"]["isActive"] is True
        last = await socket.next("sessionUpdate")
    assert event["Data"]["ImageStatistics"]["ImageType"] == "LIGHT"
    assert last["data"]["lastImage"]["time"] == last["data"]["lastImage"]["timestamp"]
    assert last["data"]["total_images"] == 37


async def test_a_rebuild_is_one_change_however_much_it_brings(public_rig, script, panel):
    socket = await panel()
    empty = await socket.next("unifiedSession")
    assert empty["data"]["target"] is None and empty["data"]["is_safe"] is None
    await socket.next("sessionUpdate")  # the repeat
    await in_thread(Player(public_rig, script).rebuild)
    assert (await socket.next())["type"] == "unifiedSession"
    assert (await socket.next())["type"] == "sessionUpdate"
    assert await socket.quiet()


async def test_unsafe_is_told_at_once_and_not_with_the_next_look(public_rig, script, panel, monkeypatch):
    monkeypatch.setattr(consumers, "CHECK_S", 3600.0)
    player = Player(public_rig, script)
    await in_thread(player.rebuild)
    socket = await panel()
    await socket.next("sessionUpdate")
    unsafe = next(frame for frame in script.frames if '"IsSafe": false' in frame.text)
    event = player.intake.take(unsafe.text, unsafe.at)
    await in_thread(store.receive, public_rig.pk, [event])
    state = (await socket.next("sessionUpdate"))["data"]
    assert (state["is_safe"], state["safe"]["isSafe"]) == (0, False)


@pytest.mark.parametrize("path", ["/ws/unified", "/ws/unified/", "/ws/unified/rig-1", "/ws/unified/rig-1/"])
async def test_a_rig_that_is_not_public_needs_a_token(rig, viewer_token, foreign_token, panel, path):
    assert (await (await panel(path, token=viewer_token)).next())["type"] == "connection"
    assert await (await panel(path, token=foreign_token)).closed() == 4404
    assert await (await panel(path, token="nonsense")).closed() == 4401
    stranger = await panel(path)
    await stranger.send('{"type": "hello"}')
    assert await stranger.closed() == 4401
    named = await panel(path)
    await named.send(orjson.dumps({"type": "auth", "token": viewer_token}).decode())
    assert (await named.next())["type"] == "connection"


async def test_a_login_cookie_opens_a_panel_from_our_own_pages_alone_and_until_the_logout(
    rig, viewer, client, panel, monkeypatch
):
    monkeypatch.setattr(consumers, "RIGHTS_S", 0.05)
    await in_thread(client.force_login, viewer)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    for origin in ({"origin": "https://elsewhere.example"}, {}):
        refused = await panel(cookie=cookie, **origin)
        await refused.send('{"type": "hello"}')
        assert await refused.closed() == 4401
    socket = await panel(cookie=cookie, origin="http://testserver")
    assert (await socket.next())["data"]["rig"] == "rig-1"
    await socket.next("sessionUpdate")
    await in_thread(client.logout)
    assert await socket.closed() == 4401


async def test_the_login_cookie_of_another_organisation_finds_no_rig(rig, stranger, client, panel):
    await in_thread(client.force_login, stranger)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    assert await (await panel(cookie=cookie, origin="http://testserver")).closed() == 4404


async def test_the_public_setting_opens_one_rig_and_names_it(organisation, rig, settings, panel):
    other = await in_thread(add_rig, organisation, slug="rig-2", by="test")
    settings.NINA_PUBLIC = "rig-2"
    assert (await (await panel()).next())["data"]["rig"] == other.slug
    closed = await panel("/ws/unified/rig-1")
    await closed.send("{}")
    assert await closed.closed() == 4401


async def test_a_rig_that_is_public_no_longer_closes_its_open_panels(public_rig, panel, monkeypatch):
    monkeypatch.setattr(consumers, "RIGHTS_S", 0.05)
    socket = await panel()
    await socket.next("unifiedSession")
    await in_thread(change_rig, public_rig, by="test", is_public=False)
    assert await socket.closed() == 4401


async def test_a_stopping_server_asks_panels_to_come_back(public_rig, panel):
    socket = await panel()
    await socket.next("unifiedSession")
    await consumers.shutdown()
    assert await socket.closed() == 4012


def test_a_reader_that_is_far_behind_gets_the_newest_state_only():
    outlet = consumers.Outlet()
    for number in range(consumers.WAITING + 10):
        outlet.put([f"event {number}"], newest=[f"state {number}"])
    assert list(outlet._waiting)[0] == f"state {consumers.WAITING}"
    assert len(outlet._waiting) == 10


async def test_a_link_that_breaks_is_in_the_state(public_rig, panel):
    heard_at = iso(clock.now())
    await in_thread(store.set_link, public_rig.pk, status="connected", heard_at=heard_at)
    socket = await panel()
    state = (await socket.next("unifiedSession"))["data"]
    assert state["connectionStatus"] == "connected" and state["wsStatus"]["isConnected"] is True
    await in_thread(store.set_link, public_rig.pk, status="disconnected", attempts=2)
    await socket.next("unifiedSession")
    broken = (await socket.next("sessionUpdate"))["data"]
    assert broken["connectionStatus"] == "disconnected"
    last_ms = to_epoch_ms(parse_iso(heard_at))
    assert broken["wsStatus"] == {"isConnected": False, "reconnectAttempts": 2, "lastHeartbeat": last_ms}


async def test_a_panel_is_told_that_the_listener_died_though_nobody_writes_it(public_rig, panel, our_clock):
    await in_thread(store.set_link, public_rig.pk, status="connected", heard_at=iso(our_clock.moment))
    socket = await panel()
    await socket.next("sessionUpdate")
    our_clock.move_to(our_clock.moment + link.HEARD_FOR)
    await socket.next("unifiedSession")
    lost = (await socket.next("sessionUpdate"))["data"]
    assert (lost["connectionStatus"], lost["wsStatus"]["isConnected"]) == ("disconnected", False)
    await in_thread(store.set_link, public_rig.pk, heard_at=iso(our_clock.moment))
    await socket.next("unifiedSession")
    assert (await socket.next("sessionUpdate"))["data"]["connectionStatus"] == "connected"


def test_the_epoch_of_the_rig_is_untouched_by_readers(rig):
    store.rebuild(rig.pk, application_start=BOOT, entries=[], images=[])
    assert Rig.objects.get().epoch == 0
