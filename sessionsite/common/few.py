"""Few or many? A list filtered by what its rows contain is read another way for each."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import BooleanField, Func, Q, QuerySet
from django.db.models.sql.where import WhereNode

FEW = 1000


def few(values: QuerySet) -> set | None:
    """All of `values`, a query of single columns, while there are at most FEW; None for more.

    Rows with something rare are found from the rare thing: their list would be walked to its end. Rows with
    something common are found by walking: the newest page has them, and there are too many to sort.
    """
    found = list(values.order_by()[: FEW + 1])
    return set(found) if len(found) <= FEW else None


def narrowed(queryset: QuerySet, *probes: QuerySet) -> QuerySet:
    """`queryset`, read by the keys of the first of `probes` that is few; each probe holds all its rows."""
    for probe in probes:
        if (keys := few(probe)) is not None:
            return read_by_key(queryset, keys)
    return queryset


def gathered(queryset: QuerySet, *probes: QuerySet) -> QuerySet:
    """`queryset`, read by the keys of all of `probes` together, while each of them is few.

    Together the probes hold all rows of `queryset`, and only some of it.
    """
    keys: set = set()
    for probe in probes:
        if (found := few(probe)) is None:
            return queryset
        keys |= found
    return read_by_key(queryset, keys)


def read_by_key(queryset: QuerySet, keys: Collection) -> QuerySet:
    """Those of `queryset` with one of these keys, which are looked up; what else it asks is only checked."""
    return only_checked(queryset).filter(pk__in=keys)


def only_checked(queryset: QuerySet) -> QuerySet:
    """`queryset`, by none of whose conditions so far a row is looked up."""
    rows = queryset.all()
    rows.query.where = WhereNode([_Aside(rows.query.where)])
    return rows


def aside(*conditions: Q, **lookups) -> Func:
    """A condition for `filter` by which no row is looked up: SQLite takes the index of the other conditions.

    It keeps no statistics, takes every organisation for one with ten rows, and walks its millions instead.
    """
    return _Aside(Q(*conditions, **lookups))


class _Aside(Func):
    """The plus sign hides a condition from SQLite's choice of an index: sqlite.org/optoverview.html."""

    template, arity, output_field = "+(%(expressions)s)", 1, BooleanField()

    def as_postgresql(self, compiler, connection):
        return compiler.compile(self.get_source_expressions()[0])
