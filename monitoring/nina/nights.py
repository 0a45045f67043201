"""Nights at the site: from noon to noon of its own zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from monitoring.nina.models import Rig, RigEvent

NOON = time(12)
YEARS = range(2000, 2100)  # the same as of every other time


def evening_of(text: str) -> date:
    """The evening that `2025-11-14` names. Raises ValueError."""
    evening = date.fromisoformat(text)
    if evening.year not in YEARS:
        raise ValueError(f"{text} is outside {YEARS[0]} to {YEARS[-1]}")
    return evening


def night_of(rig: Rig, moment: datetime) -> date:
    """The evening's date of the night that `moment` belongs to."""
    return (moment.astimezone(rig.zone) - timedelta(hours=12)).date()


def bounds_of(rig: Rig, evening: date) -> tuple[datetime, datetime]:
    """Noon before and noon after; a night of a change of clocks is an hour shorter or longer."""
    return (
        datetime.combine(evening, NOON, rig.zone),
        datetime.combine(evening + timedelta(days=1), NOON, rig.zone),
    )


def neighbours(rig: Rig, evening: date) -> tuple[date | None, date | None]:
    """The evenings of the nights before and after that have events."""
    start, end = bounds_of(rig, evening)
    events = RigEvent.objects.filter(rig=rig)
    before = events.filter(at__lt=start).order_by("-at").values_list("at", flat=True).first()
    after = events.filter(at__gte=end).order_by("at").values_list("at", flat=True).first()
    return (night_of(rig, before) if before else None, night_of(rig, after) if after else None)
