"""The state machine of a rig: pure, one event after the other, in the order of their times.

The rules R6 to R18 are those of docs/nina.md.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from monitoring.nina.calibration import Darks, Flats
from monitoring.nina.events import CONNECTIONS, ENDS, STARTS, Event, number, read_local, scalar, us_of
from monitoring.nina.reactions import REACTIONS, set_guiding
from monitoring.nina.state import (
    ACTIVE,
    CALIBRATING,
    DARKS,
    FLATS,
    IDLE,
    PAUSED,
    RECENT,
    State,
    leave_calibration,
    open_session,
)
from monitoring.nina.stats import UNKNOWN, Image, exposure_key, image_of

__all__ = ["Machine", "State"]

THROUGH_A_FILTER = ("LIGHT", "FLAT")  # when they name none, they were taken through the wheel's present one


class Machine:
    """Feeds events to a state. `zone` is the site's: times inside events without an offset are local."""

    def __init__(self, zone: tzinfo, state: State | None = None) -> None:
        self.zone = zone
        self.state = state or State()

    def apply(self, event: Event) -> State:
        """The state after `event`; an event of an unknown type is only remembered as recent."""
        state = self.state
        state.newest_us = max(state.newest_us or 0, event.at_us)
        state.recent = [*state.recent[-RECENT + 1 :], _recent(event)]
        if event.type in STARTS:
            self._start(event)
        elif event.type in ENDS:
            self._end(event)
        elif event.type == "IMAGE-SAVE":
            self._image(event)
        elif event.type in CONNECTIONS:
            self._equipment(event)
        elif (react := REACTIONS.get(event.type)) is not None:
            react(state, event)
        return state

    # --- the session ------------------------------------------------------------------------------------

    def _start(self, event: Event) -> None:
        state = self.state
        if not state.is_open:
            open_session(state, event.at_us)
        state.fsm, state.paused_us = ACTIVE, None
        if event.type.startswith("TS-"):
            state.target = self._target(event)

    def _target(self, event: Event) -> dict[str, Any] | None:
        """The target that the event names; what it does not say is kept while the name is the same."""
        name = _text(event, "TargetName")
        before = self.state.target if self.state.target and self.state.target["name"] == name else {}
        end = self._end_of_target(event)
        coordinates = event.payload.get("Coordinates")
        said = {
            "project": _text(event, "ProjectName"),
            "coordinates": _known(coordinates) if isinstance(coordinates, dict) else None,
            "rotation": number(event.payload.get("Rotation")),
            "end_us": us_of(end) if end else None,
        }
        if name is None:
            return self.state.target
        kept = {key: before.get(key) if value is None else value for key, value in said.items()}
        return {"name": name, "started_us": before.get("started_us", event.at_us), **kept}

    def _end_of_target(self, event: Event) -> datetime | None:
        """In the hour that comes twice in autumn, the reading that is still to come."""
        end = read_local(event.payload.get("TargetEndTime"), self.zone)
        if end is not None and end < event.at:
            end = max(end, read_local(event.payload["TargetEndTime"], self.zone, fold=1) or end)
        return end

    def _end(self, event: Event) -> None:
        if self.state.is_open:
            self.state.fsm, self.state.ended_us = IDLE, event.at_us
            self.state.paused_us = self.state.autofocus_us = None

    def _equipment(self, event: Event) -> None:
        device, _, word = event.type.rpartition("-")
        self.state.equipment = {"device": device, "event": word, "at_us": event.at_us}
        if event.type == "GUIDER-DISCONNECTED":
            set_guiding(self.state, "Disconnected", event)
        if event.type == "FLAT-DISCONNECTED":
            leave_calibration(self.state)

    # --- images -----------------------------------------------------------------------------------------

    def _image(self, event: Event) -> None:
        state, image = self.state, image_of(event, self.zone)
        kind = image.type or ("FLAT" if state.fsm == FLATS else "LIGHT")
        if state.fsm == IDLE and kind == "LIGHT" and self._begins_a_session(image):
            open_session(state, image.begun_us)
        self._note_last(image, kind)
        if not self._belongs(image):
            return
        if kind == "LIGHT":
            self._light(image, state.last_image["filter"] or UNKNOWN)
        elif kind in ("FLAT", "DARK"):
            self._calibration(image, kind)

    def _begins_a_session(self, image: Image) -> bool:
        ended_us = self.state.ended_us
        return image.begun_us is not None and (ended_us is None or image.begun_us > ended_us)

    def _belongs(self, image: Image) -> bool:
        """Whether the image counts in the session that the counters belong to."""
        state = self.state
        if state.fsm == IDLE:
            ended_us = state.ended_us
            return ended_us is not None and image.begun_us is not None and image.begun_us <= ended_us
        previous_us = state.previous_end_us
        return previous_us is None or image.begun_us is None or image.begun_us > previous_us

    def _note_last(self, image: Image, kind: str) -> None:
        state = self.state
        state.last_image = {
            "type": kind,
            "filter": image.filter or (state.filter if kind in THROUGH_A_FILTER else None),
            "exposure_s": image.exposure_s,
            "temperature": image.temperature,
            "hfr": image.hfr,
            "stars": image.stars,
            "rms": image.rms_arcsec,
            "at_us": image.saved_us,
            "gain": image.gain,
            "offset": image.offset,
            "median": image.median,
            "filename": image.filename,
        }
        if image.temperature is not None:
            state.temperature = image.temperature
        begun_us, changed_us = image.begun_us, state.filter_us
        if image.filter and begun_us is not None and (changed_us is None or begun_us > changed_us):
            state.filter = image.filter

    def _light(self, image: Image, name: str) -> None:
        state = self.state
        state.total_images += 1
        state.images_per_filter[name] = state.images_per_filter.get(name, 0) + 1
        self._count_for_target(name, image)
        if image.exposure_s is not None:
            state.total_exposure_s = round(state.total_exposure_s + image.exposure_s, 6)
            state.exposure_s = image.exposure_s
        if image.rms_arcsec is not None:
            state.guiding_rms = image.rms_arcsec
        if state.fsm in CALIBRATING:
            leave_calibration(state)
        elif state.fsm == PAUSED and image.begun_us is not None and image.begun_us > state.paused_us:
            state.fsm, state.paused_us = ACTIVE, None

    def _count_for_target(self, name: str, image: Image) -> None:
        state = self.state
        target = image.target or (state.target["name"] if state.target else UNKNOWN)
        exposures = state.per_target.setdefault(target, {}).setdefault(name, {})
        key = exposure_key(image.exposure_s)
        exposures[key] = exposures.get(key, 0) + 1

    def _calibration(self, image: Image, kind: str) -> None:
        state = self.state
        if kind == "FLAT":
            state.flats = Flats(**state.flats).after_image(image, state.filter)
        else:
            state.darks = Darks(**state.darks).after_image(image)
        if state.is_open:
            state.fsm, state.paused_us = (FLATS if kind == "FLAT" else DARKS), None


def _recent(event: Event) -> dict[str, Any]:
    return {"type": event.type, "at_us": event.at_us, "payload": event.payload}


def _text(event: Event, name: str) -> str | None:
    value = scalar(event.payload.get(name))
    return value if isinstance(value, str) else None


def _known(raw: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in raw.items() if scalar(value) is not None} or None
