"""The live state of monitors and of the fleet: one function each, for sockets, streams, REST and pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Sum

from monitoring import flow
from monitoring.disk import disk_state
from monitoring.messages import IMAGE_ROW, image_rows_json
from monitoring.models import Image, Monitor, Presence
from sessions_app.messages import ENTRY_COLUMNS, entry_json
from sessions_app.models import FlowBucket, LabelCount, SessionEvent
from sessions_app.states import OPEN, State
from sessions_app.store import counts_of
from sessionsite.accounts.models import Organisation
from sessionsite.common import clock
from sessionsite.common.clock import iso
from sessionsite.common.rows import row_of, rows_of

FLEET_EVENTS = 40
STATUSES = ("running", "late", "lost", "idle", "error")


# What a monitor's settings, and its live state, are made of: for `rows_of(Monitor.objects…, …)`.
MONITOR_ROW = (
    "id", "organisation_id", "slug", "name", "kind", "organisation__slug", "dataset__key",
    "current_session__state", "presence", "expected_interval_s", "quota_bytes", "stored_bytes",
    "capture_for_training", "is_demo", "revision", "created_at", "archived_at",
)  # fmt: skip
STATE_ROW = (
    "slug", "name", "kind", "organisation__slug", "dataset__key", "is_demo", "presence",
    "expected_interval_s", "controller", "controller_acked_at", "capture_for_training", "last_image_id",
    "last_item_at", "revision",
    "current_session_id", "current_session__key", "current_session__kind", "current_session__state",
    "current_session__started_at", "current_session__started_by", "current_session__stopped_at",
    "current_session__end_reason", "current_session__total_counter", "current_session__image_count",
    "current_session__notes", "current_session__notes_revision", "current_session__notes_by",
    "current_session__notes_at", "current_session__revision", "current_session__last_seq",
)  # fmt: skip


def status_of(row: Any) -> str:
    """The word on the monitor's chip: running, late, lost, idle or error. Of a row of either kind."""
    if row.current_session__state not in OPEN:
        return "idle"
    if row.current_session__state == State.ERROR:
        return "error"
    return row.presence if row.presence in (Presence.LATE, Presence.LOST) else "running"


def controller_json(row: Any) -> dict:
    """The mailbox of a monitor's controller. `acked_at` is null until one has answered."""
    return {
        "status": bool(row.controller.get("status")),
        "request": row.controller.get("request"),
        "acked_at": row.controller_acked_at and iso(row.controller_acked_at),
    }


def monitor_json(row: Any) -> dict:
    """The settings of a monitor, of the values of MONITOR_ROW: what MonitorSerializer describes."""
    return {
        "slug": row.slug,
        "name": row.name,
        "kind": row.kind,
        "organisation": row.organisation__slug,
        "dataset": row.dataset__key,
        "status": status_of(row),
        "expected_interval_s": row.expected_interval_s,
        "quota_bytes": row.quota_bytes,
        "stored_bytes": row.stored_bytes,
        "capture_for_training": row.capture_for_training,
        "is_demo": row.is_demo,
        "revision": row.revision,
        "created_at": iso(row.created_at),
        "archived_at": row.archived_at and iso(row.archived_at),
    }


def monitor_states(monitors: Iterable[Monitor], *, now: datetime | None = None) -> list[dict]:
    """The state of each monitor, in a fixed number of queries. Needs MonitorQuerySet.for_messages.

    now: the moment that the rate is counted back from.
    """
    return _states([row_of(monitor, STATE_ROW) for monitor in monitors], now or clock.now())


def _states(rows: list, now: datetime) -> list[dict]:
    """The state of each row of STATE_ROW."""
    open_ids = [row.current_session_id for row in rows if row.current_session__state in OPEN]
    buckets, counts = _buckets(open_ids, now), _counts([row.current_session_id for row in rows])
    images = _images([row.last_image_id for row in rows if row.last_image_id])
    return [
        _monitor_state(
            row,
            buckets.get(row.current_session_id, {}),
            counts.get(row.current_session_id, {}),
            images.get(row.last_image_id),
            now,
        )
        for row in rows
    ]


def _images(pks: list[int]) -> dict[int, dict]:
    if not pks:
        return {}
    rows = list(rows_of(Image.objects.filter(pk__in=pks), IMAGE_ROW).order_by())
    return dict(zip([row.id for row in rows], image_rows_json(rows), strict=True))


def _buckets(session_ids: list[int], now: datetime) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    rows = FlowBucket.objects.filter(
        session_id__in=session_ids, second__gte=flow.first_second(now.timestamp())
    )
    for session_id, second, count in rows.values_list("session_id", "second", "count"):
        found[session_id][second] = count
    return found


