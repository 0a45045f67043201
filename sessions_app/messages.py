"""What of a session leaves the server: its state and its journal entries, the same on every wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sessions_app.models import LabelCount, Session, SessionEvent
from sessions_app.policies import COUNTED
from sessions_app.severity import severity_of
from sessions_app.states import TERMINAL
from sessions_app.store import counts_of, devices_of
from sessionsite.common.clock import iso
from sessionsite.common.rows import row_of

# What `entry_json` takes, in its order: for `values_list`.
ENTRY_COLUMNS = ("session__key", "seq", "kind", "at", "detail", "device__key", "session__monitor__slug")

# What a session's JSON is made of, for `rows_of(Session.objects.for_messages(), …)`.
SESSION_ROW = (
    "id", "organisation_id", "key", "organisation__slug", "name", "kind", "state", "end_reason",
    "monitor__slug", "monitor__name", "started_by", "started_at", "stopped_at", "total_counter",
    "image_count", "data", "flow", "notes", "notes_revision", "notes_by", "notes_at", "min_timestamp_ns",
    "max_timestamp_ns", "idle_ttl_s", "subscriber_count", "last_subscriber_left_at", "size_bytes",
    "pinned_at", "revision", "last_seq",
)  # fmt: skip
Count = tuple[str, str, int]  # of, label, count


@dataclass(frozen=True)
class EventMessage:
    session: str
    monitor: str | None
    seq: int
    kind: str
    at: str
    device: str | None
    detail: dict
    severity: str


@dataclass(frozen=True)
class SessionMessage:
    key: str
    organisation: str
    name: str
    kind: str
    state: str
    end_reason: str
    monitor: str | None
    monitor_name: str | None
    devices: list[str]
    started_by: str
    started_at: str
    stopped_at: str | None
    total_counter: int
    image_count: int
    labels: dict[str, int]
    tag_counts: dict[str, int]
    reviews: dict[str, int]
    data: dict
    flow: dict
    notes: str
    notes_revision: int
    notes_by: str
    notes_at: str | None
    min_timestamp_ns: int | None
    max_timestamp_ns: int | None
    idle_ttl_s: int | None
    subscriber_count: int | None
    last_subscriber_left_at: str | None
    size_bytes: int
    pinned_at: str | None
    revision: int
    last_seq: int


def event_json(event: SessionEvent) -> dict:
    """`event` as JSON; needs session, its monitor and device selected."""
    session = event.session
    device = event.device.key if event.device_id else None
    monitor = session.monitor.slug if session.monitor_id else None
    return entry_json(session.key, event.seq, event.kind, event.at, event.detail, device, monitor)


def entry_json(
    session: str, seq: int, kind: str, at: datetime, detail: dict, device: str | None, monitor: str | None
) -> dict:
    """One journal entry as JSON, from its values: a replay makes a thousand of them without models."""
    # The fields of EventMessage, as a test asserts: making one costs half as much as storing the entry.
    return {
        "session": session,
        "monitor": monitor,
        "seq": seq,
        "kind": kind,
        "at": iso(at),
        "device": device,
        "detail": detail,
        "severity": severity_of(kind, detail),
    }


def notes_json(session: Session) -> dict:
    """The notes alone, with who wrote them last; what a clash shows as the current side."""
    return {
        "text": session.notes,
        "revision": session.notes_revision,
        "by": session.notes_by,
        "at": iso(session.notes_at) if session.notes_at else None,
    }


def label_counts(
    counts: Iterable[Count], image_count: int
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """(pictures per label, boxes per label, pictures per review mark), the most frequent first."""
    found: dict[str, dict[str, int]] = {LabelCount.IMAGE: {}, LabelCount.BOX: {}, LabelCount.REVIEW: {}}
    for of, label, count in sorted(counts, key=lambda row: (-row[2], row[1])):
        if count > 0:
            found[of][label] = count
    reviews = found[LabelCount.REVIEW]
    reviews["unreviewed"] = max(0, image_count - sum(reviews.values()))
    return found[LabelCount.IMAGE], found[LabelCount.BOX], reviews


def subscriber_count(row: Any) -> int | None:
    """How many look at it, as written down; None for a kind whose viewers are not counted."""
    if row.kind not in COUNTED:
        return None
    return 0 if row.state in TERMINAL else row.subscriber_count


def session_json(session: Session) -> dict:
    """`session` as JSON; needs a row of `Session.objects.for_messages()`."""
    counts = [(row.of, row.label, row.count) for row in session.its_label_counts]
    devices = [device.key for device in session.its_devices]
    return _session_json(row_of(session, SESSION_ROW), devices, counts)


def session_rows_json(rows: Sequence) -> list[dict]:
    """The same of each of these rows of SESSION_ROW, in two queries."""
    pks = [row.id for row in rows]
    devices: dict[int, list[str]] = defaultdict(list)
    for pk, key in devices_of(pks):
        devices[pk].append(key)
    counts: dict[int, list[Count]] = defaultdict(list)
    for pk, *count in counts_of(pks):
        counts[pk].append(tuple(count))
    return [_session_json(row, devices.get(row.id, []), counts.get(row.id, ())) for row in rows]


def _session_json(row: Any, devices: list[str], counts: Iterable[Count]) -> dict:
    """A SessionMessage, of the values of SESSION_ROW."""
    labels, tag_counts, reviews = label_counts(counts, row.image_count)
    left_at = row.last_subscriber_left_at
    return {
        "key": row.key,
        "organisation": row.organisation__slug,
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "end_reason": row.end_reason,
        "monitor": row.monitor__slug,
        "monitor_name": row.monitor__name,
        "devices": devices,
        "started_by": row.started_by,
        "started_at": iso(row.started_at),
        "stopped_at": row.stopped_at and iso(row.stopped_at),
        "total_counter": row.total_counter,
        "image_count": row.image_count,
        "labels": labels,
        "tag_counts": tag_counts,
        "reviews": reviews,
        "data": row.data,
        "flow": row.flow,
        "notes": row.notes,
        "notes_revision": row.notes_revision,
        "notes_by": row.notes_by,
        "notes_at": row.notes_at and iso(row.notes_at),
        "min_timestamp_ns": row.min_timestamp_ns,
        "max_timestamp_ns": row.max_timestamp_ns,
        "idle_ttl_s": row.idle_ttl_s,
        "subscriber_count": subscriber_count(row),
        "last_subscriber_left_at": left_at and iso(left_at),
        "size_bytes": row.size_bytes,
        "pinned_at": row.pinned_at and iso(row.pinned_at),
        "revision": row.revision,
        "last_seq": row.last_seq,
    }
