"""Rate arithmetic: from pictures per second to the flow that people see. No clock of its own.

Counts come as {second: pictures accepted in it}, the second being whole seconds since 1970.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sessionsite.common.clock import EPOCH, iso

WINDOW_S = 60
BUCKET_S = 5
RECENT_BUCKETS = 60
SPARK_S = BUCKET_S * RECENT_BUCKETS
UNIT = "images/min"


def rate_per_minute(counts: Mapping[int, int], now_s: float) -> float:
    """Pictures in the 60 whole seconds that end with the current one, so pictures per minute."""
    last = int(now_s // 1)
    return float(sum(count for second, count in counts.items() if last - WINDOW_S < second <= last))


def recent(counts: Mapping[int, int], now_s: float) -> list[int]:
    """60 sums of 5 s each, oldest first; the last one holds the current second and is still filling."""
    first = first_second(now_s)
    sums = [0] * RECENT_BUCKETS
    for second, count in counts.items():
        if first <= second <= now_s:
            sums[(second - first) // BUCKET_S] += count
    return sums


def first_second(now_s: float) -> int:
    """The oldest second that still counts: everything before it can be forgotten."""
    return end_second(now_s) - SPARK_S


def end_second(now_s: float) -> int:
    """The end of the bucket that holds `now_s`, on the grid of whole 5 s since 1970."""
    return (int(now_s // BUCKET_S) + 1) * BUCKET_S


def is_moving(counts: Mapping[int, int], now_s: float) -> bool:
    """True while the rate or the sparkline can still fall with time alone."""
    return any(recent(counts, now_s))


def flow(counts: Mapping[int, int], now: datetime, *, total: int) -> dict:
    """The `flow` object of a monitor's state. total: pictures of the session since its start."""
    now_s = (now - EPOCH).total_seconds()
    return {
        "current_flow_rate": rate_per_minute(counts, now_s),
        "unit": UNIT,
        "window_s": WINDOW_S,
        "total_processed": total,
        "bucket_s": BUCKET_S,
        "recent": recent(counts, now_s),
        "until": iso(EPOCH + timedelta(seconds=end_second(now_s))),
    }
