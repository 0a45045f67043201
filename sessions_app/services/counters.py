"""Counters of a session: pictures and boxes per label, items per second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from django.db import connection

from sessions_app.models import FlowBucket, LabelCount

FLOW_KEPT_S = 2 * 3600  # the rate chart looks one hour back


def count_labels(session_id: int | None, of: str, changes: Mapping[str, int]) -> None:
    """Each label's count moves by its number, in the caller's transaction.

    Without a session, or for the empty label, nothing is counted.
    """
    rows = [(session_id, of, label, by) for label, by in sorted(changes.items()) if label and by]
    if session_id is None or not rows:
        return
    # An upsert that adds: the ORM's update_conflicts can only replace.
    with connection.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO sessions_app_labelcount (session_id, "of", label, count) VALUES (%s, %s, %s, %s) '
            'ON CONFLICT (session_id, "of", label) '
            "DO UPDATE SET count = sessions_app_labelcount.count + excluded.count",
            rows,
        )


def count_flow(session_id: int, per_second: Mapping[int, int]) -> None:
    """The buckets of these Unix seconds, and their minutes, hold so many items more.

    In the caller's transaction. Seconds are forgotten after two hours, minutes stay with the session.
    """
    per_minute: Counter[int] = Counter()
    for second, count in per_second.items():
        per_minute[second // 60] += count
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sessions_app_flowbucket (session_id, second, count) VALUES (%s, %s, %s) "
            "ON CONFLICT (session_id, second) "
            "DO UPDATE SET count = sessions_app_flowbucket.count + excluded.count",
            [(session_id, second, count) for second, count in sorted(per_second.items())],
        )
        cursor.executemany(
            "INSERT INTO sessions_app_sessionminute (session_id, minute, count) VALUES (%s, %s, %s) "
            "ON CONFLICT (session_id, minute) "
            "DO UPDATE SET count = sessions_app_sessionminute.count + excluded.count",
            [(session_id, minute, count) for minute, count in sorted(per_minute.items())],
        )


def flow_counts(session_id: int, *, after: int, upto: int) -> dict[int, int]:
    """Items per Unix second in (after, upto]."""
    rows = FlowBucket.objects.filter(session_id=session_id, second__gt=after, second__lte=upto)
    return dict(rows.values_list("second", "count"))


def forget_old_flow(now_s: int, *, limit: int = 5000) -> int:
    """Buckets older than two hours are gone, `limit` at most; returns how many."""
    old = (
        FlowBucket.objects.filter(second__lt=now_s - FLOW_KEPT_S)
        .order_by("second")
        .values_list("pk", flat=True)
    )
    return FlowBucket.objects.filter(pk__in=list(old[:limit])).delete()[0]


def labels_of(session_id: int, of: str) -> dict[str, int]:
    rows = LabelCount.objects.filter(session_id=session_id, of=of, count__gt=0).order_by("-count", "label")
    return dict(rows.values_list("label", "count"))
