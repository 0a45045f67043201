"""The listener against a simulated NINA: cuts, repeats, junk, restarts, two processes for one rig."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.test import Client

from monitoring.nina import keeper, store
from monitoring.nina import listener as listener_module
from monitoring.nina.listener import MESSAGE_BYTES, RigListener, pause_s
from monitoring.nina.models import Rig, RigEvent, RigGap
from monitoring.nina.script import Frame
from monitoring.nina.simulator import SimulatedNina
from monitoring.nina.state import State
from monitoring.nina.unified import unified
from monitoring.nina.verbs import add_rig
from sessions_app.models import Lease
from tests.nina.listeners import BEGIN, fresh, holds, listening, played, status, unconnected
from tests.nina.night import CHECKPOINTS, differences
from tests.nina.player import assert_follows_from_the_journal
from tests.nina.silent import SilentNina
from tests.waiting import in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_night_is_followed_through_cuts_and_repeats(rig, script):
    async with SimulatedNina(script, dup=0.3, begins_at=BEGIN).serving() as nina, listening(rig, nina):
        for start in range(0, len(script.frames), 20):
            for frame in script.frames[start : start + 16]:
                nina.happen(frame)
            await nina.cut()
            played(nina, script.frames[start + 16 : start + 20])  # nobody is connected
            connections_before = nina.connections
            await until(lambda: nina.connections > connections_before, what="a new connection")  # noqa: B023
        await nina.cut()
        wanted = CHECKPOINTS[-1]
        entries = len(nina.history)
        found = await holds(rig, lambda rig: rig.counted_entries == entries)
        clock = (*wanted.raw["clock_dependent"], "flat.recent_events", "ingest")
        shown = unified(State.from_json(found.state), now=wanted.as_of)
        assert differences(shown, wanted.wanted(leave_out=clock)) == {}
        await in_thread(assert_follows_from_the_journal, found)


async def test_a_frame_is_stored_and_counted_and_junk_changes_nothing(rig, script, viewer_token):
    junk = [
        b"\xff\xfe\x00",
        "{" * 5000,
        '{"Response": {"Event": "A", "x": ' + "[" * 100 + "]" * 100 + "}}",
        '{"Response": {"Event": "A", "x": NaN}}',
        '{"Response": {"Event": "A", "x": ' + "9" * 400 + "}}",
        '{"Response": {"Event": "A", "x": "' + "y" * 5_000_000 + '"}}',
    ]
    async with SimulatedNina(script, begins_at=BEGIN).serving() as nina, listening(rig, nina):
        before = await fresh(rig)
        for frame in junk:
            nina.send_raw(frame)
        found = await holds(
            rig, lambda rig: rig.ingest["malformed"] == before.ingest["malformed"] + len(junk)
        )
        assert (found.state, found.last_seq) == (before.state, before.last_seq)
        health = await health_of(viewer_token)
        assert health["status"] == "healthy" and health["ingest"]["lastRefusal"]
        assert health["ingest"]["malformed"] == before.ingest["malformed"] + len(junk)
        nina.happen(script.frames[0])
        found = await holds(rig, lambda rig: rig.last_seq == before.last_seq + 1)
        assert nina.connections == 1  # the junk has cost no connection


async def health_of(token: str) -> dict:
    headers = {"Authorization": f"Bearer {token}"}
    return (await in_thread(Client().get, "/api/config/health", headers=headers)).json()


async def test_a_frame_beyond_every_limit_costs_the_connection_and_nothing_else(rig, script, viewer_token):
    async with SimulatedNina(script, begins_at=BEGIN).serving() as nina, listening(rig, nina):
        before = await fresh(rig)
        nina.send_raw('{"Response": {"Event": "A", "x": "' + "y" * (MESSAGE_BYTES + 1) + '"}}')
        await until(lambda: nina.connections == 2 and nina.sockets, what="a new connection")
        await status(rig, "connected")
        nina.happen(script.frames[0])
        found = await holds(rig, lambda rig: rig.last_seq == before.last_seq + 1)
        gap = await in_thread(RigGap.objects.filter(rig=rig).latest, "begun_at")
        assert gap.ended_at and found.link["status"] == "connected"
        assert (await health_of(viewer_token))["status"] == "healthy"


async def test_silence_is_no_fault_but_pings_without_an_answer_are(rig, monkeypatch):
    assert (listener_module.PING_S, listener_module.PONG_WITHIN_S) == (30.0, 20.0)
    monkeypatch.setattr(listener_module, "PING_S", 0.05)
    monkeypatch.setattr(listener_module, "PONG_WITHIN_S", 5.0)
    silent = SilentNina()
    async with silent.serving() as nina, listening(rig, nina):
        await until(lambda: nina.pings >= 10, what="ten pings")
        found = await fresh(rig)
        assert (found.link["status"], nina.connections, found.last_seq) == ("connected", 1, 0)
        nina.answers_pings = False
        await until(lambda: nina.connections > 1, within_s=30, what="a new connection")
        assert await in_thread(RigGap.objects.filter(rig=rig).exists)


async def test_the_pauses_between_attempts_grow_and_never_end(rig):
    pauses: asyncio.Queue[float] = asyncio.Queue()

    async def at_once_and_noted(seconds: float) -> None:
        pauses.put_nowait(seconds)
        await asyncio.sleep(0)

    await in_thread(Rig.objects.filter(pk=rig.pk).update, url="http://127.0.0.1:9")
    listener = RigListener(await fresh(rig), None, sleep=at_once_and_noted)
    task = asyncio.create_task(listener.run())
    taken = [await asyncio.wait_for(pauses.get(), 10) for _ in range(12)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for pause, longest in zip(taken, [1, 2, 4, 8, 16, *[30] * 7], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(taken[5:])) > 1  # left to chance, so that not everybody comes back at once
    assert (await fresh(rig)).link["attempts"] >= 12
    await in_thread(connections.close_all)


async def test_the_pauses_are_short_again_once_the_history_was_read(rig, script):
    pauses: asyncio.Queue[float] = asyncio.Queue()

    async def at_once_and_noted(seconds: float) -> None:
        pauses.put_nowait(seconds)
        await asyncio.sleep(0)

    async with SimulatedNina(script, begins_at=BEGIN).serving() as nina:
        nina.is_down = True
        async with unconnected(rig, nina, sleep=at_once_and_noted):
            for _ in range(6):
                longest_s = await asyncio.wait_for(pauses.get(), 30)
            assert longest_s >= 15
            nina.is_down = False
            await holds(rig, lambda rig: rig.rebuilt_at and rig.link["status"] == "connected")
            while not pauses.empty():
                pauses.get_nowait()
            await nina.cut()
            assert await asyncio.wait_for(pauses.get(), 30) <= 1


async def test_frames_that_are_no_utf8_text_do_not_end_the_connection(rig, script):
    async with SimulatedNina(script, begins_at=BEGIN).serving() as nina, listening(rig, nina):
        for socket in nina.sockets:
            await socket.send(b"\xff\xff", text=True)
        await holds(rig, lambda rig: rig.ingest["malformed"] == 2)  # the history has one of its own
        assert nina.connections == 1 and len(nina.sockets) == 1


async def test_a_restart_of_nina_keeps_the_night_and_goes_on(rig, script):
    async with SimulatedNina(script, begins_at=BEGIN).serving() as nina, listening(rig, nina):
        played(nina, script.frames[:16])
        found = await holds(rig, lambda rig: rig.state.get("total_images") == 39)
        nina.restart()
        await nina.cut()
        await holds(rig, lambda rig: rig.generation == found.generation + 1)
        await status(rig, "connected")
        played(nina, script.frames[16:30])
        await holds(rig, lambda rig: rig.state["total_images"] > 39)


async def test_the_clock_of_nina_is_taken_over_with_its_speed(rig, script):
    nina = SimulatedNina(script, begins_at=BEGIN, speed=60)
    async with nina.serving(), listening(rig, nina) as listener:
        assert listener.clock.speed == 60
        assert abs((listener.clock.now() - nina.now()).total_seconds()) < 60  # one real second
        nina.happen(script.frames[0])
        row = await holds(rig, lambda rig: rig.last_seq == 281)
        stored = await in_thread(RigEvent.objects.get, rig=row, seq=281)
        assert abs(stored.at - nina.now()) < timedelta(minutes=5)


def test_pauses_grow_to_thirty_seconds_and_half_of_each_is_chance():
    assert [pause_s(n, lambda: 1.0) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pause_s(50, lambda: 0.0) == 15


def test_one_process_listens_and_another_takes_over_when_the_lease_is_out(rig, monkeypatch):
    Rig.objects.filter(pk=rig.pk).update(url="http://127.0.0.1:9")
    assert [duty.rig_id for duty in keeper.duties()] == [rig.pk]
    _, first = keeper.claim(rig.pk)
    monkeypatch.setattr("sessions_app.leases.process_name", lambda: "another process")
    assert keeper.duties() == []
    Lease.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))  # the first one died
    assert [duty.rig_id for duty in keeper.duties()] == [rig.pk]
    _, second = keeper.claim(rig.pk)
    assert second > first
    with pytest.raises(store.TakenOver):
        store.set_link(rig.pk, status="connected", epoch=first)
    assert keeper.LEASE_S + keeper.LOOK_S < 30


async def test_the_keeper_follows_every_rig_and_notices_a_new_one(organisation, rig, script, monkeypatch):
    monkeypatch.setattr(keeper, "LOOK_S", 0.05)
    stopping = asyncio.Event()
    async with (
        SimulatedNina(script, begins_at=BEGIN).serving() as first,
        SimulatedNina(script, begins_at=BEGIN).serving() as second,
    ):
        await in_thread(Rig.objects.filter(pk=rig.pk).update, url=first.url)
        keeping = asyncio.create_task(keeper.keep_listening(stopping))
        await status(rig, "connected")
        other = await in_thread(add_rig, organisation, slug="rig-2", url=second.url, by="test")
        await status(other, "connected")
        stopping.set()
        await keeping
        for each in (rig, other):
            await status(each, "disconnected")
    await in_thread(connections.close_all)


def test_the_script_writes_stamps_as_nina_does(script):
    entries = {entry["Event"]: entry["Time"] for entry in script.history_after(len(script.frames))[286:]}
    assert entries["GUIDER-STOP"].endswith("+01:00") and len(entries["GUIDER-STOP"]) == 33
    assert entries["TS-WAITSTART"] == "2025-11-15T02:30:00.4000000"
    assert json.dumps(script.shifted(timedelta(days=1)).history[0]).count("2025-11-15T17:50:02") == 1
    assert Frame(BEGIN, "text").flat is None
