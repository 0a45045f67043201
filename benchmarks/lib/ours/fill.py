"""Fills the database with a long history by bulk SQL, and tells addresses in it.

    python -m benchmarks.lib.ours.fill --sessions 100000 [--monitors 100]

Brings the number of sessions up to --sessions, each with ten pictures, two journal entries and its label
counts, every tenth picture with a box. Only what the models have is written: a column that this file does not
know gets its default. Prints the cursors of rows at several depths as JSON.
"""

from __future__ import annotations

import argparse
import json
import time

from django.db import connection, models, transaction
from django.utils import timezone

import benchmarks.lib.ours.ready  # noqa: F401 - before the models
from monitoring.models import Image, Monitor, Tag
from sessions_app.models import LabelCount, Session, SessionEvent
from sessionsite.accounts.models import Organisation
from sessionsite.common.api.pagination import AFTER, encode_cursor

IMAGES_EACH = 10
STEP_S = 60  # from session to session
FIRST_S = 1_500_000_000  # Unix seconds of the first one
CHUNK = 100_000
# The same sixty at every size, and the oldest: a list that has to search for them passes everything newer.
RARE = "n.i <= 600 AND n.i % 10 = 0"
DEPTHS = {"1 %": 0.01, "50 %": 0.5, "99 %": 0.99}

Expressions = dict[str, str]


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def text_of(number: str, digits: int) -> str:
    """SQL for `number` as text with leading zeros."""
    return f"lpad(({number})::text, {digits}, '0')" if is_postgresql() else f"printf('%0{digits}d', {number})"


def moment(seconds: str) -> str:
    """SQL for the moment at these Unix seconds, as the database keeps it."""
    return (
        f"to_timestamp({seconds})"
        if is_postgresql()
        else f"strftime('%Y-%m-%d %H:%M:%S', {seconds}, 'unixepoch')"
    )


def insert(model: type[models.Model], given: Expressions, first: int, last: int, where: str = "") -> None:
    """One row for each number n.i from `first` to `last`; given: column -> SQL expression in n.i."""
    for low in range(first, last + 1, CHUNK):
        high = min(low + CHUNK - 1, last)
        columns = {field.column: value_of(field, given) for field in model._meta.concrete_fields}
        columns = {name: value for name, value in columns.items() if value is not None}
        source = (
            f"generate_series({low}, {high}) AS n(i)"
            if is_postgresql()
            else f"(WITH RECURSIVE c(i) AS (VALUES({low}) UNION ALL SELECT i + 1 FROM c WHERE i < {high}) "
            "SELECT i FROM c) AS n"
        )
        statement = (
            f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) "
            f"SELECT {', '.join(columns.values())} FROM {source} {where}"
        )
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def value_of(field: models.Field, given: Expressions) -> str | None:
    """SQL for the column; None leaves the column to the database. ValueError: none is known."""
    if field.column in given:
        return given[field.column]
    if field.primary_key or field.has_db_default():
        return None
    if field.has_default() and not callable(field.default):
        return literal(field, field.default)
    if field.has_default() and field.default in (dict, list):
        return literal(field, field.default())
    if field.has_default() and field.default is timezone.now:
        return moment(str(FIRST_S))
    if field.null:
        return "NULL"
    if field.empty_strings_allowed:
        return "''"
    raise ValueError(f"no value for {field}")


def literal(field: models.Field, value) -> str:
    if isinstance(field, models.JSONField):
        return f"'{json.dumps(value)}'" + ("::jsonb" if is_postgresql() else "")
    if isinstance(value, bool):
        return str(value).upper() if is_postgresql() else str(int(value))
    return str(value) if isinstance(value, (int, float)) else f"'{value}'"


def fill(sessions: int, monitor_count: int) -> None:
    """There are `sessions` sessions, spread over the monitors; those that were there stay."""
    organisation = Organisation.objects.get(slug="default").pk
    first_monitor = make_monitors(organisation, monitor_count)
    have = Session.objects.count()
    if have >= sessions:
        return
    offset = (Session.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) - have
    spread = Spread(organisation, first_monitor, monitor_count, offset)
    fill_sessions(spread, have + 1, sessions)
    fill_images(spread, have * IMAGES_EACH + 1, sessions * IMAGES_EACH)
    if is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # what autovacuum does after such a load


def make_monitors(organisation: int, count: int) -> int:
    """The pk of the first of `count` monitors with pks in a row."""
    slugs = [f"line-{number:03}" for number in range(count)]
    if not Monitor.objects.filter(slug=slugs[0]).exists():
        Monitor.objects.bulk_create(Monitor(slug=s, name=s, organisation_id=organisation) for s in slugs)
    pks = list(Monitor.objects.filter(slug__in=slugs).order_by("pk").values_list("pk", flat=True))
    if pks != list(range(pks[0], pks[0] + count)):
        raise RuntimeError("the monitors' pks have gaps")
    return pks[0]


