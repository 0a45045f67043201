"""The filters of the history page: from the address to a QuerySet, to form fields and to chips."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import QueryDict

from sessions_app.api.filters import SessionFilters
from sessions_app.models import Session
from sessions_app.states import CHOICES, Kind
from sessionsite.accounts.models import Organisation
from sessionsite.common.clock import iso

MAX_CHARS = 100
NAMES = ("q", "monitor", "kind", "state", "label", "started_after", "started_before")
TITLES = {
    "q": "Name",
    "monitor": "Monitor",
    "kind": "Kind",
    "state": "State",
    "label": "Label",
    "started_after": "From (UTC)",
    "started_before": "Until (UTC)",
}
DAYS = {"started_after": 0, "started_before": 1}  # days to add: the last day is meant to its end
PROBLEMS = dict.fromkeys(DAYS, "Write a day as 2026-01-31")


@dataclass(frozen=True)
class Field:
    """One filter as a form field, with what was typed and what is wrong with it."""

    name: str
    value: str
    choices: list[tuple[str, str]] | None = None
    problem: str = ""

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def is_date(self) -> bool:
        return self.name.startswith("started_")

    @property
    def example(self) -> str:
        return "begins with" if self.name == "q" else ""

    @property
    def words(self) -> str:
        return dict(self.choices or []).get(self.value, self.value)


@dataclass(frozen=True)
class Chip:
    """A filter in use and the address without it."""

    title: str
    words: str
    drop: str


class History:
    """What is asked of the history. Unknown parameters and values that cannot be meant filter nothing."""

    def __init__(self, asked: QueryDict, monitors: QuerySet) -> None:
        self.values = {name: asked.get(name, "").replace("\0", "").strip()[:MAX_CHARS] for name in NAMES}
        self.wrong = {name for name in DAYS if self.values[name] and _day(self.values[name]) is None}
        self.wrong |= set(SessionFilters(self._asked(), Session.objects.none()).form.errors)
        self.fields = [self._field(name, monitors) for name in NAMES]

    def _asked(self) -> dict[str, str]:
        """The filters in the words of REST, whose FilterSet does the work: the whole last day counts."""
        asked = {name: value for name, value in self.values.items() if value and name not in self.wrong}
        for name, days in DAYS.items():
            if name in asked and (day := _day(asked.pop(name))):
                asked[name] = iso(day + timedelta(days=days))
        return asked

    def _field(self, name: str, monitors: QuerySet) -> Field:
        problem = PROBLEMS.get(name, "There is no such choice") if name in self.wrong else ""
        return Field(name, self.values[name], self._choices(name, monitors), problem)

    def _choices(self, name: str, monitors: QuerySet) -> list[tuple[str, str]] | None:
        if name == "monitor":
            return list(monitors.order_by("name").values_list("slug", "name"))
        if name == "kind":
            return [(kind.value, kind.value) for kind in Kind]
        if name == "state":
            return CHOICES
        return None

    def apply(self, sessions: QuerySet, organisation: Organisation) -> QuerySet:
        """Those of the organisation's sessions that fit every filter."""
        return SessionFilters(self._asked(), sessions, owners={organisation.pk}).qs

    def csv_address(self, organisation: str) -> str:
        """Where the same sessions are as CSV, all of them."""
        asked = {"organisation": organisation, **self._asked(), "bom": "true"}
        return f"/api/v1/sessions/csv/?{urlencode(asked)}"

    def chips(self, path: str) -> list[Chip]:
        used = [field for field in self.fields if field.value and not field.problem]
        return [Chip(field.title, field.words, self._without(path, field.name)) for field in used]

    def _without(self, path: str, dropped: str) -> str:
        kept = {name: value for name, value in self.values.items() if value and name != dropped}
        return f"{path}?{urlencode(kept)}" if kept else path


def _day(text: str) -> datetime | None:
    """The start of a UTC day written as 2026-01-31; None for anything else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
