"""What the server notices by itself: cameras that fall silent and come back, rates that fall with time."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from monitoring import flow
from monitoring.disk import disk_state
from monitoring.models import Monitor, Presence
from monitoring.presence import decide
from monitoring.services.monitors import touch_monitor
from sessions_app import services as sessions
from sessions_app.models import FlowBucket, Session
from sessions_app.services import counters
from sessions_app.states import ACCEPTING
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import touch_organisation
from sessionsite.common.clock import iso
from sessionsite.common.live import publish_on_commit

GRAVITY = {Presence.UNKNOWN: 0, Presence.LIVE: 0, Presence.LATE: 1, Presence.LOST: 2}
KINDS = {Presence.LIVE: "camera_back", Presence.LATE: "camera_late", Presence.LOST: "camera_lost"}


_watching_since: datetime | None = None  # when this process first looked


def watch_presence(now: datetime | None = None, *, since: datetime | None = None) -> int:
    """Every running monitor with an expected interval shows whether its camera is live, late or lost.

    Both edges are journalled and pushed. Returns how many changed.
    since: when watching began, by default with this process's first look. A camera is not blamed for silence
    before that: the server was away.
    """
    global _watching_since
    now = now or timezone.now()
    if since is None:
        since = _watching_since = _watching_since or now
    running = Monitor.objects.select_related("current_session").filter(
        expected_interval_s__isnull=False, current_session__state__in=ACCEPTING
    )
    return sum(
        _note_presence(monitor, now, since)
        for monitor in running
        if _presence_now(monitor, now, since) != monitor.presence
    )


def _presence_now(monitor: Monitor, now: datetime, since: datetime) -> Presence:
    started_at, last, previous = (
        monitor.current_session.started_at,
        monitor.last_item_at,
        monitor.previous_item_at,
    )
    has_item = last is not None and last >= started_at
    gap_s = (last - previous).total_seconds() if has_item and previous and previous >= started_at else None
    age_s = (now - (last if has_item else started_at)).total_seconds()
    before = Presence(monitor.presence)

    def presence(age_s: float) -> Presence:
        interval_s = monitor.expected_interval_s
        return decide(before, interval_s=interval_s, age_s=age_s, gap_s=gap_s, has_item=has_item)

    watched_s, after = (now - since).total_seconds(), presence(age_s)
    if age_s > watched_s and GRAVITY[after] > GRAVITY[before]:
        after = max(before, presence(watched_s), key=GRAVITY.get)
    return after


@transaction.atomic
def _note_presence(seen: Monitor, now: datetime, since: datetime) -> bool:
    """Looked at again under the locks: a picture may have come since."""
    session = Session.objects.select_for_update().get(pk=seen.current_session_id)
    monitor = Monitor.objects.select_related("current_session").get(pk=seen.pk)
    if session.state not in ACCEPTING or monitor.current_session_id != session.pk:
        return False
    before, after = monitor.presence, _presence_now(monitor, now, since)
    if before == after:
        return False
    if before != Presence.UNKNOWN or after != Presence.LIVE:  # the first picture is no news
        last = monitor.last_item_at
        silent_s = (now - max(last or session.started_at, session.started_at)).total_seconds()
        detail = {
            "from": before,
            "to": after,
            "silent_s": round(silent_s, 1),
            "last_item_at": iso(last) if last else None,
            "expected_interval_s": monitor.expected_interval_s,
        }
        sessions.append(session, KINDS[after], detail=detail)
    touch_monitor(monitor, urgent=True, presence=after)
    return True


def tick_flow(now_s: float | None = None) -> int:
    """Every running session stores the rate of now; readers see it fall. Returns how many moved."""
    now_s = time.time() if now_s is None else now_s
    rates = _rates(now_s)
    sessions_of_monitors = Session.objects.filter(state__in=ACCEPTING, monitor__isnull=False)
    moved = 0
    for session in sessions_of_monitors.only("pk", "key", "flow", "total_counter", "monitor_id").order_by(
        "pk"
    ):
        rate = rates.get(session.pk, 0.0)
        if rate != session.flow.get("current_flow_rate", 0.0):
            moved += _store_rate(session, rate)
    return moved


def _rates(now_s: float) -> dict[int, float]:
    counts: dict[int, dict[int, int]] = defaultdict(dict)
    recent = FlowBucket.objects.filter(second__gt=int(now_s) - flow.WINDOW_S)
    for session_id, second, count in recent.values_list("session_id", "second", "count"):
        counts[session_id][second] = count
    return {session_id: flow.rate_per_minute(per_second, now_s) for session_id, per_second in counts.items()}


@transaction.atomic
def _store_rate(session: Session, rate: float) -> bool:
    stored = {"current_flow_rate": rate, "total_processed": session.total_counter}
    mine = Session.objects.filter(pk=session.pk, state__in=ACCEPTING)
    if not mine.update(flow=stored, revision=F("revision") + 1):
        return False
    session.refresh_from_db(fields=["revision", "last_seq"])
    publish_on_commit(f"session:{session.key}", revision=session.revision, seq=session.last_seq)
    touch_monitor(Monitor.objects.get(pk=session.monitor_id))
    return True


_disk_status = ""  # as this process last saw it


def watch_disk() -> bool:
    """When the disk has become low or full, or has room again, every wall shows it. True when it has."""
    global _disk_status
    before, _disk_status = _disk_status, disk_state()["status"]
    if before in ("", _disk_status):
        return False
    for organisation_id in Organisation.objects.values_list("pk", flat=True).order_by("pk"):
        touch_organisation(organisation_id)
    return True


def forget_old_flow() -> int:
    """Per-second counts that no chart shows any more are gone, a bounded number at a time."""
    return counters.forget_old_flow(int(time.time()))


def note_restart(*, quiet: timedelta = timedelta(seconds=2)) -> int:
    """Every running monitor session has a `server_restarted` entry; it goes on. Returns how many there were.

    quiet: processes that start together write one entry: a session that has one so young gets none.
    """
    young = timezone.now() - quiet
    noted = 0
    running = Session.objects.filter(state__in=ACCEPTING, kind="monitor").order_by("pk")
    for session in running:
        last = session.events.order_by("-seq").first()
        if last is None or last.kind != "server_restarted" or last.at < young:
            sessions.append(session, "server_restarted", detail={"total_counter": session.total_counter})
            noted += 1
    return noted
