"""How many pictures lie in each stretch of a session, and which are empty: one query each, by index.

Raw SQL that is the same on both databases but for how a list of stretches is read from JSON. A stretch is
(from, to), to excluded; pictures are placed by the server's time of their arrival.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from django.db import connection

Stretch = tuple[datetime, datetime]
IMAGES = "monitoring_image"


def _is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def _stretches() -> tuple[str, str, str]:
    """SQL of the stretches as rows with a number from 0, and of the begin and end of one."""
    if _is_postgresql():
        rows = "(SELECT o - 1 AS n, v FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS e(v, o)) AS s"
        return rows, "(s.v->>0)::timestamptz", "(s.v->>1)::timestamptz"
    rows = "(SELECT key AS n, value AS v FROM json_each(%s)) AS s"
    return rows, "json_extract(s.v, '$[0]')", "json_extract(s.v, '$[1]')"


def _json(stretches: Sequence[Stretch]) -> str:
    """Moments as the database compares them: SQLite keeps them as text."""
    adapt = connection.ops.adapt_datetimefield_value
    return orjson.dumps([[str(adapt(start)), str(adapt(end))] for start, end in stretches]).decode()


def counts_in(session_id: int, stretches: Sequence[Stretch]) -> list[int]:
    """Pictures that arrived in each stretch, deleted ones included."""
    rows, start, end = _stretches()
    inside = f"i.session_id = %s AND i.received_at >= {start} AND i.received_at < {end}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.n, (SELECT COUNT(*) FROM {IMAGES} i WHERE {inside}) FROM {rows}",
            [session_id, _json(stretches)],
        )
        return _by_number(cursor.fetchall(), len(stretches))


def label_counts_in(session_id: int, labels: Sequence[str], stretches: Sequence[Stretch]) -> list[list[int]]:
    """For each label the pictures that carry it now in each stretch, without deleted ones."""
    rows, start, end = _stretches()
    inside = (
        f"i.session_id = %s AND i.label = %s AND i.deleted_at IS NULL "
        f"AND i.received_at >= {start} AND i.received_at < {end}"
    )
    found = []
    with connection.cursor() as cursor:
        for label in labels:
            cursor.execute(
                f"SELECT s.n, (SELECT COUNT(*) FROM {IMAGES} i WHERE {inside}) FROM {rows}",
                [session_id, label, _json(stretches)],
            )
            found.append(_by_number(cursor.fetchall(), len(stretches)))
    return found


def empty_of(session_id: int, stretches: Sequence[Stretch]) -> list[int]:
    """The numbers, in order, of the stretches in which no picture arrived."""
    rows, start, end = _stretches()
    inside = f"i.session_id = %s AND i.received_at >= {start} AND i.received_at < {end}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.n FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM {IMAGES} i WHERE {inside}) ORDER BY s.n",
            [_json(stretches), session_id],
        )
        return [int(number) for (number,) in cursor.fetchall()]


def edges_of(
    session_id: int, stretches: Sequence[Stretch], *, within: Stretch
) -> list[tuple[datetime | None, datetime | None]]:
    """For each stretch the last arrival before it and the first after it, None where `within` has none."""
    rows, start, end = _stretches()
    arrivals = f"FROM {IMAGES} i WHERE i.session_id = %s AND i.received_at"
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        before = f"SELECT MAX(i.received_at) {arrivals} < {start} AND i.received_at >= %s"
        after = f"SELECT MIN(i.received_at) {arrivals} >= {end} AND i.received_at < %s"
        cursor.execute(
            f"SELECT s.n, ({before}), ({after}) FROM {rows} ORDER BY s.n",
            [session_id, adapt(within[0]), session_id, adapt(within[1]), _json(stretches)],
        )
        return [(_moment(before), _moment(after)) for _, before, after in cursor.fetchall()]


def _moment(value) -> datetime | None:
    """A time as a cursor gives it: SQLite gives the text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value and (value if value.tzinfo else value.replace(tzinfo=UTC))


def _by_number(rows: list[tuple[int, int]], count: int) -> list[int]:
    found = dict(rows)
    return [found.get(number, 0) for number in range(count)]
