"""A recorded night as NINA would tell it: its history up to a moment, its image history, its live frames.

Used by simulate_nina and by the tests. The stamps of what is added to the history have the three classes that
NINA uses: with offset, UTC without one (TS-*), site-local without one (log lines).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from monitoring.nina.events import LOCAL_STAMPED

NOT_IN_HISTORY = ("IMAGE-PREPARED",)


@dataclass(frozen=True)
class Frame:
    """What the socket sends at `at`: a message, or text that is no JSON."""

    at: datetime
    content: Any

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return json.dumps(self.content, ensure_ascii=False)

    @property
    def flat(self) -> dict[str, Any] | None:
        """The event in it; None for messages and broken frames."""
        flat = self.content.get("Response") if isinstance(self.content, dict) else None
        return flat if isinstance(flat, dict) and "Event" in flat else None


@dataclass
class Script:
    """history and images are NINA's at the start; frames follow, oldest first.

    loses_nested: the plugin is 2.2.12.1 or newer.
    """

    history: list[dict[str, Any]]
    images: list[dict[str, Any]]
    frames: list[Frame] = field(default_factory=list)
    zone: tzinfo = UTC
    loses_nested: bool = False

    @classmethod
    def load(cls, folder: Path, zone: tzinfo, *, loses_nested: bool = False) -> Script:
        """From night_history.json, night_image_history.json and night_live.jsonl in `folder`."""
        name = "night_history_v2215.json" if loses_nested else "night_history.json"
        history = json.loads((folder / name).read_text())["Response"]
        images_file, live_file = folder / "night_image_history.json", folder / "night_live.jsonl"
        images = json.loads(images_file.read_text())["Response"] if images_file.exists() else []
        lines = live_file.read_text().splitlines() if live_file.exists() else []
        frames = [json.loads(line) for line in lines if line.strip()]
        return cls(
            history,
            images,
            [Frame(datetime.fromisoformat(item["at"]), item["frame"]) for item in frames],
            zone,
            loses_nested,
        )

    def entries_of(self, frames: list[Frame]) -> list[dict[str, Any]]:
        """What NINA appends to its history with these frames."""
        found = [self._entry(frame) for frame in frames]
        return [entry for entry in found if entry is not None]

    def images_of(self, frames: list[Frame]) -> list[dict[str, Any]]:
        """What NINA appends to its image history with these frames."""
        flats = [frame.flat or {} for frame in frames]
        return [flat["ImageStatistics"] for flat in flats if "ImageStatistics" in flat]

    def history_after(self, frames: int) -> list[dict[str, Any]]:
        return [*self.history, *self.entries_of(self.frames[:frames])]

    def images_after(self, frames: int) -> list[dict[str, Any]]:
        return [*self.images, *self.images_of(self.frames[:frames])]

    def shifted(self, by: timedelta) -> Script:
        """The same night at another time."""
        return Script(
            [self._moved_entry(entry, by) for entry in self.history],
            [{**image, "Date": moved(image.get("Date"), by)} for image in self.images],
            [Frame(frame.at + by, self._moved_content(frame.content, by)) for frame in self.frames],
            self.zone,
            self.loses_nested,
        )

    def _entry(self, frame: Frame) -> dict[str, Any] | None:
        flat = frame.flat
        if flat is None or flat["Event"] in NOT_IN_HISTORY:
            return None
        kept = {name: value for name, value in flat.items() if name != "ImageStatistics"}
        if self.loses_nested:
            kept = {
                name: dict.fromkeys(value, []) if isinstance(value, dict) else value
                for name, value in kept.items()
            }
        return {**kept, "Time": stamp_of(flat["Event"], frame.at, self.zone)}

    def _moved_entry(self, entry: dict[str, Any], by: timedelta) -> dict[str, Any]:
        times = ("Time", "TargetEndTime", "WaitEndTime")
        return {name: moved(value, by) if name in times else value for name, value in entry.items()}

    def _moved_content(self, content: Any, by: timedelta) -> Any:
        flat = Frame(datetime.now(UTC), content).flat
        if flat is None:
            return content
        flat = self._moved_entry(flat, by)
        if "ImageStatistics" in flat:
            image = flat["ImageStatistics"]
            flat["ImageStatistics"] = {**image, "Date": moved(image.get("Date"), by)}
        return {**content, "Response": flat}


def stamp_of(name: str, at: datetime, zone: tzinfo) -> str:
    """`at` as NINA writes it in its history for an event of this name."""
    if name.startswith("TS-"):
        return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0"
    local = at.astimezone(zone)
    if name in LOCAL_STAMPED:
        return local.replace(tzinfo=None).isoformat(timespec="microseconds")[:-2]
    text = local.isoformat(timespec="microseconds")
    return f"{text[:26]}0{text[26:]}"


def moved(stamp: Any, by: timedelta) -> Any:
    """An ISO stamp that much later, in its own notation; anything else as it is."""
    try:
        return (datetime.fromisoformat(stamp) + by).isoformat(timespec="microseconds")
    except (TypeError, ValueError):
        return stamp
