"""How many pictures per bucket a monitor brought in, for the rate chart."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitoring.models import Monitor
from sessions_app.models import FlowBucket
from sessionsite.common import clock
from sessionsite.common.clock import EPOCH, iso

BUCKET_S = 10
MAX_MINUTES = 120  # what sessions_app keeps of the per-second counts


def rate_counts(monitor: Monitor, *, minutes: int, now: datetime | None = None) -> dict:
    """`{"bucket_s", "from", "counts"}`: pictures per 10 s, oldest first, the last bucket still filling.

    All sessions of the monitor count; buckets lie on the grid of whole 10 s since 1970.
    """
    now_s = (now or clock.now()).timestamp()
    end = (int(now_s // BUCKET_S) + 1) * BUCKET_S
    begin = end - minutes * 60
    counts = [0] * (minutes * 60 // BUCKET_S)
    rows = FlowBucket.objects.filter(session__monitor=monitor, second__gte=begin, second__lt=end)
    for second, count in rows.values_list("second", "count"):
        counts[(second - begin) // BUCKET_S] += count
    return {"bucket_s": BUCKET_S, "from": iso(EPOCH + timedelta(seconds=begin)), "counts": counts}
