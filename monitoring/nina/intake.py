"""From raw input to accepted events: sorted, paired with statistics, without duplicates, all counted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from monitoring.nina.events import (
    KNOWN,
    Event,
    Malformed,
    Message,
    checked,
    has_lost_values,
    payload_key,
    read_entry,
    read_frame,
    read_local,
)

WINDOW = timedelta(seconds=1)  # two equal events closer than this are one
KEPT = timedelta(minutes=5)
COMPARED_BY_TYPE = ("SAFETY-CHANGED", "IMAGE-SAVE")
PAIRED_WITHIN_S = 5.0  # an image's Date precedes the history's Time by less than a millisecond as a rule


@dataclass
class Ingest:
    """What came in since the rig was added, each history entry and each frame once."""

    received: int = 0
    accepted: int = 0
    duplicates: int = 0
    malformed: int = 0
    unknown_types: int = 0
    messages: int = 0

    def plus(self, other: Ingest) -> Ingest:
        mine, others = asdict(self), asdict(other)
        return Ingest(**{name: mine[name] + others[name] for name in mine})

    def count_accepted(self, event: Event) -> None:
        self.accepted += 1
        self.unknown_types += event.type not in KNOWN


class Dedup:
    """Remembers for five minutes what was accepted. The clock is the events' own `at`."""

    def __init__(self) -> None:
        self._last: dict[bytes, datetime] = {}
        self._last_of_type: dict[str, tuple[bytes, datetime]] = {}
        self._newest: datetime | None = None

    def is_duplicate(self, event: Event) -> bool:
        """Whether the same event was accepted less than a second ago; otherwise it is accepted now."""
        key = payload_key(event)
        if self._is_repeat(event, key):
            return True
        self._forget(event.at)
        self._last[key] = event.at
        if event.type in COMPARED_BY_TYPE:
            self._last_of_type[event.type] = (key, event.at)
        return False

    def _is_repeat(self, event: Event, key: bytes) -> bool:
        last_key, last_at = self._last_of_type.get(event.type, (b"", None))
        if event.type == "SAFETY-CHANGED":  # safe, unsafe, safe within a second are three changes
            return last_key == key and abs(event.at - last_at) < WINDOW
        if event.type == "IMAGE-SAVE" and event.statistics is None:  # without them it repeats any image
            return last_at is not None and abs(event.at - last_at) < WINDOW
        before = self._last.get(key)
        if before is None:
            return False
        if event.type == "IMAGE-SAVE":  # its statistics hold its own date
            return abs(event.at - before) < KEPT
        if has_lost_values(event):
            return event.at == before  # two changes of the wheel look alike once their names are lost
        return abs(event.at - before) < WINDOW

    def _forget(self, now: datetime) -> None:
        if self._newest is None or now - self._newest > KEPT:
            self._newest = now
            self._last = {key: at for key, at in self._last.items() if abs(now - at) <= KEPT}


@dataclass
class History:
    """One reading of NINA's history: accepted events in the order of their times."""

    events: list[Event]
    ingest: Ingest
    repeats: tuple[Event, ...] = ()  # dropped, since another one just before says the same
    malformed: frozenset[int] = frozenset()

    @property
    def duplicates(self) -> frozenset[int]:
        return frozenset(event.index for event in self.repeats)


def read_history(entries: Any, images: Any, zone: tzinfo) -> History:
    """What NINA's history says, with the statistics that its image history holds."""
    found, malformed, near = [], set(), None
    entries = entries if isinstance(entries, list) else []
    for index, entry in enumerate(entries):
        try:
            found.append(read_entry(entry, index, zone, near))
            near = found[-1].at
        except Malformed:
            malformed.add(index)
    found.sort(key=lambda event: (event.at, event.index))
    ingest, dedup = Ingest(received=len(entries), malformed=len(malformed)), Dedup()
    kept, repeats = [], []
    for event in pair_images(found, images, zone):
        if dedup.is_duplicate(event):
            repeats.append(event)
        else:
            ingest.count_accepted(event)
            kept.append(event)
    ingest.duplicates = len(repeats)
    return History(kept, ingest, tuple(repeats), frozenset(malformed))


def pair_images(events: list[Event], images: Any, zone: tzinfo) -> list[Event]:
    """Each IMAGE-SAVE with the statistics of the image nearest in time; each image is used once."""
    dated = sorted(_dated(images, zone), key=lambda pair: pair[0])
    stamps, partners, taken = [at for at, _ in dated], {}, set()
    saves = [event for event in events if event.type == "IMAGE-SAVE" and event.statistics is None]
    for distance, index, place in sorted(_distances(saves, stamps)):
        if distance <= PAIRED_WITHIN_S and index not in partners and place not in taken:
            partners[index] = place
            taken.add(place)
    return [
        event.with_statistics(dated[partners[event.index]][1]) if event.index in partners else event
        for event in events
    ]


def _dated(images: Any, zone: tzinfo) -> Iterable[tuple[datetime, dict]]:
    for image in images if isinstance(images, list) else []:
        at = read_local(image.get("Date"), zone) if isinstance(image, dict) else None
        if at is not None:
            try:
                yield at, checked(image)
            except Malformed:
                continue


def _distances(saves: list[Event], stamps: list[datetime]) -> Iterable[tuple[float, int, int]]:
    """(seconds, index of the event, place of the image) for the images around each event."""
    for event in saves:
        place = bisect_left(stamps, event.at)
        for near in range(max(place - 2, 0), min(place + 2, len(stamps))):
            yield abs((stamps[near] - event.at).total_seconds()), event.index, near


class LiveIntake:
    """Frames of the socket: dropped ones are counted, the others come out as accepted events."""

    def __init__(self) -> None:
        self.ingest = Ingest()
        self.last_refusal = ""
        self._dedup = Dedup()

    def take(self, frame: bytes | str, at: datetime) -> Event | None:
        """The event in `frame`, which arrived at `at`; None when it is dropped or only a message."""
        self.ingest.received += 1
        try:
            found = read_frame(frame, at)
        except Malformed as error:
            self.ingest.malformed += 1
            self.last_refusal = str(error)
            return None
        if isinstance(found, Message):
            self.ingest.messages += 1
            return None
        if self._dedup.is_duplicate(found):
            self.ingest.duplicates += 1
            return None
        self.ingest.count_accepted(found)
        return found

    def counted(self) -> Ingest:
        """What was counted since the last call."""
        counted, self.ingest = self.ingest, Ingest()
        return counted
