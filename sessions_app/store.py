"""The statements behind appends to the journal, in raw SQL that is the same on both databases.

Everything here runs inside the caller's transaction. Times are aware UTC datetimes.
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
