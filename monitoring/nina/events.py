"""One kind of event from the two shapes NINA sends: entries of its history and frames of its socket.

Wire: ninaAPI 2.x, GET /v2/api/event-history and /v2/socket. Whatever cannot be used raises Malformed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import orjson

from sessionsite.common.clock import EARLIEST, EPOCH, LATEST

FRAME_BYTES = 256 * 1024  # a real frame has about 1 kB
DEPTH = 16  # a real event has 3
NUMBER_LIMIT = 2**53  # above it JSON readers disagree
NAME_LENGTH = 100
TEXT_LENGTH = 20_000

LOCAL_STAMPED = frozenset({"MOUNT-CENTER", "DOME-STOPPED", "ERROR-AF", "ERROR-PLATESOLVE"})
DEVICES = ("CAMERA", "DOME", "FILTERWHEEL", "FLAT", "FOCUSER", "GUIDER")
DEVICES += ("MOUNT", "ROTATOR", "SAFETY", "SWITCH", "WEATHER")
STARTS = frozenset({"SEQUENCE-STARTING", "TS-TARGETSTART", "TS-NEWTARGETSTART"})
ENDS = frozenset({"SEQUENCE-FINISHED", "SEQUENCE-STOPPED", "SEQUENCE-COMPLETED"})
CONNECTIONS = {f"{device}-{word}" for device in DEVICES for word in ("CONNECTED", "DISCONNECTED")}
KNOWN = (
    STARTS
    | ENDS
    | LOCAL_STAMPED
    | CONNECTIONS
    | {f"FLAT-COVER-{word}" for word in ("OPENED", "CLOSED")}
    | {f"DOME-{word}" for word in ("SHUTTER-OPENED", "SHUTTER-CLOSED", "HOMED", "PARKED", "SYNCED", "SLEWED")}
    | {f"MOUNT-{word}" for word in ("BEFORE-FLIP", "AFTER-FLIP", "HOMED", "PARKED", "UNPARKED")}
    | {f"ROTATOR-{word}" for word in ("SYNCED", "MOVED", "MOVED-MECHANICAL")}
    | {f"AUTOFOCUS-{word}" for word in ("STARTING", "POINT-ADDED", "FINISHED")}
    | {f"GUIDER-{word}" for word in ("START", "STOP", "DITHER")}
    | {f"PROFILE-{word}" for word in ("ADDED", "CHANGED", "REMOVED")}
    | {"IMAGE-SAVE", "IMAGE-PREPARED", "FILTERWHEEL-CHANGED", "FOCUSER-USER-FOCUSED", "SAFETY-CHANGED"}
    | {"FLAT-LIGHT-TOGGLED", "FLAT-BRIGHTNESS-CHANGED", "TS-WAITSTART", "STACK-UPDATED", "STACK-STATUS"}
    | {"CAMERA-DOWNLOAD-TIMEOUT", "API-CAPTURE-FINISHED", "SEQUENCE-ENTITY-FAILED"}
)


class Malformed(Exception):
    """This is no event; it is dropped and counted."""


@dataclass(frozen=True)
class Event:
    """One event. `at` is aware UTC; `payload` holds NINA's other fields as they came, without nulls."""

    type: str
    at: datetime
    payload: dict[str, Any] = field(default_factory=dict)
    index: int | None = None  # its place in NINA's history; None for a frame
    stamp: str | None = None  # its time there as NINA wrote it; None for a frame

    @property
    def at_us(self) -> int:
        return us_of(self.at)

    @property
    def statistics(self) -> dict[str, Any] | None:
        found = self.payload.get("ImageStatistics")
        return found if isinstance(found, dict) and found else None

    @property
    def raw(self) -> dict[str, Any]:
        """What is stored of it, under NINA's own names."""
        time = {} if self.stamp is None else {"Time": self.stamp}
        return {"Event": self.type, **time, **self.payload}

    def with_statistics(self, statistics: dict[str, Any]) -> Event:
        return replace(self, payload={**self.payload, "ImageStatistics": statistics})


@dataclass(frozen=True)
class Message:
    """A text that somebody sent through NINA's socket; it changes nothing."""

    text: str


def us_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return round((moment - EPOCH).total_seconds() * 1_000_000)


def moment_of(at_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_us)


def read_body(body: bytes) -> Any:
    """The JSON of an answer of NINA's REST side. A bare NaN in it reads as null. Raises Malformed."""
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_constant=lambda word: None)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None


