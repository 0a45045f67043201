"""The filters of the review page: from the address to form fields, chips, and the query of REST."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import QueryDict

from monitoring.models import Image, Tag
from sessionsite.common.clock import iso

MAX_CHARS = 100
REVIEWS = [word for word, _ in Image.REVIEWS]
FIRST = "unreviewed"
AGES = {
    "1h": ("the last hour", timedelta(hours=1), True),
    "1d": ("the last 24 hours", timedelta(days=1), True),
    "7d": ("the last 7 days", timedelta(days=7), True),
    "over-1d": ("older than 24 hours", timedelta(days=1), False),
    "over-7d": ("older than 7 days", timedelta(days=7), False),
}
TITLES = {
    "monitor": "Monitor",
    "session": "Session",
    "label": "Picture label",
    "tag": "Box label",
    "source": "Boxes from",
    "age": "Age",
}


@dataclass(frozen=True)
class Field:
    """One filter as a form field. choices None: any text."""

    name: str
    value: str
    choices: list[tuple[str, str]] | None

    @property
    def example(self) -> str:
        return "se_…" if self.name == "session" else "any"

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def words(self) -> str:
        return dict(self.choices or []).get(self.value, self.value)


@dataclass(frozen=True)
class Link:
    """A filter in use and the address without it, or a mark and the address of its queue."""

    title: str
    words: str
    address: str
    is_current: bool = False


class Queue:
    """What is asked of the review page. Values that cannot be meant filter nothing."""

    def __init__(self, asked: QueryDict, monitors: QuerySet, *, now: datetime, path: str) -> None:
        self.path, self.now = path, now
        self.review = asked.get("review", "") if asked.get("review") in REVIEWS else FIRST
        choices = {
            "monitor": list(monitors.order_by("name").values_list("slug", "name")),
            "source": Tag.SOURCES,
            "age": [(name, words) for name, (words, *_) in AGES.items()],
        }
        self.fields = [
            Field(name, self._value(asked.get(name, ""), choices.get(name)), choices.get(name))
            for name in TITLES
        ]

    @staticmethod
    def _value(text: str, choices: list[tuple[str, str]] | None) -> str:
        text = text.replace("\0", "").strip()[:MAX_CHARS]
        return text if choices is None or text in dict(choices) else ""

    @property
    def used(self) -> dict[str, str]:
        return {field.name: field.value for field in self.fields if field.value}

    def query(self, organisation: str) -> dict[str, str]:
        """The parameters of `GET images/` that find these pictures."""
        asked = {"organisation": organisation, "review": self.review, **self.used}
        if age := asked.pop("age", ""):
            _, span, is_newer = AGES[age]
            asked["after" if is_newer else "before"] = iso(self.now - span)
        return asked

    def marks(self) -> list[Link]:
        return [
            Link(word, word, self._address(review=word), word == self.review)
            for word in ("unreviewed", "doubtful", "rejected", "accepted")
        ]

    def chips(self) -> list[Link]:
        used = [field for field in self.fields if field.value]
        return [Link(field.title, field.words, self._address(**{field.name: ""})) for field in used]

    def _address(self, **changes: str) -> str:
        kept = {"review": self.review, **self.used, **changes}
        return f"{self.path}?{urlencode({name: value for name, value in kept.items() if value})}"
