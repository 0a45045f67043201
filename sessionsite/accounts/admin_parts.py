"""Small pieces of admin pages: state chips, ages, durations, sizes. Plain HTML, no inline style."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

NOTHING = mark_safe('<span class="quiet">–</span>')


def chip(shape: str, word: str) -> SafeString:
    """A state as colour, shape and word. shape: running, late, lost, idle, paused, ended or error."""
    return format_html(
        '<span class="chip chip-{0}"><svg class="mark mark-{0}" aria-hidden="true">'
        '<use href="#mark-{0}"/></svg>'
        '<span class="word">{1}</span></span>',
        shape,
        word,
    )


def moment(at: datetime | None) -> SafeString:
    if at is None:
        return NOTHING
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC")


def age(at: datetime | None, now: datetime | None = None) -> SafeString:
    """ "12 s ago", with the moment on hover."""
    if at is None:
        return NOTHING
    shown = span((now or timezone.now()) - at)
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{} ago</time>', at.isoformat(), exact, shown)


def span(length: timedelta) -> str:
    """ "12 s", "3 min", "5 h", "2 d": the largest unit that fits."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def duration(start: datetime, end: datetime | None = None) -> str:
    """ "12:44" or "3:05:09"; to now when there is no end."""
    seconds = max(0, int(((end or timezone.now()) - start).total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def in_bytes(size: int) -> str:
    """ "1.2 GB": decimal units, as disks are sold."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, _ = value / 1000, units.pop(0)
    return f"{value:.0f} {units[0]}" if value >= 100 or units[0] == "B" else f"{value:.1f} {units[0]}"
