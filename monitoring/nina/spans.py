"""Replaying events into a state, and the sessions that it passed through on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from monitoring.nina.events import STARTS, Event
from monitoring.nina.machine import Machine
from monitoring.nina.state import State


@dataclass(frozen=True)
class Span:
    """One session of a rig: from a start to an end, with what was counted in it."""

    started_us: int
    ended_us: int | None
    figures: dict[str, Any]

    @property
    def id(self) -> str:
        return f"session_{self.started_us // 1000}"


def span_of(state: State) -> Span | None:
    """The session that the state's counters belong to."""
    if state.started_us is None:
        return None
    figures = {
        "total_images": state.total_images,
        "total_exposure_s": state.total_exposure_s,
        "images_per_filter": dict(state.images_per_filter),
        "per_target": state.per_target,
        "flats": state.flats["count"],
        "darks": state.darks["count"],
    }
    return Span(state.started_us, state.ended_us, figures)


@dataclass
class Replay:
    """The state after some events, the sessions that they touched, and each event's session."""

    state: State
    spans: dict[int, Span] = field(default_factory=dict)
    started_us_of: list[int | None] = field(default_factory=list)


def replay(events: Iterable[Event], zone: tzinfo, state: State) -> Replay:
    """Every event applied in the given order. `state` is changed in place."""
    machine, result = Machine(zone, state), Replay(state)
    for event in events:
        was_open, before = state.is_open, None
        if not was_open and (event.type in STARTS or event.type == "IMAGE-SAVE"):
            before = span_of(state)
        machine.apply(event)
        if before and before.started_us != state.started_us:
            result.spans[before.started_us] = before
        result.started_us_of.append(state.started_us if was_open or state.is_open else None)
    if last := span_of(state):
        result.spans[last.started_us] = last
    return result
