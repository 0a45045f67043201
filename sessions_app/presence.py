"""Who looks at a watched session: one lease per session and hub, on the database's clock.

A lease is new for LEASE_S seconds after its last renewal. One that has run out belongs to a dead process: its
readers count as gone since that renewal. Every change here writes the session's own row first, as reaping
does, so of a subscription and a reaping that meet one comes first and the other one sees it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max

from sessions_app.dbclock import database_now
from sessions_app.models import Session, SubscriberLease
from sessions_app.policies import COUNTED
from sessions_app.states import OPEN
from sessionsite.common.live import publish_on_commit

LEASE_S = 30


def cutoff_at(now: datetime) -> datetime:
    """A lease that was renewed after this is alive."""
    return now - timedelta(seconds=LEASE_S)


def hold(key: str, holder: str, count: int, *, now: datetime | None = None) -> bool:
    """`holder` has `count` readers of session `key`; with a reader, nothing reaps it for LEASE_S seconds.

    Without one the lease is gone, and `last_subscriber_left_at` is now when it was the last.
    False where readers are not counted: no such session, another kind, one that is over.
    """
    if not Session.objects.filter(key=key, kind__in=COUNTED).exists():
        return False
    with transaction.atomic():
        if not count:
            return _let_go(key, holder, now)
        mine = Session.objects.filter(key=key, state__in=OPEN)
        if not mine.update(last_subscriber_left_at=None, revision=F("revision") + 1):
            return False
        pk, revision = mine.values_list("pk", "revision").get()
        SubscriberLease.objects.update_or_create(
            session_id=pk, holder=holder, defaults={"count": count, "renewed_at": now or database_now()}
        )
        publish_on_commit(f"session:{key}", revision=revision)
    return True


def renew(holder: str, keys: set[str], *, now: datetime | None = None) -> set[str]:
    """The leases of `holder` are new; returns those of `keys` for which it has none."""
    mine = SubscriberLease.objects.filter(holder=holder)
    if mine.update(renewed_at=now or database_now()) >= len(keys):
        return set()
    return keys - set(mine.values_list("session__key", flat=True))


def release(holder: str, *, now: datetime | None = None) -> None:
    """`holder` reads nothing any more."""
    for key in SubscriberLease.objects.filter(holder=holder).values_list("session__key", flat=True):
        with transaction.atomic():
            _let_go(key, holder, now)


def clear_dead(now: datetime) -> int:
    """Leases that have run out are gone, their sessions left at the last renewal; returns how many."""
    dead = SubscriberLease.objects.filter(renewed_at__lte=cutoff_at(now))
    keys = sorted(set(dead.values_list("session__key", flat=True)))
    for key in keys:
        with transaction.atomic():
            session = _locked(key)
            theirs = dead.filter(session=session)
            left_at = theirs.aggregate(at=Max("renewed_at"))["at"]
            if left_at is not None and theirs.delete()[0]:
                _note_left(session, left_at, now)
    return len(keys)


def _locked(key: str) -> Session:
    return Session.objects.select_for_update().get(key=key)


def _let_go(key: str, holder: str, now: datetime | None) -> bool:
    session = _locked(key)
    if not SubscriberLease.objects.filter(session=session, holder=holder).delete()[0]:
        return False
    now = now or database_now()
    _note_left(session, now, now)
    return True


def _note_left(session: Session, left_at: datetime, now: datetime) -> None:
    """Readers have gone at `left_at`; the session says so when nobody else is there."""
    if session.state not in OPEN:
        return
    changes = {}
    if not SubscriberLease.objects.filter(session=session, renewed_at__gt=cutoff_at(now)).exists():
        before = session.last_subscriber_left_at
        changes["last_subscriber_left_at"] = max(filter(None, (before, left_at)))
    Session.objects.filter(pk=session.pk).update(revision=F("revision") + 1, **changes)
    publish_on_commit(f"session:{session.key}", revision=session.revision + 1)


class SessionWatch:
    """Tells the hubs' counts of readers of `session:<key>` to the leases."""

    def hold(self, name: str, holder: str, count: int) -> bool:
        return hold(name, holder, count)

    def renew(self, holder: str, names: set[str]) -> set[str]:
        return renew(holder, names)

    def release(self, holder: str) -> None:
        release(holder)
