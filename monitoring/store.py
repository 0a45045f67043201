"""The statements behind the ingest of pictures, and behind pages of them, in raw SQL for both databases.

What writes runs inside the caller's transaction. Times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from django.db import connection

from sessions_app.querysets import OPEN_SQL
from sessions_app.states import ACCEPTING


class ImageRow(NamedTuple):
    """One row of monitoring_image, in the order of IMAGE_COLUMNS."""

    key: str
    organisation_id: int
    session_id: int | None
    monitor_id: int | None
    dataset_id: int | None
    file_path: str
    thumbnail_path: str
    format: str
    size_bytes: int
    sha256: str
    width: int
    height: int
    taken_at: datetime
    received_at: datetime
    name: str
    label: str
    author: str
    idempotency_key: str | None


IMAGE_COLUMNS = ImageRow._fields
_CONSTANT_COLUMNS = {"split": "''", "review": "'unreviewed'", "revision": "1"}  # in SQL
_TIMES = IMAGE_COLUMNS.index("taken_at"), IMAGE_COLUMNS.index("received_at") + 1
_ACCEPTING = ", ".join(f"'{state.value}'" for state in ACCEPTING)


def _adapted(moment: datetime):
    return connection.ops.adapt_datetimefield_value(moment)


def insert_images(rows: Sequence[ImageRow]) -> dict[str, int]:
    """Insert what is new; returns key -> pk of the rows really inserted. A repeat is left out, no error."""
    first, end = _TIMES
    adapted = connection.ops.adapt_datetimefield_value  # each way to `connection` asks which thread this is
    values: list[object] = []
    for row in rows:
        values += (*row[:first], *map(adapted, row[first:end]), *row[end:])
    with connection.cursor() as cursor:
        cursor.execute(_insert_statement(len(rows)), values)
        return dict(cursor.fetchall())


@lru_cache(maxsize=128)
def _insert_statement(count: int) -> str:
    names = ", ".join((*IMAGE_COLUMNS, *_CONSTANT_COLUMNS))
    one = "(" + ", ".join(["%s"] * len(IMAGE_COLUMNS) + list(_CONSTANT_COLUMNS.values())) + ")"
    return (
        f"INSERT INTO monitoring_image ({names}) VALUES {', '.join([one] * count)} "
        "ON CONFLICT DO NOTHING RETURNING key, id"
    )


def count_images(
    session_id: int, *, count: int, size_bytes: int, now: datetime, late: bool
) -> tuple[int, int] | None:
    """The session holds `count` pictures more; returns its new (revision, last_seq), None when it takes none.

    One journal number is taken. late: the session need not be open, its last_item_at stays.
    """
    guard = "" if late else f" AND state IN ({_ACCEPTING})"
    item = "" if late else ", last_item_at = %s"
    values = [count, count, size_bytes, *([] if late else [_adapted(now)]), session_id]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sessions_app_session SET total_counter = total_counter + %s, "
            "image_count = image_count + %s, "
            f"size_bytes = size_bytes + %s, revision = revision + 1, last_seq = last_seq + 1{item} "
            f"WHERE id = %s{guard} RETURNING revision, last_seq",
            values,
        )
        return cursor.fetchone()


def _select(query: str, values: Iterable) -> list[tuple]:
    """Rows of a query whose one `IN (*)` takes `values`; no query for none."""
    values = list(values)
    if not values:
        return []
    with connection.cursor() as cursor:
        cursor.execute(query.replace("*", ", ".join(["%s"] * len(values))), values)
        return cursor.fetchall()


class MonitorNow(NamedTuple):
    """room_bytes: what it may still keep, None without a quota. session: (pk, key) of what takes pictures."""

    room_bytes: int | None
    session: tuple[int, str] | None


def monitors_now(monitor_ids: Iterable[int]) -> dict[int, MonitorNow]:
    """monitor pk -> what decides about a picture for it."""
    rows = _select(
        "SELECT m.id, m.quota_bytes - m.stored_bytes, s.id, s.key FROM monitoring_monitor m "
        f"LEFT JOIN sessions_app_session s ON s.monitor_id = m.id AND s.state {OPEN_SQL} "
        f"AND s.state IN ({_ACCEPTING}) WHERE m.id IN (*)",
        monitor_ids,
    )
    return {
        monitor_id: MonitorNow(room_bytes, None if pk is None else (pk, key))
        for monitor_id, room_bytes, pk, key in rows
    }


def session_keys(session_ids: Iterable[int]) -> dict[int, str]:
    return dict(_select("SELECT id, key FROM sessions_app_session WHERE id IN (*)", session_ids))


def newest_session(monitor_id: int | None) -> int | None:
    """The pk of the monitor's newest session, open or not."""
    rows = _select("SELECT current_session_id FROM monitoring_monitor WHERE id IN (*)", [monitor_id])
    return rows[0][0] if rows else None


