"""The statements behind appends to the journal, and behind pages of sessions, in raw SQL for both databases.

What appends runs inside the caller's transaction. Times are aware UTC datetimes. What a page reads takes a
tenth of the time that it takes to put the same question together anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
from django.db import connection


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
    one = "(" + ", ".join(["%s"] * len(EventRow._fields)) + ")"
    adapted = connection.ops.adapt_datetimefield_value
    values: list[object] = []
    for row in rows:
        values += row._replace(at=adapted(row.at), detail=orjson.dumps(row.detail).decode())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO sessions_app_sessionevent ({', '.join(EventRow._fields)}) "
            f"VALUES {', '.join([one] * len(rows))}",
            values,
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