def _counts(session_ids: list[int | None]) -> dict[int, dict[str, dict[str, int]]]:
    """Per session: pictures per label, and pictures per review mark; the most frequent first."""
    found: dict[int, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    rows = counts_of([pk for pk in session_ids if pk])
    for session_id, of, label, count in sorted(rows, key=lambda row: (-row[3], row[2])):
        if count > 0 and of != LabelCount.BOX:
            found[session_id][of][label] = count
    return found


def _reviews(row: Any, marks: dict[str, int]) -> dict[str, int]:
    """Pictures per review mark; nobody has looked at the rest of the session's."""
    rest = (row.current_session__image_count or 0) - sum(marks.values())
    return {"unreviewed": max(0, rest), **marks}


def _monitor_state(
    row: Any, buckets: dict[int, int], counts: dict[str, dict[str, int]], image: dict | None, now: datetime
) -> dict:
    running = row.current_session__state in OPEN
    has_ended = row.current_session_id is not None and not running
    total = row.current_session__total_counter or 0
    return {
        "at": iso(now),
        "slug": row.slug,
        "name": row.name,
        "kind": row.kind,
        "organisation": row.organisation__slug,
        "dataset": row.dataset__key,
        "is_demo": row.is_demo,
        "running": running,
        "status": status_of(row),
        "presence": (row.presence or None) if running else None,
        "expected_interval_s": row.expected_interval_s,
        "session": _running_session(row) if running else None,
        "last_session": _ended_session(row) if has_ended else None,
        "total_counter": total,
        "flow": flow.flow(buckets, now, total=total if running else 0),
        "controller": controller_json(row),
        "training": row.capture_for_training,
        "last_image": image,
        "labels": counts.get(LabelCount.IMAGE, {}),
        "reviews": _reviews(row, counts.get(LabelCount.REVIEW, {})),
        "last_item_at": row.last_item_at and iso(row.last_item_at),
        "revision": row.revision,
    }


def _running_session(row: Any) -> dict:
    return {
        "key": row.current_session__key,
        "kind": row.current_session__kind,
        "state": row.current_session__state,
        "started_at": iso(row.current_session__started_at),
        "started_by": row.current_session__started_by,
        "total_counter": row.current_session__total_counter,
        **_notes(row),
        "revision": row.current_session__revision,
        "last_seq": row.current_session__last_seq,
    }


def _ended_session(row: Any) -> dict:
    stopped_at = row.current_session__stopped_at
    return {
        "key": row.current_session__key,
        "started_at": iso(row.current_session__started_at),
        "stopped_at": stopped_at and iso(stopped_at),
        "total_counter": row.current_session__total_counter,
        "end_reason": row.current_session__end_reason,
        **_notes(row),
    }


def _notes(row: Any) -> dict:
    notes_at = row.current_session__notes_at
    return {
        "notes": row.current_session__notes,
        "notes_revision": row.current_session__notes_revision,
        "notes_by": row.current_session__notes_by,
        "notes_at": notes_at and iso(notes_at),
    }


def monitor_state(monitor: Monitor) -> dict:
    """The state of one monitor; `monitor` needs MonitorQuerySet.for_messages."""
    return monitor_states([monitor])[0]


def fleet_state(organisation: Organisation) -> dict:
    """Everything the live wall of one organisation shows."""
    monitors = Monitor.objects.present().filter(organisation=organisation).order_by("slug")
    states = _states(list(rows_of(monitors, STATE_ROW)), clock.now())
    counts = dict.fromkeys(STATUSES, 0)
    for state in states:
        counts[state["status"]] += 1
    return {
        "organisation": organisation.slug,
        "revision": organisation.revision,
        "counts": counts,
        "monitors": states,
        "doubtful": doubtful_count(organisation),
        "disk": disk_state(),
        "events": newest_events(organisation),
    }


def doubtful_count(organisation: Organisation) -> int:
    """Kept pictures of all its sessions that wait for a decision."""
    rows = LabelCount.objects.filter(of=LabelCount.REVIEW, label="doubtful", count__gt=0)
    return rows.filter(session__organisation=organisation).aggregate(sum=Sum("count"))["sum"] or 0


def newest_events(organisation: Organisation, limit: int = FLEET_EVENTS) -> list[dict]:
    """The newest notable journal entries of all sessions, newest first."""
    events = SessionEvent.objects.notable().filter(organisation=organisation).order_by("-pk")
    return [entry_json(*row) for row in events.values_list(*ENTRY_COLUMNS)[:limit]]


def state_essence(state: dict) -> dict:
    """What decides whether two monitor states say the same: an empty sparkline moves on without a change."""
    flow = state["flow"]
    return {**state, "at": None, "flow": flow if any(flow["recent"]) else {**flow, "until": None}}


def fleet_essence(state: dict) -> dict:
    """What decides whether two fleet states say the same: free bytes change with every line of a log."""
    days_left = state["disk"]["days_left"]
    disk = {**state["disk"], "free_bytes": None, "days_left": days_left and f"{days_left:.2g}"}
    return {**state, "disk": disk, "monitors": [state_essence(monitor) for monitor in state["monitors"]]}
