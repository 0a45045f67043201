"""What a server has stored and shows of a rig against what its NINA has told."""

from __future__ import annotations

import json
from collections import Counter

from benchmarks.lib.rig.recording import ZONE
from benchmarks.lib.rig.requests import get, health, refresh, stored_events
from benchmarks.lib.servers import Ours
from monitoring.nina.events import Event
from monitoring.nina.intake import read_history
from monitoring.nina.machine import Machine
from monitoring.nina.simulator import SimulatedNina
from monitoring.nina.unified import unified
from sessionsite.common.clock import iso

SAME = (
    "session_id",
    "session_state",
    "target_name",
    "current_filter",
    "is_guiding",
    "guiding_rms",
    "is_safe",
    "safety_timestamp",
    "start_time",
    "end_time",
    "total_images",
    "exposure_time",
    "session_stats",
    "flats",
    "darks",
)


async def judged(served: Ours, slug: str, nina: SimulatedNina) -> dict:
    """After one more reading of the history, as a person's refresh does it."""
    await refresh(served, slug)
    return {
        **compared(events_of(nina), await stored_events(served, slug)),
        "state_differs": differing(nina, await get(served, f"/api/nina/{slug}/session-state")),
        "ingest": (await health(served, slug))["ingest"],
    }


def events_of(nina: SimulatedNina) -> list[Event]:
    """All that its histories have told, those included that restarts have taken."""
    told = [*nina.past, (nina.history, nina.images)]
    return [event for entries, images in told for event in read_history(entries, images, ZONE).events]


def compared(told: list[Event], stored: list[dict]) -> dict:
    """Every event of NINA's histories against what the server has stored, by type and moment."""
    wanted = Counter((event.type, iso(event.at)) for event in told)
    counted = [
        event
        for event in stored
        if not event["is_repeat"] and event["type"] != "IMAGE-PREPARED"  # never in a history
    ]
    found = Counter((event["type"], event["at"]) for event in counted)
    return {
        "events_in_nina": wanted.total(),
        "events_stored": found.total(),
        "heard": sum(event["is_live"] for event in counted),
        "repeats": sum(event["is_repeat"] for event in stored),
        "images_paired": sum(bool(event["data"].get("ImageStatistics")) for event in counted),
        "lost": [" ".join(key) for key in (wanted - found).elements()],
        "counted_twice": [" ".join(key) for key in (found - wanted).elements()],
    }


def differing(nina: SimulatedNina, shown: dict) -> dict:
    """{key: (shown, wanted)} of what a fresh machine makes otherwise of the same histories."""
    machine = Machine(ZONE)
    for event in events_of(nina):
        machine.apply(event)
    wanted = json.loads(json.dumps(unified(machine.state, now=nina.now())))
    return {key: (shown[key], wanted[key]) for key in SAME if shown[key] != wanted[key]}
