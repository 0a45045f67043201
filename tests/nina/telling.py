"""Frames of a night written by hand: what NINA tells, and the object that it leads to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.nina.intake import LiveIntake
from monitoring.nina.machine import Machine, State
from monitoring.nina.script import Frame
from monitoring.nina.unified import unified
from sessionsite.common.clock import iso
from tests.nina.night import value_at

EVENING = datetime(2026, 1, 1, 20, tzinfo=UTC)
MORNING = EVENING + timedelta(hours=10)


def moment(seconds: float) -> str:
    """So many seconds into the evening, as the object says it."""
    return iso(EVENING + timedelta(seconds=seconds))


def tells(name: str, seconds: float, **fields) -> Frame:
    return Frame(EVENING + timedelta(seconds=seconds), {"Response": {"Event": name, **fields}})


def starts(seconds: float = 0) -> Frame:
    return tells("SEQUENCE-STARTING", seconds)


def ends(seconds: float) -> Frame:
    return tells("SEQUENCE-FINISHED", seconds)


def safety(seconds: float, is_safe) -> Frame:
    return tells("SAFETY-CHANGED", seconds, IsSafe=is_safe)


def aims(seconds: float, target: str | list = "M 42", *, name: str = "TS-TARGETSTART", **fields) -> Frame:
    return tells(name, seconds, TargetName=target, **fields)


def turns(seconds: float, previous: str | list, new: str | list) -> Frame:
    """The wheel; a list is a name that the plugin has lost."""
    return tells("FILTERWHEEL-CHANGED", seconds, Previous={"Name": previous}, New={"Name": new})


def saves(seconds: float, kind: str = "LIGHT", *, exposure_s: float = 60, **statistics) -> Frame:
    """An image whose exposure began `exposure_s` before."""
    told = {"ImageType": kind, "Filter": "L", "ExposureTime": exposure_s, "Date": moment(seconds)}
    return tells("IMAGE-SAVE", seconds, ImageStatistics={**told, **statistics})


def saves_without_statistics(seconds: float) -> Frame:
    return tells("IMAGE-SAVE", seconds)


def state_after(frames: list[Frame]) -> State:
    machine, intake = Machine(UTC), LiveIntake()
    for frame in frames:
        if event := intake.take(frame.text, frame.at):
            machine.apply(event)
    return machine.state


def rule(name: str, frames: list[Frame], wanted: dict):
    """One row of a table: these frames lead to these values. See `assert_shows`."""
    return pytest.param(frames, wanted, id=name)


def assert_shows(frames: list[Frame], wanted: dict) -> None:
    """wanted: {path into the object: value} at the end of the frames."""
    shown = unified(state_after(frames), now=MORNING)
    assert {path: value_at(shown, path) for path in wanted} == wanted
