"""What of a session leaves the server: its state and its journal entries, the same on every wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sessions_app.models import LabelCount, Session, SessionEvent
from sessions_app.policies import COUNTED
from sessions_app.states import TERMINAL
from sessionsite.common.clock import iso

SEVERITIES = {
    "camera_late": "warning",
    "camera_lost": "error",
    "stale": "error",
    "server_restarted": "warning",
    "image_deleted": "warning",
    "late_image_added": "warning",
}


# What `entry_json` takes, in its order: for `values_list`.
ENTRY_COLUMNS = ("session__key", "seq", "kind", "at", "detail", "device__key", "session__monitor__slug")


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
        "severity": detail.get("severity") or SEVERITIES.get(kind, "info"),
    }


def notes_json(session: Session) -> dict:
    """The notes alone, with who wrote them last; what a clash shows as the current side."""
    return {
        "text": session.notes,
        "revision": session.notes_revision,
        "by": session.notes_by,
        "at": iso(session.notes_at) if session.notes_at else None,
    }


def label_counts(session: Session) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """(pictures per label, boxes per label, pictures per review mark), the most frequent first."""
    counts: dict[str, dict[str, int]] = {LabelCount.IMAGE: {}, LabelCount.BOX: {}, LabelCount.REVIEW: {}}
    for row in sorted(session.its_label_counts, key=lambda row: (-row.count, row.label)):
        if row.count > 0:
            counts[row.of][row.label] = row.count
    reviews = counts[LabelCount.REVIEW]
    reviews["unreviewed"] = max(0, session.image_count - sum(reviews.values()))
    return counts[LabelCount.IMAGE], counts[LabelCount.BOX], reviews


def subscriber_count(session: Session) -> int | None:
    """How many look at it, as written down; None for a kind whose viewers are not counted."""
    if session.kind not in COUNTED:
        return None
    return 0 if session.state in TERMINAL else session.subscriber_count


def session_json(session: Session) -> dict:
    """`session` as JSON; needs a row of `Session.objects.for_messages()`."""
    labels, tag_counts, reviews = label_counts(session)
    left_at = session.last_subscriber_left_at
    message = SessionMessage(
        key=session.key,
        organisation=session.organisation.slug,
        name=session.name,
        kind=session.kind,
        state=session.state,
        end_reason=session.end_reason,
        monitor=session.monitor.slug if session.monitor_id else None,
        monitor_name=session.monitor.name if session.monitor_id else None,
        devices=[device.key for device in session.its_devices],
        started_by=session.started_by,
        started_at=iso(session.started_at),
        stopped_at=iso(session.stopped_at) if session.stopped_at else None,
        total_counter=session.total_counter,
        image_count=session.image_count,
        labels=labels,
        tag_counts=tag_counts,
        reviews=reviews,
        data=session.data,
        flow=session.flow,
        notes=session.notes,
        notes_revision=session.notes_revision,
        notes_by=session.notes_by,
        notes_at=iso(session.notes_at) if session.notes_at else None,
        min_timestamp_ns=session.min_timestamp_ns,
        max_timestamp_ns=session.max_timestamp_ns,
        idle_ttl_s=session.idle_ttl_s,
        subscriber_count=subscriber_count(session),
        last_subscriber_left_at=left_at and iso(left_at),
        size_bytes=session.size_bytes,
        pinned_at=session.pinned_at and iso(session.pinned_at),
        revision=session.revision,
        last_seq=session.last_seq,
    )
    return dict(vars(message))
