"""How long and how much is kept: the rules, what they would remove now, and the loop that obeys them.

Only pictures of ended sessions go, the oldest sessions first; pinned sessions and pictures never. The session
with its journal, notes and totals stays.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from monitoring.models import Image, Monitor, RetentionRule
from monitoring.services import cleanup
from monitoring.services.cleanup import BATCH, BY, Purged
from monitoring.services.hold import RemovalHeld
from sessions_app.models import Session
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import audit
from sessionsite.common.errors import DomainError
from sessionsite.common.few import aside

logger = logging.getLogger(__name__)

STEP_S = 30.0  # a background step works no longer than about this
DAYS_MAX = 36_500
AGE, MONITOR_SIZE, ORGANISATION_SIZE = "age", "monitor size", "organisation size"


class BadRule(DomainError):
    code = "bad_rule"


@dataclass(frozen=True)
class Due:
    """Pictures that a rule takes from one session. words: why. most_bytes: only so many need to go."""

    session: Session
    found: Purged
    reason: str
    words: str
    before: datetime
    most_bytes: int | None = None


# -- rules ---------------------------------------------------------------------------------------------------


@transaction.atomic
def set_rule(
    organisation: Organisation,
    *,
    by: str,
    monitor: Monitor | None = None,
    keep_days: int | None = None,
    keep_bytes: int | None = None,
) -> RetentionRule | None:
    """The organisation, or its monitor, keeps this long and this much; both None: there is no rule.

    Raises BadRule.
    """
    if monitor is not None and monitor.organisation_id != organisation.pk:
        raise BadRule("The monitor belongs to another organisation.", field="monitor")
    if keep_days is not None and not 1 <= keep_days <= DAYS_MAX:
        raise BadRule(f"keep_days is 1 to {DAYS_MAX}, or empty for no limit.", field="keep_days")
    if keep_bytes is not None and not 0 <= keep_bytes < 2**63:
        raise BadRule("keep_bytes is a number of bytes, or empty for no limit.", field="keep_bytes")
    asked = {"keep_days": keep_days, "keep_bytes": keep_bytes}
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    rule = RetentionRule.objects.filter(organisation=organisation, monitor=monitor).first()
    before = {name: getattr(rule, name, None) for name in asked}
    if before == asked:
        return rule
    audit(organisation, "set_retention", monitor or organisation, by=by, before=before, after=asked)
    if asked == {"keep_days": None, "keep_bytes": None}:
        rule.delete()
        return None
    rule, _ = RetentionRule.objects.update_or_create(
        organisation=organisation,
        monitor=monitor,
        defaults=asked | {"changed_by": by, "changed_at": timezone.now()},
    )
    return rule


# -- what the rules take -------------------------------------------------------------------------------------


def due(
    organisation: Organisation,
    *,
    now: datetime | None = None,
    default_days: int | None = None,
    trial: RetentionRule | None = None,
) -> Iterator[Due]:
    """What the rules of the organisation take now, in the order in which it would go; nothing is changed.

    default_days: where neither monitor nor organisation says how long; None: for ever.
    trial: a rule that is not saved, in the place of the one there is.
    """
    now = now or timezone.now()
    rules = RetentionRule.objects.filter(organisation=organisation).select_related("monitor")
    by_monitor = {rule.monitor_id: rule for rule in rules}
    if trial is not None:
        by_monitor[trial.monitor_id] = trial
    taken = _Taken()
    for one in _too_old(organisation, by_monitor, now, default_days):
        yield taken.note(one)
    for monitor in Monitor.objects.filter(organisation=organisation).order_by("pk"):
        limit = _limit_of(monitor, by_monitor.get(monitor.pk))
        if limit is not None:
            mine = cleanup.ended_sessions().filter(monitor=monitor)
            over = monitor.stored_bytes - taken.by_monitor[monitor.pk] - limit
            words = f"monitor {monitor.slug} keeps {limit:,} bytes"
            for one in _oldest(mine, over, MONITOR_SIZE, words, now, taken):
                yield taken.note(one)
    whole = by_monitor.get(None)
    if whole is not None and whole.keep_bytes is not None:
        mine = cleanup.ended_sessions().filter(organisation=organisation)
        over = stored_bytes(organisation) - taken.size_bytes - whole.keep_bytes
        words = f"{organisation.slug} keeps {whole.keep_bytes:,} bytes"
        yield from _oldest(mine, over, ORGANISATION_SIZE, words, now, taken)


@dataclass
class _Taken:
    """What earlier rules take, so that a later one takes only what is still missing."""

    by_session: dict[int, Purged] = field(default_factory=dict)
    by_monitor: Counter[int | None] = field(default_factory=Counter)
    size_bytes: int = 0

    def note(self, one: Due) -> Due:
        self.by_session[one.session.pk] = self.of(one.session) + one.found
        self.by_monitor[one.session.monitor_id] += one.found.size_bytes
        self.size_bytes += one.found.size_bytes
        return one

    def of(self, session: Session) -> Purged:
        return self.by_session.get(session.pk, Purged())


def _limit_of(monitor: Monitor, rule: RetentionRule | None) -> int | None:
    """What a monitor with a rule by size may keep: never more than its quota, or uploads would be refused."""
    if rule is None or rule.keep_bytes is None:
        return None
    return rule.keep_bytes if monitor.quota_bytes is None else min(rule.keep_bytes, monitor.quota_bytes)


def _too_old(organisation, by_monitor, now: datetime, default_days: int | None) -> Iterator[Due]:
    whole = by_monitor.get(None)
    theirs = whole.keep_days if whole and whole.keep_days is not None else default_days
    own = {pk: rule.keep_days for pk, rule in by_monitor.items() if pk and rule.keep_days is not None}
    ended = cleanup.ended_sessions().filter(organisation=organisation)
    groups = [(ended.filter(monitor=pk), days) for pk, days in own.items()]
    groups.append((ended.exclude(monitor__in=own), theirs))
    for sessions, days in groups:
        if days is None:
            continue
        before = now - timedelta(days=days)
        words = f"ended more than {days} days ago"
        for session in _in_order(sessions.filter(stopped_at__lt=before)):
            yield Due(session, cleanup.pictures_of(session), AGE, words, before)


def _oldest(
    sessions: QuerySet[Session], over: int, reason: str, words: str, now: datetime, taken: _Taken
) -> Iterator[Due]:
    """From the session that ended first on, until `over` bytes are found."""
    if over <= 0:
        return
    for session in _in_order(sessions.filter(stopped_at__lt=now)):
        before, found = taken.of(session), cleanup.pictures_of(session)
        left = Purged(found.images - before.images, found.size_bytes - before.size_bytes)
        if left.images <= 0:
            continue
        is_whole = left.size_bytes <= over
        part = left if is_whole else _first_of(session, before.images, over)
        yield Due(session, part, reason, words, now, most_bytes=None if is_whole else over)
        over -= part.size_bytes
        if over <= 0:
            return


def _first_of(session: Session, skip: int, wanted_bytes: int) -> Purged:
    """How many of the oldest pictures, `skip` left out, reach `wanted_bytes`."""
    free = Image.objects.filter(session=session, pinned_at=None).order_by("pk")[skip:]
    part = Purged()
    for size_bytes in free.values_list("size_bytes", flat=True).iterator():
        part += Purged(1, size_bytes)
        if part.size_bytes >= wanted_bytes:
            break
    return part


def _in_order(sessions: QuerySet[Session]) -> Iterator[Session]:
    """The session that ended first comes first."""
    return sessions.select_related("monitor").order_by("stopped_at", "pk").iterator()


def stored_bytes(organisation: Organisation) -> int:
    """Bytes of all pictures of the organisation, deleted ones included.

    Monitors count theirs, sessions without a monitor theirs; a picture of neither is added up.
    """
    monitors = Monitor.objects.filter(organisation=organisation)
    sessions = Session.objects.filter(aside(organisation=organisation), monitor=None)
    images = Image.objects.filter(aside(organisation=organisation, monitor=None), session=None)
    return _sum(monitors, "stored_bytes") + _sum(sessions, "size_bytes") + _sum(images, "size_bytes")


def _sum(rows: QuerySet, column: str) -> int:
    return rows.aggregate(total=Sum(column))["total"] or 0


# -- obeyed --------------------------------------------------------------------------------------------------


def obey(one: Due, *, by: str = BY) -> Iterator[Purged]:
    """What is due is gone, batch after batch, as far as it still may go; the caller may stop in between."""
    reason = "retention" if one.reason == AGE else one.reason
    yield from cleanup.purge_session(one.session, one.before, by=by, reason=reason, most_bytes=one.most_bytes)


def purge_in_background() -> Purged:
    """Some pictures past the rules and past DELETED_DAYS are gone; an hour's work is done in several steps.

    Nothing goes by the rules of an organisation when they would take more than half of its pictures: a person
    decides that, with `cleanup_sessions --force`. While a backup is made nothing goes at all.
    """
    end, total = time.monotonic() + STEP_S, Purged()
    try:
        for purged in _purge_steps(timezone.now()):
            total += purged
            if time.monotonic() > end:
                break
    except RemovalHeld:
        logger.info("nothing is removed while a backup is made")
    return total


def _purge_steps(now: datetime) -> Iterator[Purged]:
    if settings.DELETED_DAYS is not None:
        yield from cleanup.purge_deleted(now - timedelta(days=settings.DELETED_DAYS))
    for organisation in Organisation.objects.order_by("pk"):
        found, part, whole = [], 0, stored_bytes(organisation)
        for one in due(organisation, now=now, default_days=settings.RETENTION_DAYS):
            part += one.found.size_bytes  # of all that is due, not only of what this step removes
            if len(found) < BATCH:
                found.append(one)
            if cleanup.is_too_much(part, whole):
                break
        if cleanup.is_too_much(part, whole):
            logger.warning(
                "the retention of %s would remove at least %d of %d bytes, more than half: run "
                "cleanup_sessions --force once",
                organisation.slug, part, whole,
            )  # fmt: skip
            continue
        for one in found:
            yield from obey(one)
