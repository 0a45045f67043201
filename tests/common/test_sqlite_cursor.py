"""Statements reach SQLite as Django would send them, and are put into its words once."""

import re
import secrets

import pytest
from django.db import connection
from django.db.backends.sqlite3 import base as django_sqlite

from sessionsite.common.sqlite.base import LONG_STATEMENT

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL takes %s as it is"),
]


class CountingPattern:
    """Django's own search for `%s`, counted."""

    def __init__(self, pattern: re.Pattern) -> None:
        self._pattern = pattern
        self.searches = 0

    def sub(self, *arguments):
        self.searches += 1
        return self._pattern.sub(*arguments)


@pytest.fixture
def searches(monkeypatch):
    pattern = CountingPattern(django_sqlite.FORMAT_QMARK_REGEX)
    monkeypatch.setattr(django_sqlite, "FORMAT_QMARK_REGEX", pattern)
    return pattern


@pytest.fixture
def unseen():
    """A comment that makes a statement one that this process has not seen."""
    return f"/* {secrets.token_hex(8)} */"


def rows(statement, values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_a_statement_is_searched_once_and_takes_other_values_each_time(searches, unseen):
    statement = f"SELECT %s, %s {unseen}"
    assert rows(statement, [1, "a"]) == [(1, "a")]
    assert rows(statement, [2, "%s"]) == [(2, "%s")]
    assert searches.searches == 1


def test_a_percent_sign_is_doubled_in_statements_with_values_and_not_in_others():
    for _ in range(2):
        assert rows("SELECT '100 %%', '%%s', %s", [1]) == [("100 %", "%s", 1)]
        assert rows("SELECT '100 %%'", None) == [("100 %%",)]


def test_values_may_have_names():
    for number in (1, 2):
        assert rows("SELECT %(b)s, %(a)s", {"a": number, "b": "x"}) == [("x", number)]


def test_many_rows_go_by_one_statement(searches, unseen):
    insert = f"INSERT INTO many_rows VALUES (%s) {unseen}"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE many_rows (number INTEGER)")
        cursor.executemany(insert, iter([[1], [2]]))
        cursor.executemany(insert, [[3]])
        assert cursor.execute("SELECT sum(number) FROM many_rows").fetchone() == (6,)
        cursor.execute("DROP TABLE many_rows")
    assert searches.searches == 1


def test_a_long_statement_is_not_kept(searches):
    count = LONG_STATEMENT // len(", %s") + 1
    statement = f"SELECT 1 WHERE 7 IN (%s{', %s' * count})"
    for _ in range(2):
        assert rows(statement, [*range(count + 1)]) == [(1,)]
    assert searches.searches == 2