def read_frame(frame: bytes | str, at: datetime) -> Event | Message:
    """The event in one frame of the socket, stamped with the moment of its arrival. Raises Malformed."""
    data = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
    if len(data) > FRAME_BYTES:
        raise Malformed(f"a frame of more than {FRAME_BYTES} bytes")
    try:
        message = orjson.loads(data)
    except ValueError as error:
        raise Malformed(f"not JSON: {error}") from None
    return flatten(message, at)


def flatten(message: Any, at: datetime) -> Event | Message:
    """The event in a parsed frame, with or without NINA's envelope. Raises Malformed."""
    flat = message.get("Response", message) if isinstance(message, dict) else message
    if isinstance(flat, str):
        return Message(flat[:TEXT_LENGTH])
    return Event(_name_in(flat), at, _payload_of(flat))


def read_entry(entry: Any, index: int, zone: tzinfo, near: datetime | None = None) -> Event:
    """One entry of the history; `zone` is the site's, `near` a moment just before it. Raises Malformed."""
    name, stamp = _name_in(entry), entry.get("Time")
    return Event(name, read_stamp(name, stamp, zone, near), _payload_of(entry), index, checked(stamp))


def read_stamp(name: str, stamp: Any, zone: tzinfo, near: datetime | None = None) -> datetime:
    """A history's time as aware UTC. Without an offset it is UTC in TS-* events and site-local in others.

    near: of the two readings in the hour that comes twice in autumn, the one closer to this moment.
    """
    if not isinstance(stamp, str) or "T" not in stamp:
        raise Malformed(f"no time: {str(stamp)[:40]!r}")
    default = UTC if name.startswith("TS-") else zone
    moment = read_local(stamp, default)
    if moment is None:
        raise Malformed(f"no time: {stamp[:40]!r}")
    if near is not None:
        again = read_local(stamp, default, fold=1) or moment
        moment = min(moment, again, key=lambda reading: abs(reading - near))
    return moment


def read_local(stamp: Any, zone: tzinfo, *, fold: int = 0) -> datetime | None:
    """Any stamp as aware UTC, read in `zone` when it has no offset; None when it is none.

    fold: 1 reads the hour that comes twice in autumn as the second one.
    """
    try:
        moment = datetime.fromisoformat(stamp)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=fold)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment < LATEST else None


def _name_in(flat: Any) -> str:
    name = flat.get("Event") if isinstance(flat, dict) else None
    if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_LENGTH:
        raise Malformed("no event name")
    return checked(name.strip())


def _payload_of(flat: dict) -> dict[str, Any]:
    return {
        checked(name): checked(value, 1)
        for name, value in flat.items()
        if name not in ("Event", "Time") and value is not None
    }


def checked(value: Any, depth: int = 0) -> Any:
    """The same JSON, fit for every database. Raises Malformed: too deep, too long, too large a number."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        if not math.isfinite(value) or abs(value) > NUMBER_LIMIT:
            raise Malformed("a number out of all bounds")
        return value
    if isinstance(value, str):
        if len(value) > TEXT_LENGTH:
            raise Malformed("a text out of all bounds")
        return value.replace("\x00", "")
    if depth >= DEPTH:
        raise Malformed("nested too deeply")
    if isinstance(value, dict):
        return {checked(str(name)): checked(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [checked(item, depth + 1) for item in value]
    raise Malformed(f"not JSON: {type(value).__name__}")


def scalar(value: Any) -> Any:
    """`value` when it says something: text, a number, a boolean. `[]`, "", "NaN" and objects say nothing."""
    if isinstance(value, str):
        return value if value.strip() and value != "NaN" else None
    return value if isinstance(value, (bool, int, float)) else None


def number(value: Any) -> float | int | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _canonical(item) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return float(value) if number(value) is not None else value  # 180 on REST is 180.0 on the socket


def has_lost_values(event: Event) -> bool:
    """Whether the history kept this event's fields and lost every value in them (plugin >= 2.2.12.1)."""
    return bool(event.payload) and not _says_something(event.payload)


def _says_something(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_says_something, value.values() if isinstance(value, dict) else value))
    return scalar(value) is not None


def payload_key(event: Event) -> bytes:
    """Equal for two events exactly when their type and payload are."""
    return orjson.dumps([event.type, _canonical(event.payload)])


def scalars_key(event: Event) -> bytes:
    """Equal for the two shapes of one event: newer plugins lose nested values in the history."""
    flat = {name: value for name, value in event.payload.items() if scalar(value) is not None}
    return orjson.dumps([event.type, _canonical(flat)])
