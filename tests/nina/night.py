"""The recorded night, its checkpoints, and how a unified object is judged against them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from monitoring.nina.script import Script

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
