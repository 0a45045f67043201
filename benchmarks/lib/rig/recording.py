"""The recorded night, again and again: live, or as the history that NINA has of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from benchmarks.lib.processes import REPOSITORY
from monitoring.nina.events import Event
from monitoring.nina.intake import read_history
from monitoring.nina.script import Frame, Script

FOLDER = REPOSITORY / "tests" / "payloads" / "nina"
ZONE = ZoneInfo("Europe/Madrid")
NIGHT = timedelta(hours=12.5)  # the recorded one lasts a quarter of an hour less


def nothing_happens() -> Script:
    return Script([], [], [], ZONE)


def live_night(begin: datetime, *, hours: float) -> list[Frame]:
    """The recorded night as frames from its first event on, at most so many hours of it."""
    frames = _night_as_frames()
    night = Script([], [], frames, ZONE).shifted(begin - frames[0].at).frames
    return [frame for frame in night if frame.at <= begin + timedelta(hours=hours)]


@cache
def _night_as_frames() -> list[Frame]:
    script = Script.load(FOLDER, ZONE)
    told = read_history(script.history, script.images, ZONE).events
    return sorted([_frame_of(event) for event in told] + script.frames, key=lambda frame: frame.at)


def _frame_of(event: Event) -> Frame:
    return Frame(event.at, {"Response": {"Event": event.type, **event.payload}, "Type": "Socket"})


def history_of(events: int, before: datetime) -> tuple[list[dict], list[dict]]:
    """(event history, image history) of a NINA that has run for weeks: whole nights, at least so many events.

    With all that the recording has: sequences that begin and end, alarms, images to pair, repeats, entries
    out of order and one that is none.
    """
    script = Script.load(FOLDER, ZONE)
    night = read_history(script.history_after(len(script.frames)), [], ZONE)
    nights = -(-events // len(night.events))
    begin = before - NIGHT * nights - night.events[0].at
    entries, images = [], []
    for number in range(nights):
        moved = script.shifted(begin + NIGHT * number)
        entries += moved.history_after(len(moved.frames))
        images += moved.images_after(len(moved.frames))
    return entries, images
