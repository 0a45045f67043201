"""The statements behind appends to the journal, and behind pages of sessions, in raw SQL for both databases.

What appends runs inside the caller's transaction. Times are aware UTC datetimes. What a page reads takes a
tenth of the time that it takes to put the same question together anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import orjson
from django.db import connection

ROWS_MAX = 1000  # in one statement; SQLite takes 32,766 values, PostgreSQL 65,535


class EventRow(NamedTuple):
    """One row of sessions_app_sessionevent, in the order of its names."""

    session_id: int
    organisation_id: int
    seq: int
    kind: str
    at: datetime
    detail: dict
    device_id: int | None = None
    dedup_key: str | None = None


def take_numbers(session_id: int, count: int) -> tuple[int, int] | None:
    """`count` numbers of the session's journal are taken: its (revision, last_seq) now; None: no such row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sessions_app_session SET last_seq = last_seq + %s WHERE id = %s "
            "RETURNING revision, last_seq",
            [count, session_id],
        )
        return cursor.fetchone()


def insert_events(rows: Sequence[EventRow]) -> None:
    """The entries whose numbers were taken."""
    for start in range(0, len(rows), ROWS_MAX):
        _insert(rows[start : start + ROWS_MAX])


def _insert(rows: Sequence[EventRow]) -> None:
    adapted = connection.ops.adapt_datetimefield_value
    at = adapted_at = None
    values: list[object] = []
    for row in rows:
        if row.at is not at:  # those of one batch share their moment
            at, adapted_at = row.at, adapted(row.at)
        detail = orjson.dumps(row.detail).decode()
        values += (*row[:4], adapted_at, detail, *row[6:])
    with connection.cursor() as cursor:
        cursor.execute(_insert_statement(len(rows)), values)


@lru_cache(maxsize=128)
def _insert_statement(count: int) -> str:
    one = "(" + ", ".join(["%s"] * len(EventRow._fields)) + ")"
    return (
        f"INSERT INTO sessions_app_sessionevent ({', '.join(EventRow._fields)}) "
        f"VALUES {', '.join([one] * count)}"
    )


def counts_of(session_ids: Sequence[int]) -> list[tuple[int, str, str, int]]:
    """(session id, of, label, count) of each label count of these sessions."""
    return _of_sessions(
        'SELECT session_id, "of", label, "count" FROM sessions_app_labelcount WHERE session_id IN ({})',
        session_ids,
    )


def devices_of(session_ids: Sequence[int]) -> list[tuple[int, str]]:
    """(session id, device key) of the devices of these sessions, by name."""
    return _of_sessions(
        "SELECT s.session_id, d.key FROM sessions_app_session_devices s "
        "JOIN devices_device d ON d.id = s.device_id WHERE s.session_id IN ({}) ORDER BY d.name, d.id",
        session_ids,
    )


def _of_sessions(statement: str, session_ids: Sequence[int]) -> list[tuple]:
    if not session_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement.format(", ".join(["%s"] * len(session_ids))), session_ids)
        return cursor.fetchall()
