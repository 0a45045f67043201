"""The recorded night, its checkpoints, and how a unified object is judged against them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from monitoring.nina.events import LOCAL_STAMPED
from monitoring.nina.script import Frame, Script, moved

FOLDER = Path(__file__).parent.parent / "payloads" / "nina"
ZONE = ZoneInfo("Europe/Madrid")
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
EXACT = ("images_per_filter", "exposureGroups", "recent_events")


@dataclass(frozen=True)
class Checkpoint:
    raw: dict

    def __str__(self) -> str:
        return self.raw["id"]

    @property
    def entries(self) -> int:
        return self.raw["after_history_entries"]

    @property
    def frames(self) -> int:
        return self.raw["after_live_frames"]

    @property
    def as_of(self) -> datetime:
        return datetime.fromisoformat(self.raw["as_of"])

    def wanted(self, *, images: bool = True, loses_nested: bool = False, leave_out=()) -> dict:
        """The values that must hold. leave_out: keys that this way of feeding the night cannot have."""
        if loses_nested:
            wanted = {**self.raw["must"], **self.raw["should"], **self.raw["v2215"]}
        else:
            wanted = {**self.raw["must"], **self.raw["should"]}
            if images:
                wanted.update(self.raw["with_image_history"])
        if "flat.session_stats" in wanted:
            wanted.pop("flat.session_stats.images_per_filter", None)
        return {path: value for path, value in wanted.items() if path not in leave_out}


CHECKPOINTS = [Checkpoint(raw) for raw in EXPECTED["checkpoints"]]


def script(loses_nested: bool = False) -> Script:
    return Script.load(FOLDER, ZONE, loses_nested=loses_nested)


def tonight(place: int = 0) -> Script:
    """The recorded night with that live frame happening now, at a site where it is three in the morning.

    So no noon divides it, whenever the tests run, and no summer time moves what is local to the site.
    """
    night, now = script(), datetime.now(UTC)
    hours = (3 - now.hour + 12) % 24 - 12
    zone = ZoneInfo(f"Etc/GMT{-hours:+d}")  # whose names count westwards
    east_of_madrid = timedelta(hours=hours - 1)
    moved_night = night.shifted(now - night.frames[place].at)
    return replace(
        moved_night,
        history=[_at_site(entry, east_of_madrid) for entry in moved_night.history],
        frames=[_frame_at_site(frame, east_of_madrid) for frame in moved_night.frames],
        zone=zone,
    )


def _at_site(entry: dict, east_by: timedelta) -> dict:
    """The same moment, where a time is written without an offset, on the clock of a site further east."""
    names = ("TargetEndTime", "WaitEndTime", *(("Time",) if entry["Event"] in LOCAL_STAMPED else ()))
    return {name: moved(value, east_by) if name in names else value for name, value in entry.items()}


def _frame_at_site(frame: Frame, east_by: timedelta) -> Frame:
    if frame.flat is None:
        return frame
    return replace(frame, content={**frame.content, "Response": _at_site(frame.flat, east_by)})


def differences(unified: dict, wanted: dict, ingest: dict | None = None) -> dict:
    """{path: (found, wanted)} of everything that is not as wanted."""
    found = {}
    for path, value in wanted.items():
        if path == "ingest":
            got = ingest if ingest is not None else value
        else:
            got = value_at(unified, path.partition(".")[2])
        if path == "flat.recent_events":
            got = [event["eventType"] for event in got]
        if not _matches(got, value, path):
            found[path] = (got, value)
    return found


def value_at(tree: dict, path: str):
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _matches(got, wanted, path: str) -> bool:
    if isinstance(wanted, dict) and path.rsplit(".", 1)[-1] not in EXACT:
        return isinstance(got, dict) and all(_matches(got.get(key), wanted[key], key) for key in wanted)
    return got == wanted and isinstance(got, bool) == isinstance(wanted, bool)  # 1 is not True on the wire
