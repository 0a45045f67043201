"""The live state of monitors and of the fleet: one function each, for sockets, streams, REST and pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Sum

from monitoring import flow
from monitoring.disk import disk_state
from monitoring.messages import image_json
from monitoring.models import Image, Monitor, Presence
from sessions_app.messages import ENTRY_COLUMNS, entry_json
from sessions_app.models import FlowBucket, LabelCount, Session, SessionEvent
from sessions_app.states import OPEN, State
from sessionsite.accounts.models import Organisation
from sessionsite.common import clock
from sessionsite.common.clock import iso

FLEET_EVENTS = 40
STATUSES = ("running", "late", "lost", "idle", "error")


def status_of(monitor: Monitor) -> str:
    """The word on the monitor's chip: running, late, lost, idle or error."""
    session = monitor.current_session
    if session is None or session.state not in OPEN:
        return "idle"
    if session.state == State.ERROR:
        return "error"
    return monitor.presence if monitor.presence in (Presence.LATE, Presence.LOST) else "running"


def monitor_states(monitors: Iterable[Monitor], *, now: datetime | None = None) -> list[dict]:
    """The state of each monitor, in a fixed number of queries. Needs MonitorQuerySet.for_messages.

    now: the moment that the rate is counted back from.
    """
    monitors, now = list(monitors), now or clock.now()
    open_ids = [
        m.current_session_id for m in monitors if m.current_session and m.current_session.state in OPEN
    ]
    buckets, counts = _buckets(open_ids, now), _counts([m.current_session_id for m in monitors])
    images = Image.objects.for_messages().in_bulk([m.last_image_id for m in monitors if m.last_image_id])
    return [
        _monitor_state(
            monitor,
            buckets.get(monitor.current_session_id, {}),
            counts.get(monitor.current_session_id, {}),
            images.get(monitor.last_image_id),
            now,
        )
        for monitor in monitors
    ]


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
    rows = LabelCount.objects.filter(
        session_id__in=[pk for pk in session_ids if pk],
        of__in=(LabelCount.IMAGE, LabelCount.REVIEW),
        count__gt=0,
    )
    for session_id, of, label, count in rows.order_by("-count", "label").values_list(
        "session_id", "of", "label", "count"
    ):
        found[session_id][of][label] = count
    return found


def _reviews(session: Session | None, marks: dict[str, int]) -> dict[str, int]:
    """Pictures per review mark; nobody has looked at the rest of the session's."""
    rest = session.image_count - sum(marks.values()) if session else 0
    return {"unreviewed": max(0, rest), **marks}


def _monitor_state(
    monitor: Monitor,
    buckets: dict[int, int],
    counts: dict[str, dict[str, int]],
    image: Image | None,
    now: datetime,
) -> dict:
    session = monitor.current_session
    running = session is not None and session.state in OPEN
    return {
        "at": iso(now),
        "slug": monitor.slug,
        "name": monitor.name,
        "kind": monitor.kind,
        "organisation": monitor.organisation.slug,
        "dataset": monitor.dataset.key if monitor.dataset_id else None,
        "is_demo": monitor.is_demo,
        "running": running,
        "status": status_of(monitor),
        "presence": (monitor.presence or None) if running else None,
        "expected_interval_s": monitor.expected_interval_s,
        "session": _running_session(session) if running else None,
        "last_session": _ended_session(session) if session and not running else None,
        "total_counter": session.total_counter if session else 0,
        "flow": flow.flow(buckets, now, total=session.total_counter if running else 0),
        "controller": {
            "status": bool(monitor.controller.get("status")),
            "request": monitor.controller.get("request"),
        },
        "training": monitor.capture_for_training,
        "last_image": image_json(image) if image else None,
        "labels": counts.get(LabelCount.IMAGE, {}),
        "reviews": _reviews(session, counts.get(LabelCount.REVIEW, {})),
        "last_item_at": iso(monitor.last_item_at) if monitor.last_item_at else None,
        "revision": monitor.revision,
    }


def _running_session(session: Session) -> dict:
    return {
        "key": session.key,
        "kind": session.kind,
        "state": session.state,
        "started_at": iso(session.started_at),
        "started_by": session.started_by,
        "total_counter": session.total_counter,
        **_notes(session),
        "revision": session.revision,
        "last_seq": session.last_seq,
    }


def _ended_session(session: Session) -> dict:
    return {
        "key": session.key,
        "started_at": iso(session.started_at),
        "stopped_at": iso(session.stopped_at) if session.stopped_at else None,
        "total_counter": session.total_counter,
        "end_reason": session.end_reason,
        **_notes(session),
    }


def _notes(session: Session) -> dict:
    return {
        "notes": session.notes,
        "notes_revision": session.notes_revision,
        "notes_by": session.notes_by,
        "notes_at": iso(session.notes_at) if session.notes_at else None,
    }


def monitor_state(monitor: Monitor) -> dict:
    """The state of one monitor; `monitor` needs MonitorQuerySet.for_messages."""
    return monitor_states([monitor])[0]


def fleet_state(organisation: Organisation) -> dict:
    """Everything the live wall of one organisation shows."""
    monitors = Monitor.objects.for_messages().present().filter(organisation=organisation).order_by("slug")
    states = monitor_states(monitors)
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
