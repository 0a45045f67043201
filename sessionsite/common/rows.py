"""Rows of values: who only reads needs no models, whose making costs most of a page."""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from typing import Any

from django.db.models import Model, QuerySet

Columns = tuple[str, ...]


def rows_of(queryset: QuerySet, columns: Columns) -> QuerySet:
    """`queryset` as named tuples of these columns; `monitor__slug` follows a relation."""
    return queryset.prefetch_related(None).values_list(*columns, named=True)


def row_of(obj: Model, columns: Columns) -> Any:
    """`obj` as a row of `rows_of`. What it does not have selected costs a query."""
    return _row_type(columns)._make(_value(obj, column) for column in columns)


@cache
def _row_type(columns: Columns) -> type:
    return namedtuple("Row", columns)  # noqa: PYI024 - the columns are known only here


def _value(obj: Model, column: str) -> Any:
    """None beyond an empty relation, as an outer join has it."""
    value: Any = obj
    for name in column.split("__"):
        value = None if value is None else getattr(value, name)
    return value
