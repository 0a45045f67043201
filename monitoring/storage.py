"""What an organisation keeps: bytes per monitor, its rules and pins, when the disk is full; and previews."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Count, Sum

from monitoring.disk import forecast
from monitoring.models import Image, Monitor, RetentionRule
from monitoring.services import retention
from monitoring.services.cleanup import Purged, is_too_much
from sessions_app.models import Session
from sessionsite.accounts.models import Organisation
from sessionsite.common.clock import iso, now
from sessionsite.common.few import aside

SHOWN = 100  # sessions of a preview that are named


def storage_state(organisation: Organisation) -> dict:
    """The answer of GET storage/, and what the page /storage/ shows."""
    seen = forecast()
    rules = {rule.monitor_id: rule for rule in RetentionRule.objects.filter(organisation=organisation)}
    return {
        "organisation": organisation.slug,
        "at": iso(now()),
        "stored_bytes": retention.stored_bytes(organisation),
        "rule": _rule(rules.get(None)),
        "default_days": settings.RETENTION_DAYS,
        "deleted_days": settings.DELETED_DAYS,
        "monitors": _monitors(organisation, rules),
        "pinned": _pinned(organisation),
        "forecast": {
            "free_bytes": seen.free_bytes,
            "total_bytes": seen.total_bytes,
            "reserve_bytes": seen.reserve_bytes,
            "bytes_per_day": round(seen.bytes_per_day),
            "days_left": None if seen.days_left is None else round(seen.days_left, 1),
            "full_at": seen.full_at and iso(seen.full_at),
            "words": seen.words,
        },
    }


def _rule(rule: RetentionRule | None) -> dict:
    return {"keep_days": rule and rule.keep_days, "keep_bytes": rule and rule.keep_bytes}


def _monitors(organisation: Organisation, rules: dict) -> list[dict]:
    """The largest first."""
    monitors = Monitor.objects.filter(organisation=organisation).order_by("-stored_bytes", "slug")
    return [
        {
            "slug": monitor.slug,
            "name": monitor.name,
            "stored_bytes": monitor.stored_bytes,
            "quota_bytes": monitor.quota_bytes,
            "is_archived": monitor.archived_at is not None,
            **_rule(rules.get(monitor.pk)),
        }
        for monitor in monitors
    ]


def _pinned(organisation: Organisation) -> dict:
    sessions = Session.objects.filter(aside(organisation=organisation), pinned_at__isnull=False)
    images = Image.objects.filter(aside(organisation=organisation), pinned_at__isnull=False)
    whole = sessions.aggregate(count=Count("pk"), size_bytes=Sum("size_bytes"))
    single = images.filter(session__pinned_at=None).aggregate(count=Count("pk"), size_bytes=Sum("size_bytes"))
    return {
        "sessions": whole["count"],
        "images": single["count"],
        "size_bytes": (whole["size_bytes"] or 0) + (single["size_bytes"] or 0),
    }


def preview(organisation: Organisation, trial: RetentionRule | None = None) -> dict:
    """What the rules would remove now; trial: a rule that is not saved, in the place of the one there is."""
    total, named, sessions = Purged(), [], set()
    for one in retention.due(organisation, default_days=settings.RETENTION_DAYS, trial=trial):
        total += one.found
        sessions.add(one.session.pk)
        if len(named) < SHOWN:
            named.append(_named(one))
    whole = retention.stored_bytes(organisation)
    return {
        "sessions": len(sessions),
        "images": total.images,
        "size_bytes": total.size_bytes,
        "stored_bytes": whole,
        "is_too_much": is_too_much(total.size_bytes, whole),
        "results": named,
    }


def _named(one: retention.Due) -> dict:
    session = one.session
    return {
        "session": session.key,
        "name": session.name,
        "monitor": session.monitor.slug if session.monitor_id else None,
        "started_at": iso(session.started_at),
        "stopped_at": iso(session.stopped_at),
        "images": one.found.images,
        "size_bytes": one.found.size_bytes,
        "reason": one.reason,
        "words": one.words,
    }
