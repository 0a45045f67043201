"""Beginnings of text, found from an index: `istartswith` alone reads every row."""

from __future__ import annotations

from django.db.models import F, Func, Q, TextField, Value
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

END = "\U0010ffff" * 8  # sorts after whatever follows a beginning


class Folded(Func):
    """Text as `istartswith` compares it on this database, in the order of its characters: for an index.

    SQLite takes A to Z for a to z, PostgreSQL all letters.
    """

    arity, output_field = 1, TextField()

    def as_sqlite(self, compiler, connection):
        return self.as_sql(compiler, connection, template="%(expressions)s COLLATE NOCASE")

    def as_postgresql(self, compiler, connection):
        return self.as_sql(compiler, connection, template='UPPER(%(expressions)s) COLLATE "C"')


def begins(column: str, text: str) -> Q:
    """For `filter`: the rows whose `column` begins with `text`, as an index of Folded(column) has them."""
    first, last = (Folded(Value(end, output_field=TextField())) for end in (text, text + END))
    return Q(GreaterThanOrEqual(Folded(F(column)), first)) & Q(LessThanOrEqual(Folded(F(column)), last))
