"""Which event of the socket is which entry of NINA's history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from monitoring.nina.events import Event, scalars_key
from monitoring.nina.models import RigEvent

NEAR = timedelta(seconds=30)  # between the two shapes of an image that have no date in common
SETTLED = timedelta(seconds=1)  # between a frame's arrival and its row, with the difference of two clocks


def event_of(row: RigEvent) -> Event:
    payload = {name: value for name, value in row.raw.items() if name not in ("Event", "Time")}
    return Event(row.type, row.at, payload, row.index)


def match(provisional: Iterable[RigEvent], entries: Iterable[Event]) -> dict[int, RigEvent]:
    """{index in the history: its row that came through the socket}, in order, by type and top-level scalars.

    The clocks of NINA and of this server may differ, so no distance in time is too far.
    """
    rows, entries = list(provisional), list(entries)
    found = _pairs(rows, entries, _key)
    taken = {id(row) for row in found.values()}
    left = [row for row in rows if row.type == "IMAGE-SAVE" and id(row) not in taken]
    if left:
        images = [entry for entry in entries if entry.type == "IMAGE-SAVE" and entry.index not in found]
        for dated in (True, False):  # one shape has the statistics and the other has none
            ours = [row for row in left if bool(event_of(row).statistics) is dated]
            theirs = [entry for entry in images if bool(entry.statistics) is not dated]
            paired = _pairs(ours, theirs, lambda event: event.type.encode())
            at_of = {entry.index: entry.at for entry in theirs}
            found |= {index: row for index, row in paired.items() if abs(row.at - at_of[index]) <= NEAR}
    return found


def _pairs(
    rows: Iterable[RigEvent], entries: Iterable[Event], key_of: Callable[[Event], bytes]
) -> dict[int, RigEvent]:
    rows_by_key: dict[bytes, list[RigEvent]] = defaultdict(list)
    entries_by_key: dict[bytes, list[Event]] = defaultdict(list)
    for row in rows:
        rows_by_key[key_of(event_of(row))].append(row)
    for entry in entries:
        entries_by_key[key_of(entry)].append(entry)
    found: dict[int, RigEvent] = {}
    for key, some in rows_by_key.items():
        for row, entry in _aligned(some, entries_by_key.get(key, [])):
            found[entry.index] = row
    return found


def repeats_among(
    unnamed: Iterable[RigEvent], entries: Iterable[Event], asked_at: datetime
) -> list[RigEvent]:
    """Which of the rows that no entry of the history has named repeat an event that one has.

    Their frames came too far apart to be seen as one event when they arrived. NINA has an event in its
    history before it sends it, so of what had arrived when the history was asked for nothing is missing
    there; a row that came later is left for the next history. So is one whose like no history holds.
    """
    keys = {_key(entry) for entry in entries}
    settled = [row for row in unnamed if row.received_at < asked_at - SETTLED]
    return [row for row in settled if _key(event_of(row)) in keys]


def _key(event: Event) -> bytes:
    """An image is known by its own date, where both shapes have it."""
    if event.type == "IMAGE-SAVE" and event.statistics:
        return b"image:" + str(event.statistics.get("Date")).encode("utf-8", "replace")
    return scalars_key(event)


def _aligned(rows: list[RigEvent], entries: list[Event]) -> list[tuple[RigEvent, Event]]:
    """Pairs in order; of the longer list those are left over that lie furthest from their neighbours."""
    if len(rows) <= len(entries):
        return _closest(rows, entries)
    return [(row, entry) for entry, row in _closest(entries, rows)]


def _closest(few: list[Any], many: list[Any]) -> list[tuple[Any, Any]]:
    pairs, place = [], 0
    for number, item in enumerate(few):
        last = len(many) - (len(few) - number)  # leaves one for each that follows
        best = min(range(place, last + 1), key=lambda at: abs((many[at].at - item.at).total_seconds()))
        pairs.append((item, many[best]))
        place = best + 1
    return pairs


def merged(raw: dict[str, Any], history: dict[str, Any]) -> dict[str, Any]:
    """Both shapes together: the history's values, and the socket's where the history lost them."""
    kept = {name: value for name, value in history.items() if not _is_lost(value) or name not in raw}
    return {**raw, **kept}


def _is_lost(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_lost, value.values()))
    return value in ([], "", None)
