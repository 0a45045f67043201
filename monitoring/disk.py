"""How much room is left below the data folder, and how long it lasts."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as day_time

from django.conf import settings
from django.db.models import Exists, Min, Sum
from django.utils import timezone

from monitoring.models import Image, MonitorDay

AMPLE_BYTES, AMPLE_S = 2**30, 0.2  # no uploads fill so much in so short a time
SHORTEST_S = 3600.0  # what came in less time than this is no rate yet
LOW_DAYS = 3.0  # fewer days left than this reads as low
FAR_DAYS = 3650

_ample: tuple[int, float] | None = None  # (reserve, until when of the monotonic clock)


def usage():
    """Total, used and free bytes of the disk with the database, or of the pictures' own if that is fuller."""
    places = [settings.DATA_DIR, *([settings.MEDIA_ROOT] if settings.MEDIA_ROOT.is_dir() else [])]
    return min((shutil.disk_usage(place) for place in places), key=lambda found: found.free)


def free_bytes() -> int:
    return usage().free


def is_full() -> bool:
    """Free space has reached the reserve that reading, stopping and the database need.

    Where there is ample room it is not looked again for a moment: every picture asks.
    """
    global _ample
    reserve_bytes, now = settings.DISK_RESERVE_BYTES, time.monotonic()
    if _ample is not None and _ample[0] == reserve_bytes and now < _ample[1]:
        return False
    room_bytes = free_bytes() - reserve_bytes
    _ample = (reserve_bytes, now + AMPLE_S) if room_bytes > AMPLE_BYTES else None
    return room_bytes < 0


def bytes_per_day(now: datetime | None = None) -> float:
    """Bytes that pictures take per day, since the start of yesterday (UTC), or since the first picture."""
    now = now or timezone.now()
    since = now.date() - timedelta(days=1)
    days = MonitorDay.objects.filter(day__gte=since).aggregate(total=Sum("size_bytes"), first=Min("day"))
    if not days["total"]:
        return 0.0
    begun_at = datetime.combine(days["first"], day_time.min, tzinfo=now.tzinfo)
    earlier = Exists(MonitorDay.objects.filter(day__lt=since))
    oldest = Image.objects.order_by("pk").values_list("received_at", earlier).first()
    if oldest is not None and not oldest[1]:  # a new server: its first day began in the middle
        begun_at = max(begun_at, oldest[0])
    return days["total"] / max((now - begun_at).total_seconds(), SHORTEST_S) * 86400


@dataclass(frozen=True)
class Forecast:
    """When the disk is full at today's rate, in words too; full_at None: not in sight."""

    free_bytes: int
    total_bytes: int
    reserve_bytes: int
    bytes_per_day: float
    days_left: float | None
    full_at: datetime | None
    words: str


def forecast(now: datetime | None = None) -> Forecast:
    """Free space over the reserve, divided by what came per day since the start of yesterday (UTC).

    What retention and other programs remove or write is not foreseen.
    """
    now = now or timezone.now()
    found, reserve_bytes = usage(), settings.DISK_RESERVE_BYTES
    rate, room = bytes_per_day(now), max(0, found.free - reserve_bytes)
    days_left = room / rate if rate else None
    full_at = now + timedelta(days=days_left) if days_left is not None and days_left < FAR_DAYS else None
    words = _words(room, rate, days_left, full_at)
    return Forecast(found.free, found.total, reserve_bytes, rate, days_left, full_at, words)


def _words(room: int, rate: float, days_left: float | None, full_at: datetime | None) -> str:
    if not room:
        return "The disk has reached its reserve: uploads are refused until something is removed."
    if days_left is None:
        return f"No pictures come in; {in_words(room)} are free above the reserve."
    pace = f"At today's rate, {in_words(rate)} a day,"
    if full_at is None:
        return f"{pace} the disk lasts for more than {FAR_DAYS // 365} years."
    left = f"{days_left:.0f} days" if days_left >= 3 else f"{days_left * 24:.0f} hours"
    return f"{pace} the disk is full on {full_at:%A %d %B %Y at %H:%M} UTC, in {left}."


def in_words(size_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:,.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def disk_state() -> dict:
    """Free, total and reserved bytes, days left at the present rate (None: no pictures), ok | low | full."""
    found = usage()
    reserve_bytes, rate = settings.DISK_RESERVE_BYTES, bytes_per_day()
    days_left = round(max(0, found.free - reserve_bytes) / rate, 1) if rate else None
    status = "ok"
    if found.free < reserve_bytes:
        status = "full"
    elif found.free < 2 * reserve_bytes or (days_left is not None and days_left < LOW_DAYS):
        status = "low"
    return {
        "free_bytes": found.free,
        "total_bytes": found.total,
        "reserve_bytes": reserve_bytes,
        "days_left": days_left,
        "status": status,
    }