class Spread:
    """SQL of what a row belongs to: session number i is of monitor i modulo the number of monitors."""

    def __init__(self, organisation: int, first_monitor: int, monitors: int, offset: int) -> None:
        self.organisation = str(organisation)
        self._first_monitor, self._monitors, self._offset = first_monitor, monitors, offset

    def monitor(self, session: str) -> str:
        return f"{self._first_monitor} + ({session}) % {self._monitors}"

    def session_pk(self, session: str) -> str:
        """New pks go on from the greatest one, which a fill never leaves gaps behind."""
        return f"{self._offset} + ({session})"


def fill_sessions(spread: Spread, first: int, last: int) -> None:
    start = f"({FIRST_S} + n.i * {STEP_S})"
    insert(
        Session,
        {
            "id": spread.session_pk("n.i"),
            "key": f"'se_' || {text_of('n.i', 26)}",
            "organisation_id": spread.organisation,
            "name": f"'Batch ' || {text_of('n.i', 8)}",
            "monitor_id": spread.monitor("n.i"),
            "started_by": "'ann'",
            "started_at": moment(start),
            "stopped_at": moment(f"({start} + 50)"),
            "state": "'completed'",
            "end_reason": "'stopped'",
            "total_counter": str(IMAGES_EACH),
            "image_count": str(IMAGES_EACH),
            "last_seq": "2",
        },
        first,
        last,
    )
    for seq, kind in ((1, "started"), (2, "stopped")):
        given = {"session_id": spread.session_pk("n.i"), "organisation_id": spread.organisation,
                 "seq": str(seq), "kind": f"'{kind}'", "at": moment(start)}  # fmt: skip
        insert(SessionEvent, given, first, last)
    for label, count, where in (
        ("OK", 9, ""),
        ("DEFECT", 1, "WHERE n.i % 20 = 0"),
        ("rare", 1, f"WHERE {RARE}"),
    ):
        given = {
            "session_id": spread.session_pk("n.i"),
            "of": "'image'",
            "label": f"'{label}'",
            "count": str(count),
        }
        insert(LabelCount, quoted(LabelCount, given), first, last, where)
    follow_sequences(Session)


def quoted(model: type[models.Model], given: Expressions) -> Expressions:
    return {
        name: value
        for name, value in given.items()
        if name in {f.column for f in model._meta.concrete_fields}
    }


def fill_images(spread: Spread, first: int, last: int) -> None:
    session = f"((n.i - 1) / {IMAGES_EACH} + 1)"
    start = f"({FIRST_S} + n.i * {STEP_S} / {IMAGES_EACH})"
    label = f"CASE WHEN {RARE} THEN 'rare' WHEN n.i % 200 = 0 THEN 'DEFECT' ELSE 'OK' END"
    path = f"'default/2017/07/14/im_' || {text_of('n.i', 26)}"
    insert(
        Image,
        {
            "id": "n.i",
            "key": f"'im_' || {text_of('n.i', 26)}",
            "organisation_id": spread.organisation,
            "session_id": spread.session_pk(session),
            "monitor_id": spread.monitor(session),
            "file_path": f"{path} || '.jpg'",
            "thumbnail_path": f"{path} || '.thumb.webp'",
            "format": "'JPEG'",
            "size_bytes": "61000",
            "sha256": text_of("n.i", 64),
            "width": "640",
            "height": "480",
            "taken_at": moment(start),
            "received_at": moment(start),
            "name": f"'part-' || {text_of('n.i', 9)}",
            "label": label,
        },
        first,
        last,
    )
    box = {"x_frac": "0.1", "y_frac": "0.2", "w_frac": "0.3", "h_frac": "0.4"}
    given = {**box, "key": f"'tg_' || {text_of('n.i', 26)}", "image_id": f"n.i * {IMAGES_EACH}",
             "label": f"CASE WHEN {RARE} THEN 'rare-box' ELSE 'scratch' END"}  # fmt: skip
    insert(Tag, given, (first - 1) // IMAGES_EACH + 1, last // IMAGES_EACH)
    follow_sequences(Image)


def follow_sequences(model: type[models.Model]) -> None:
    """PostgreSQL numbers the next row after those that were given a pk."""
    if is_postgresql():
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")


def addresses() -> dict[str, str]:
    """name -> cursor of the row at that depth, in the order of the list, of sessions and of pictures."""
    found = {}
    for name, model, column in (("sessions", Session, "started_at"), ("images", Image, "received_at")):
        newest = model.objects.order_by("-pk").values_list("pk", flat=True).first()
        for depth, fraction in DEPTHS.items():
            rows = model.objects.filter(pk__lte=newest - int(newest * fraction)).order_by("-pk")
            row = rows.first() or model.objects.order_by("pk").first()
            found[f"{name} {depth}"] = encode_cursor(AFTER, [getattr(row, column).isoformat(), row.pk])
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--monitors", type=int, default=100)
    options = parser.parse_args()
    began = time.monotonic()
    fill(options.sessions, options.monitors)
    middle = Session.objects.order_by("pk")[Session.objects.count() // 2]
    print(
        json.dumps(
            {
                "took_s": round(time.monotonic() - began, 1),
                "sessions": Session.objects.count(),
                "images": Image.objects.count(),
                "cursors": addresses(),
                "session": middle.key,
                "monitor": middle.monitor.slug,
            }
        )
    )


if __name__ == "__main__":
    main()
