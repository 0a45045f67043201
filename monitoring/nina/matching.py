"""Which event of the socket is which entry of NINA's history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from monitoring.nina.events import Event, scalars_key
from monitoring.nina.models import RigEvent


def event_of(row: RigEvent) -> Event:
    payload = {name: value for name, value in row.raw.items() if name not in ("Event", "Time")}
    return Event(row.type, row.at, payload, row.index)


def match(provisional: Iterable[RigEvent], entries: Iterable[Event]) -> dict[int, RigEvent]:
    """{index in the history: its row that came through the socket}, in order, by type and top-level scalars.

    The clocks of NINA and of this server may differ, so no distance in time is too far.
    """
    rows_by_key: dict[bytes, list[RigEvent]] = defaultdict(list)
    entries_by_key: dict[bytes, list[Event]] = defaultdict(list)
    for row in provisional:
        rows_by_key[_key(event_of(row))].append(row)
    for entry in entries:
        entries_by_key[_key(entry)].append(entry)
    found: dict[int, RigEvent] = {}
    for key, rows in rows_by_key.items():
        for row, entry in _aligned(rows, entries_by_key.get(key, [])):
            found[entry.index] = row
    return found


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
