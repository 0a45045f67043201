"""Rules of order and of repeats: which of the things that NINA tells are taken, and in which order."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.db import connections

from monitoring.nina.events import Event
from monitoring.nina.intake import Dedup, LiveIntake, read_history
from monitoring.nina.listener import RigListener
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.script import Frame, Script
from monitoring.nina.simulator import SimulatedNina
from tests.nina.night import ZONE
from tests.nina.telling import EVENING, rule, safety, saves, saves_without_statistics, tells, turns
from tests.waiting import in_thread, until

HISTORIES = [
    rule(
        "R3 in the order of time, and of the history where that is the same",
        [safety(9, True), safety(5, False), safety(5, True), tells("GUIDER-STOP", 1)],
        ["GUIDER-STOP 1", "SAFETY-CHANGED 5 False", "SAFETY-CHANGED 5 True", "SAFETY-CHANGED 9 True"],
    ),
    rule(
        "R4 another time is no other payload",
        [tells("MOUNT-HOMED", 5), tells("MOUNT-HOMED", 5.9), tells("MOUNT-HOMED", 6.9)],
        ["MOUNT-HOMED 5", "MOUNT-HOMED 6.9"],
    ),
    rule(
        "R4 changes whose values are lost are one at the same instant only",
        [turns(5, [], []), turns(5, [], []), turns(5.3, [], [])],
        ["FILTERWHEEL-CHANGED 5", "FILTERWHEEL-CHANGED 5.3"],
    ),
]
FRAMES = [
    rule(
        "R4 a repeat is measured from the last that was accepted, not from another repeat",
        [tells("GUIDER-DITHER", at) for at in (0, 0.6, 1.2, 1.8)],
        [0, 1.2],
    ),
    rule("R4 a second is no repeat any more", [tells("GUIDER-DITHER", at) for at in (0, 0.999, 1)], [0, 1]),
    rule(
        "R4 180 is 180.0",
        [tells("ROTATOR-MOVED", 0, From=1, To=180), tells("ROTATOR-MOVED", 0.5, From=1.0, To=180.0)],
        [0],
    ),
    rule("R4 in a list too", [tells("X", 0, At=[1]), tells("X", 0.5, At=[1.0])], [0]),
    rule("R4 a null is no payload", [tells("X", 0, At=None), tells("X", 0.5)], [0]),
    rule("R4 true is not 1", [tells("X", 0, On=True), tells("X", 0.5, On=1)], [0, 0.5]),
    rule(
        "R4 an image with statistics is one however often it is told within five minutes",
        [saves(0), *[Frame(EVENING + timedelta(seconds=at), saves(0).content) for at in (1, 299.9, 300)]],
        [0, 300],
    ),
    rule(
        "R4 what is no image may come again after a second",
        [tells("ROTATOR-MOVED", at, From=1, To=2) for at in (0, 0.9, 30)],
        [0, 30],
    ),
    rule(
        "R4 an image without statistics repeats any that is less than a second old",
        [saves(0), *[saves_without_statistics(at) for at in (0.9, 1, 1.9)]],
        [0, 1],
    ),
    rule(
        "R4 safe, unsafe, safe within a second are three changes",
        [safety(0, True), safety(0.3, False), safety(0.6, True), safety(0.9, True), safety(1.6, True)],
        [0, 0.3, 0.6, 1.6],
    ),
]


def entry(frame: Frame) -> dict:
    return {**frame.flat, "Time": frame.at.isoformat()}


def told(event) -> str:
    words = [event.type, f"{(event.at - EVENING).total_seconds():g}"]
    return " ".join(words + [str(value) for value in event.payload.values() if isinstance(value, bool)])


@pytest.mark.parametrize(("frames", "wanted"), HISTORIES)
def test_a_history_is_taken_in_the_order_of_time_and_without_repeats(frames, wanted):
    history = read_history([entry(frame) for frame in frames], [], ZONE)
    assert [told(event) for event in history.events] == wanted


@pytest.mark.parametrize(("frames", "wanted"), FRAMES)
def test_frames_are_taken_unless_they_repeat_another(frames, wanted):
    intake = LiveIntake()
    taken = [frame.at for frame in frames if intake.take(frame.text, frame.at)]
    assert [(at - EVENING).total_seconds() for at in taken] == wanted
    assert intake.ingest.duplicates == len(frames) - len(wanted)


def test_r4_nothing_is_remembered_for_much_longer_than_five_minutes():
    dedup = Dedup()
    for second in range(3600):
        event = Event("AUTOFOCUS-POINT-ADDED", EVENING + timedelta(seconds=second), {"Position": second})
        assert not dedup.is_duplicate(event)
        assert len(dedup._last) <= 2 * 300 + 2


@pytest.mark.django_db(transaction=True)
async def test_at_sixty_times_speed_equal_events_half_a_minute_apart_are_two(rig, monkeypatch):
    """NINA's clock runs 30 s in half a second of ours; the window for repeats is a second of NINA's."""
    now = EVENING
    monkeypatch.setattr("sessionsite.common.clock.now", lambda: now)
    nina = SimulatedNina(Script([], [], zone=ZONE), speed=60, begins_at=EVENING)
    async with nina.serving():
        await in_thread(Rig.objects.filter(pk=rig.pk).update, url=nina.url)
        listener = RigListener(await in_thread(Rig.objects.for_messages().get, pk=rig.pk), None)
        task = asyncio.create_task(listener.run())
        for taken in (1, 2):
            await until(lambda: nina.sockets and listener.clock.speed == 60, what="a connection")
            nina.happen(tells("GUIDER-DITHER", 0))
            await stored(rig, taken)
            now += timedelta(seconds=0.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    first, second = await in_thread(list, RigEvent.objects.filter(rig=rig))
    assert (first.is_live, second.is_live, second.at - first.at) == (True, True, timedelta(seconds=30))
    await in_thread(connections.close_all)


async def stored(rig, wanted: int) -> None:
    for _ in range(2000):
        if await in_thread(RigEvent.objects.filter(rig=rig).count) >= wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never {wanted} events")
