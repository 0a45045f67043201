"""How a rig's state follows its devices: cover, wheel, safety monitor, guider, focuser, mount."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitoring.nina.events import Event, number, scalar
from monitoring.nina.state import ACTIVE, FLATS, PAUSED, State, leave_calibration

MOUNT_WORDS = {
    "MOUNT-HOMED": "homed",
    "MOUNT-PARKED": "parked",
    "MOUNT-UNPARKED": "unparked",
    "MOUNT-BEFORE-FLIP": "flipping",
    "MOUNT-AFTER-FLIP": "flipped",
    "MOUNT-CENTER": "centered",
}


def _mount(state: State, event: Event) -> None:
    state.mount, state.mount_us = MOUNT_WORDS[event.type], event.at_us


def _cover_closed(state: State, event: Event) -> None:
    if state.fsm == ACTIVE:
        state.fsm = FLATS
        state.flats = {**state.flats, "started_us": event.at_us, "filter": state.filter}


def _cover_opened(state: State, event: Event) -> None:
    leave_calibration(state)


def _brightness(state: State, event: Event) -> None:
    state.flats = {**state.flats, "brightness": number(event.payload.get("New"))}


def _filter(state: State, event: Event) -> None:
    new, previous = _position(event.payload.get("New")), _position(event.payload.get("Previous"))
    if new is not None and new == previous:
        return
    state.filter = new[0] if new else None
    state.filter_us = event.at_us
    if state.fsm == FLATS:
        state.flats = {**state.flats, "filter": state.filter}


def _position(raw: Any) -> tuple[Any, Any] | None:
    """(name, id) of a wheel's position; None when its name is lost."""
    name = scalar(raw.get("Name")) if isinstance(raw, dict) else None
    return (name, scalar(raw.get("Id"))) if isinstance(name, str) else None


def _safety(state: State, event: Event) -> None:
    is_safe = event.payload.get("IsSafe")
    if not isinstance(is_safe, bool):
        return
    state.is_safe, state.safety_us = is_safe, event.at_us
    if not is_safe and state.fsm == ACTIVE:
        state.fsm, state.paused_us = PAUSED, event.at_us


def set_guiding(state: State, word: str, event: Event) -> None:
    if state.guiding_state != word:
        state.guiding_state, state.guiding_us = word, event.at_us


def _guider_start(state: State, event: Event) -> None:
    set_guiding(state, "Guiding", event)
    state.autofocus_us = None
    if state.fsm == PAUSED:
        state.fsm, state.paused_us = ACTIVE, None


def _guider_stop(state: State, event: Event) -> None:
    set_guiding(state, "Stopped", event)


def _autofocus_starts(state: State, event: Event) -> None:
    state.autofocus_us = event.at_us


def _autofocus_ends(state: State, event: Event) -> None:
    state.autofocus_us = None


REACTIONS: dict[str, Callable[[State, Event], None]] = {
    "SAFETY-CHANGED": _safety,
    "FILTERWHEEL-CHANGED": _filter,
    "GUIDER-START": _guider_start,
    "GUIDER-STOP": _guider_stop,
    "AUTOFOCUS-STARTING": _autofocus_starts,
    "AUTOFOCUS-FINISHED": _autofocus_ends,
    "ERROR-AF": _autofocus_ends,
    "FLAT-COVER-CLOSED": _cover_closed,
    "FLAT-COVER-OPENED": _cover_opened,
    "FLAT-BRIGHTNESS-CHANGED": _brightness,
    **dict.fromkeys(MOUNT_WORDS, _mount),
}