def uncount_images(session_id: int, *, count: int, size_bytes: int, number_too: bool) -> None:
    """Take back what count_images counted for rows that turned out to be repeats."""
    number = ", last_seq = last_seq - 1" if number_too else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sessions_app_session SET total_counter = total_counter - %s, "
            "image_count = image_count - %s, "
            f"size_bytes = size_bytes - %s{number} WHERE id = %s",
            [count, count, size_bytes, session_id],
        )


def note_monitor(
    monitor_id: int,
    *,
    last_image_id: int | None,
    size_bytes: int,
    previous_at: datetime | None,
    now: datetime,
) -> tuple[str, int]:
    """The monitor keeps `size_bytes` more and shows its newest picture (None: a late one, not shown).

    previous_at: when the batch's last picture but one came; None: whatever came last before.
    Returns its slug and new revision.
    """
    shown, values = "", [size_bytes]
    if last_image_id is not None:
        previous = "last_item_at" if previous_at is None else "%s"
        shown = f", last_image_id = %s, previous_item_at = {previous}, last_item_at = %s"
        values += [last_image_id, *([] if previous_at is None else [_adapted(previous_at)]), _adapted(now)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE monitoring_monitor SET stored_bytes = stored_bytes + %s, revision = revision + 1{shown} "
            "WHERE id = %s RETURNING slug, revision",
            [*values, monitor_id],
        )
        return cursor.fetchone()


def count_day(monitor_id: int, day: date, *, images: int, size_bytes: int) -> None:
    """The monitor's UTC day holds so many pictures and bytes more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitoring_monitorday (monitor_id, day, images, size_bytes) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (monitor_id, day) DO UPDATE SET "
            "images = monitoring_monitorday.images + excluded.images, "
            "size_bytes = monitoring_monitorday.size_bytes + excluded.size_bytes",
            [monitor_id, day, images, size_bytes],
        )


def dataset_ids(organisation_id: int, keys: Sequence[str], now: datetime) -> dict[str, int]:
    """key -> pk of these datasets of the organisation; one that is unknown is made, named by its key."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO monitoring_dataset (organisation_id, key, name, type, created_at) "
            "VALUES (%s, %s, %s, '', %s) ON CONFLICT DO NOTHING",
            [(organisation_id, key, key, _adapted(now)) for key in sorted(set(keys))],
        )
        marks = ", ".join(["%s"] * len(keys))
        cursor.execute(
            f"SELECT key, id FROM monitoring_dataset WHERE organisation_id = %s AND key IN ({marks})",
            [organisation_id, *keys],
        )
        return dict(cursor.fetchall())


def boxes_of(image_ids: Sequence[int]) -> list[tuple]:
    """(image id, *messages.TAG_COLUMNS) of the boxes on these pictures, in the order of their making."""
    if not image_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT image_id, key, label, x_frac, y_frac, w_frac, h_frac, author, source, revision, "
            f"updated_at FROM monitoring_tag WHERE image_id IN ({', '.join(['%s'] * len(image_ids))}) "
            "ORDER BY id",
            image_ids,
        )
        return [(*row, _aware(at)) for *row, at in cursor.fetchall()]


def _aware(moment: datetime) -> datetime:
    """SQLite keeps times in UTC and does not say so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
