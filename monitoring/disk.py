"""How much room is left below the data folder, and how long it lasts."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from datetime import time as day_time

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from monitoring.models import MonitorDay

LOW_DAYS = 3.0  # fewer days left than this reads as low


def free_bytes() -> int:
    return shutil.disk_usage(settings.DATA_DIR).free


def is_full() -> bool:
    """Free space has reached the reserve that reading, stopping and the database need."""
    return free_bytes() < settings.DISK_RESERVE_BYTES


def bytes_per_day(now: datetime | None = None) -> float:
    """Bytes that pictures take per day, from what came in since the start of yesterday (UTC)."""
    now = now or timezone.now()
    since = now.date() - timedelta(days=1)
    days = MonitorDay.objects.filter(day__gte=since)
    total = days.aggregate(total=Sum("size_bytes"))["total"] or 0
    if not total:
        return 0.0
    first = days.order_by("day").values_list("day", flat=True)[0]
    elapsed_s = (now - datetime.combine(first, day_time.min, tzinfo=now.tzinfo)).total_seconds()
    return total / max(elapsed_s, 3600.0) * 86400


def disk_state() -> dict:
    """Free, total and reserved bytes, days left at the present rate (None: no pictures), ok | low | full."""
    usage = shutil.disk_usage(settings.DATA_DIR)
    reserve_bytes, rate = settings.DISK_RESERVE_BYTES, bytes_per_day()
    days_left = round(max(0, usage.free - reserve_bytes) / rate, 1) if rate else None
    status = "ok"
    if usage.free < reserve_bytes:
        status = "full"
    elif usage.free < 2 * reserve_bytes or (days_left is not None and days_left < LOW_DAYS):
        status = "low"
    return {
        "free_bytes": usage.free,
        "total_bytes": usage.total,
        "reserve_bytes": reserve_bytes,
        "days_left": days_left,
        "status": status,
    }
