"""Ends watched sessions that nobody looks at, `idle_ttl_s` after the last reader left or the start."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Min, OuterRef

from sessions_app.dbclock import database_now
from sessions_app.leases import drop_lease, hold_lease
from sessions_app.models import Session, SubscriberLease
from sessions_app.policies import REAPED
from sessions_app.presence import clear_dead, cutoff_at
from sessions_app.services import IllegalMove, lock, move, stop_recording
from sessions_app.states import ACCEPTING, State

logger = logging.getLogger(__name__)

REASON = "idle"
PASS_LEASE = "reap sessions"
PASS_LEASE_S = 30.0
TICK_S = 1.0  # how often it is asked whether a pass is due


@dataclass(frozen=True)
class Idle:
    """A session that nobody has looked at for `idle_s` seconds."""

    key: str
    idle_s: float
    ttl_s: int


def reap_once(
    now: datetime | None = None, *, serving_since: datetime | None = None, dry_run: bool = False
) -> list[Idle]:
    """Every session that was idle for longer than its time is expired; returns them.

    now: the database's clock, if not given. serving_since: when this server started; a session is not idle
    for longer than that, so that readers of the server before have time to come back.
    dry_run: nothing is changed.
    """
    now = now or database_now()
    if not dry_run:
        clear_dead(now)
    found = [_idle(session, now, serving_since) for session in _unwatched(now)]
    idle = [each for each in found if each.idle_s > each.ttl_s]
    return idle if dry_run else [each for each in idle if _expire(each.key, now, serving_since)]


def _unwatched(now: datetime):
    alive = SubscriberLease.objects.filter(session=OuterRef("pk"), renewed_at__gt=cutoff_at(now))
    reaped = Session.objects.filter(kind__in=REAPED, state__in=ACCEPTING, idle_ttl_s__isnull=False)
    return reaped.filter(~Exists(alive))


def _idle(session: Session, now: datetime, serving_since: datetime | None) -> Idle:
    dead = session.subscriber_leases.order_by("-renewed_at").values_list("renewed_at", flat=True).first()
    marks = (session.started_at, session.last_subscriber_left_at, dead, serving_since)
    since = max(mark for mark in marks if mark is not None)
    return Idle(session.key, (now - since).total_seconds(), session.idle_ttl_s)


@transaction.atomic
def _expire(key: str, now: datetime, serving_since: datetime | None) -> bool:
    """Whether the session is expired by this call; a reader that came meanwhile keeps it."""
    lock(Session.objects.get(key=key))  # from here on nobody subscribes
    session = _unwatched(now).filter(key=key).first()
    if session is None or (idle := _idle(session, now, serving_since)).idle_s <= idle.ttl_s:
        return False
    detail = {
        "idle_s": round(idle.idle_s, 1),
        "idle_ttl_s": idle.ttl_s,
        "total_counter": session.total_counter,
    }
    try:
        if session.state == State.RECORDING:
            stop_recording(session, by="")
        move(session, State.EXPIRED, reason=REASON, kind="expired", detail=detail, stopped_at=now)
    except IllegalMove:  # it was ended at the same moment
        return False
    return True


def interval_s() -> float:
    """Seconds between two passes: half of the shortest time that a session open now may be idle."""
    open_now = Session.objects.filter(kind__in=REAPED, state__in=ACCEPTING)
    shortest = open_now.aggregate(ttl=Min("idle_ttl_s"))["ttl"]
    return max(1.0, min(settings.SESSION_IDLE_TTL_S, shortest or settings.SESSION_IDLE_TTL_S) / 2)


class Reaper:
    """The passes of one process; of all processes one is at a pass at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_at: float | None = None
        self._serving_since: datetime | None = None

    def step(self) -> list[Idle]:
        """A pass, if one is due and no other process is at one; what it expired."""
        if self._serving_since is None:
            self._serving_since = database_now()
        if (
            self._last_at is not None and self._clock() - self._last_at < interval_s() - TICK_S
        ):  # the next look may be too late
            return []
        if hold_lease(PASS_LEASE, PASS_LEASE_S) is None:
            return []
        try:
            self._last_at = self._clock()
            reaped = reap_once(serving_since=self._serving_since)
        finally:
            drop_lease(PASS_LEASE)
        for each in reaped:
            logger.info("session %s has expired: nobody looked for %.0f s", each.key, each.idle_s)
        return reaped
