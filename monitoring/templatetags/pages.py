"""How the pages write times, sizes and states; js/times.js and js/marks.js do it in the browser."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html

from sessions_app.states import SHOWN
from sessionsite.common.clock import iso, parse_iso

register = template.Library()


@register.simple_tag
def moment(value: datetime | str | None, form: str = "moment"):
    """A <time> that the browser writes in UTC or local time; without JavaScript it reads in UTC."""
    if value is None:
        return "–"
    text = value if isinstance(value, str) else iso(value)
    return format_html(
        '<time datetime="{}" data-as="{}">{} UTC</time>', text, form, text[:19].replace("T", " ")
    )


@register.filter
def at_site(text: str, zone: str) -> str:
    """ "2026-11-21 09:07" in that zone: what is printed goes by the clock of its place."""
    return f"{parse_iso(text).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


@register.simple_tag
def duration(start: datetime, end: datetime) -> str:
    """ "12:44" or "3:05:09"."""
    return lasted(max(0, (end - start).total_seconds()))


@register.filter
def lasted(seconds: float) -> str:
    """ "12:44" or "3:05:09"."""
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours}:{minutes:02}:{int(seconds) % 60:02}" if hours else f"{minutes}:{int(seconds) % 60:02}"


@register.filter
def width_of_bar(seconds: float) -> str:
    """ "0.2 s", "15 s", "5:00"."""
    return f"{seconds:g} s" if seconds < 60 else lasted(seconds)


@register.filter
def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


@register.filter(name="seconds")
def in_seconds(value: float) -> str:
    """ "45 s", "2.5 s"."""
    return f"{round(value, 1):g} s"


@register.simple_tag
def session_chip(state: str):
    shape, word = SHOWN[state]
    return format_html(
        '<span class="chip chip-{0}"><svg class="mark mark-{0}" aria-hidden="true">'
        '<use href="#mark-{0}"/></svg>'
        '<span class="word">{1}</span></span>',
        shape,
        word,
    )


@register.filter(name="bytes")
def in_bytes(size: int) -> str:
    """ "1.2 GB": decimal units, as disks are sold."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, _ = value / 1000, units.pop(0)
    return f"{value:.0f} {units[0]}" if value >= 100 or units[0] == "B" else f"{value:.1f} {units[0]}"


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"
