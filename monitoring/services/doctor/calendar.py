"""What a monitor brought in per day, counted anew from the journals of its sessions."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date

from django.db.models import Sum
from django.db.models.functions import TruncDate

from monitoring.models import Image, Monitor, MonitorDay
from monitoring.services.doctor.truth import LATE, LIVE
from sessions_app.models import SessionEvent


def recount_days(monitor: Monitor) -> tuple[int, int]:
    """The calendar holds what the journal says came: (pictures before, after). In the caller's transaction.

    Bytes of purged pictures are known from the old rows alone: a day keeps the larger number.
    """
    images = _pictures_per_day(monitor)
    sizes = _bytes_per_day(monitor)
    old = {row.day: row for row in MonitorDay.objects.filter(monitor=monitor)}
    before = sum(row.images for row in old.values())
    MonitorDay.objects.filter(monitor=monitor).exclude(day__in=images).delete()
    for day, count in sorted(images.items()):
        kept_bytes = old[day].size_bytes if day in old else 0
        MonitorDay.objects.update_or_create(
            monitor=monitor,
            day=day,
            defaults={"images": count, "size_bytes": max(kept_bytes, sizes.get(day, 0))},
        )
    return before, sum(images.values())


def _pictures_per_day(monitor: Monitor) -> Counter[date]:
    images: Counter[date] = Counter()
    events = SessionEvent.objects.filter(session__monitor=monitor, kind__in=[LIVE, LATE]).order_by()
    for at, detail in events.values_list("at", "detail").iterator():
        images[at.astimezone(UTC).date()] += detail.get("count", 0)
    return images


def _bytes_per_day(monitor: Monitor) -> dict[date, int]:
    rows = Image.objects.filter(monitor=monitor).order_by().annotate(day=TruncDate("received_at", tzinfo=UTC))
    return dict(rows.values("day").annotate(size=Sum("size_bytes")).values_list("day", "size"))
