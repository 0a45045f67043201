"""The one object that sockets, REST and pages show of a rig.

Wire: the published document's 19 snake_case keys and the web panel's 17 camelCase keys, side by side and
flat. No key is named `session`: the panel would take the object for another format.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from monitoring.nina.events import moment_of, us_of
from monitoring.nina.link import NEVER_HEARD, Link
from monitoring.nina.state import DARKS, FLATS, State
from monitoring.nina.stats import exposure_key
from sessionsite.common.clock import iso

SHOWN_EVENTS = 5  # the panel's list; recent_events has 20


def unified(state: State, *, now: datetime, link: Link = NEVER_HEARD) -> dict[str, Any]:
    """The state as the outside world reads it. `now` decides durations and whether a target has expired."""
    events = [_event(event) for event in reversed(state.recent)]
    return {**_flat(state, now, events), **_nested(state, now, link, events)}


def _flat(state: State, now: datetime, events: list[dict]) -> dict[str, Any]:
    target = state.target or {}
    return {
        "session_id": f"session_{state.started_us // 1000}" if state.started_us else None,
        "session_state": state.fsm,
        "target_name": target.get("name"),
        "target_coordinates": coordinates_text(target.get("coordinates")),
        "current_filter": state.filter,
        "filter_timestamp": iso_us(state.filter_us),
        "is_guiding": int(state.is_guiding),
        "guiding_state": state.guiding_state,
        "guiding_rms": state.guiding_rms,
        "is_safe": None if state.is_safe is None else int(state.is_safe),
        "safety_timestamp": iso_us(state.safety_us),
        "start_time": iso_us(state.started_us),
        "end_time": iso_us(state.ended_us),
        "duration": _duration_s(state, now),
        "total_images": state.total_images,
        "exposure_time": state.exposure_s,
        "camera_temperature": state.temperature,
        "session_stats": {
            "total_images": state.total_images,
            "total_exposure_time": state.total_exposure_s,
            "images_per_filter": dict(sorted(state.images_per_filter.items())),
            "per_target": state.per_target,
        },
        "recent_events": events,
    }


def _nested(state: State, now: datetime, link: Link, events: list[dict]) -> dict[str, Any]:
    return {
        "target": _target(state, now),
        "filter": {"name": state.filter} if state.filter else None,
        "lastImage": _last_image(state),
        "safe": {"isSafe": state.is_safe, "time": iso_us(state.safety_us)},
        "activity": activity(state),
        "lastEquipmentChange": _equipment(state),
        "isGuiding": state.is_guiding,
        "flats": _flats(state),
        "darks": _darks(state),
        "sessionStart": iso_us(state.started_us),
        "isActive": state.is_open,
        "lastUpdate": iso_us(state.newest_us),
        "events": events[:SHOWN_EVENTS],
        "eventCount": len(events[:SHOWN_EVENTS]),
        "connectionStatus": link.status,
        "dataSource": "unified",
        "wsStatus": {
            "isConnected": link.is_heard,
            "reconnectAttempts": link.attempts,
            "lastHeartbeat": us_of(link.heard_at) // 1000 if link.heard_at else None,
        },
    }


def iso_us(moment_us: int | None) -> str | None:
    return None if moment_us is None else iso(moment_of(moment_us))


def _duration_s(state: State, now: datetime) -> int | None:
    if state.started_us is None:
        return None
    end_us = us_of(now) if state.ended_us is None else state.ended_us
    return max(end_us - state.started_us, 0) // 1_000_000


def _target(state: State, now: datetime) -> dict[str, Any] | None:
    if state.target is None:
        return None
    target, end_us = state.target, state.target["end_us"]
    coordinates = target["coordinates"] or {}
    return {
        "name": target["name"],
        "project": target["project"],
        "coordinates": target["coordinates"],
        "raString": coordinates.get("RAString"),
        "decString": coordinates.get("DecString"),
        "rotation": target["rotation"],
        "startedAt": iso_us(target["started_us"]),
        "targetEndTime": iso_us(end_us),
        "isExpired": end_us is not None and us_of(now) > end_us,
        "endTime": iso_us(end_us),
    }


def _last_image(state: State) -> dict[str, Any] | None:
    if state.last_image is None:
        return None
    image = state.last_image
    at = iso_us(image["at_us"])
    return {
        **{name: image[name] for name in ("type", "filter", "temperature", "hfr", "stars", "rms")},
        "exposureTime": image["exposure_s"],
        "timestamp": at,
        "time": at,
        "savedAt": at,
        **{name: image[name] for name in ("gain", "offset", "median", "filename")},
    }


def activity(state: State) -> dict[str, Any]:
    """What is going on: darks before flats, autofocus, guiding, mount; nulls when nothing is."""
    if state.fsm == DARKS:
        darks = state.darks
        details = {
            "exposureTime": darks["exposure_s"],
            "exposureCount": darks["groups"].get(exposure_key(darks["exposure_s"]), 0),
            "totalExposures": len(darks["groups"]),
            "totalImages": darks["count"],
        }
        return _activity("darks", "capturing_darks", darks["started_us"], details)
    if state.fsm == FLATS:
        word = "capturing_flats" if state.flats["count"] else "calibrating_flats"
        return _activity("flats", word, state.flats["started_us"])
    if state.autofocus_us is not None:
        return _activity("autofocus", "running", state.autofocus_us)
    if state.is_guiding:
        return _activity("guiding", "guiding", state.guiding_us)
    if state.mount and state.is_open:
        return _activity("mount", state.mount, state.mount_us)
    return _activity(None, None, None)


def _activity(subsystem, word, since_us, details=None) -> dict[str, Any]:
    return {"subsystem": subsystem, "state": word, "since": iso_us(since_us), "details": details}


def _equipment(state: State) -> dict[str, Any] | None:
    change = state.equipment
    return change and {
        "device": change["device"],
        "event": change["event"],
        "time": iso_us(change["at_us"]),
    }


def _flats(state: State) -> dict[str, Any]:
    flats = state.flats
    return {
        "isActive": state.fsm == FLATS,
        "filter": flats["filter"],
        "brightness": flats["brightness"],
        "imageCount": flats["count"],
        "startedAt": iso_us(flats["started_us"]),
        "lastImageAt": iso_us(flats["last_us"]),
    }


def _darks(state: State) -> dict[str, Any]:
    darks = state.darks
    return {
        "isActive": state.fsm == DARKS,
        "currentExposureTime": darks["exposure_s"],
        "exposureGroups": darks["groups"],
        "totalImages": darks["count"],
        "startedAt": iso_us(darks["started_us"]),
        "lastImageAt": iso_us(darks["last_us"]),
    }


def _event(event: dict[str, Any]) -> dict[str, Any]:
    at = iso_us(event["at_us"])
    statistics = event["payload"].get("ImageStatistics")
    return {
        "eventType": event["type"],
        "timestamp": at,
        "time": at,
        "data": event["payload"],
        "enrichedData": {"ImageStatistics": statistics} if statistics else {},
    }


def coordinates_text(raw: dict[str, Any] | None) -> dict[str, str] | None:
    """{"ra": "22h 37m 04s", "dec": "+34° 24' 56\\""}; None when NINA did not say both."""
    if not raw or not isinstance(raw.get("RAString"), str) or not isinstance(raw.get("DecString"), str):
        return None
    parts, dec = raw["RAString"].strip().split(":"), raw["DecString"].strip()
    if len(parts) != 3 or not dec:
        return None
    sign = "" if dec[0] in "+-−" else "+"
    return {"ra": "{}h {}m {}s".format(*parts), "dec": f"{sign}{dec}"}
