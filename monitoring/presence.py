"""When a camera is live, late or lost: pure rules with hysteresis, no clock of their own."""

from __future__ import annotations

from monitoring.models import Presence

# Multiples of the expected interval, with a floor in seconds: network jitter of a fast camera is no news.
LATE_AFTER, LATE_FLOOR_S = 2.0, 1.0
LOST_AFTER, LOST_FLOOR_S = 5.0, 5.0
STEADY_WITHIN, STEADY_FLOOR_S = 1.5, 0.5


def late_after_s(interval_s: float) -> float:
    return max(LATE_AFTER * interval_s, interval_s + LATE_FLOOR_S)


def lost_after_s(interval_s: float) -> float:
    return max(LOST_AFTER * interval_s, LOST_FLOOR_S)


def steady_within_s(interval_s: float) -> float:
    return max(STEADY_WITHIN * interval_s, interval_s + STEADY_FLOOR_S)


def decide(before: str, *, interval_s: float, age_s: float, gap_s: float | None, has_item: bool) -> Presence:
    """The presence now.

    age_s: since the last picture, or since the start when none came (has_item False). gap_s: between the last
    two pictures, None when there was one only. A late or lost camera is live again only after two pictures in
    step, so that one that limps along just over the limit does not flap.
    """
    if age_s > lost_after_s(interval_s):
        return Presence.LOST
    if age_s > late_after_s(interval_s):
        return Presence.LOST if before == Presence.LOST else Presence.LATE
    if not has_item:
        return Presence(before)
    if before in (Presence.UNKNOWN, Presence.LIVE):
        return Presence.LIVE
    steady_s = steady_within_s(interval_s)
    if gap_s is not None and gap_s <= steady_s and age_s <= steady_s:
        return Presence.LIVE
    return Presence.LATE
