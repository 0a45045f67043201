"""Which pictures train, validate and test: the share a person chose, else a stable one by the picture's key.

A picture stays in its share for ever: its place is a hash of its key, not chance and not its neighbours. It
stays in the test set when only the other share changes, and when a share grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Case, CharField, F, Func, Q, Value, When
from django.db.models.lookups import LessThan

PLACES = 2**64
AFTER_EVERY_HASH = "g"  # as text greater than any hexadecimal number


@dataclass(frozen=True)
class Shares:
    """Percent of the pictures that validate and that test; the others train."""

    valid_percent: float
    test_percent: float

    @property
    def test_ends(self) -> int:
        """Places below this one test."""
        return int(self.test_percent / 100 * PLACES)

    @property
    def valid_begins(self) -> int:
        """Places from this one on validate."""
        return PLACES - int(self.valid_percent / 100 * PLACES)

    def split_of(self, key: str) -> str:
        """train, valid or test, for the picture of this key."""
        place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
        if place < self.test_ends:
            return "test"
        return "valid" if place >= self.valid_begins else "train"


class Sha256(Func):
    """The hash of a text, in hexadecimal, computed by the database."""

    function = "SHA256"
    output_field = CharField()

    def as_postgresql(self, compiler, connection, **context):
        template = "encode(sha256(convert_to(%(expressions)s, 'UTF8')), 'hex')"
        return self.as_sql(compiler, connection, template=template, **context)


def split_now(datasets: Iterable, of: str = "") -> Case:
    """The split of an Image row for a query: its own, else that of its dataset's shares, else empty.

    datasets: all that the rows may belong to. of: the lookup from another row to its picture, `image__`.
    """
    whens = [When(~Q(**{f"{of}split": ""}), then=F(f"{of}split"))]
    hashed = Sha256(F(f"{of}key"))
    for dataset in datasets:
        if (shares := dataset.shares) is None:
            continue
        its = Q(**{f"{of}dataset_id": dataset.pk})
        whens += [
            When(its & Q(LessThan(hashed, _as_text(shares.test_ends))), then=Value("test")),
            When(its & ~Q(LessThan(hashed, _as_text(shares.valid_begins))), then=Value("valid")),
            When(its, then=Value("train")),
        ]
    return Case(*whens, default=Value(""), output_field=CharField())


def _as_text(place: int) -> Value:
    """As the head of a hash: compared as texts, places keep their order."""
    return Value(AFTER_EVERY_HASH if place >= PLACES else f"{place:016x}")
