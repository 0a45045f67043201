"""Sessions side by side, aligned from their starts: rate, gaps, totals, labels, ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from monitoring.density import Stretch
from monitoring.gaps import Gaps, find_gaps
from monitoring.timeline import density, grid, span_of, step_for
from sessions_app.messages import session_json
from sessions_app.models import Session
from sessionsite.common import clock
from sessionsite.common.access import Caller
from sessionsite.common.clock import iso
from sessionsite.common.errors import DomainError, Missing

LEAST, MOST = 2, 4
BUCKETS = 240
GAPS_SHOWN = 100
MINUTE = timedelta(minutes=1)


class BadComparison(DomainError):
    code = "bad_comparison"


def sessions_to_compare(caller: Caller, keys: Sequence[str]) -> list[Session]:
    """The sessions of these keys, in their order.

    Raises BadComparison unless they are two to four different ones, Missing for one that is not the caller's.
    """
    if not LEAST <= len(keys) <= MOST or len(set(keys)) < len(keys):
        raise BadComparison(f"Name {LEAST} to {MOST} different sessions.", field="s")
    rows = Session.objects.visible_to(caller).for_messages().filter(key__in=keys)
    found = {row.key: row for row in rows}
    if len(found) < len(keys):
        raise Missing("There is no such session, or it is not yours.")
    return [found[key] for key in keys]


def compare(sessions: Sequence[Session], *, now: datetime | None = None) -> dict:
    """Rows of `Session.objects.for_messages()` side by side; buckets of one step, the first at each start."""
    now = now or clock.now()
    spans = [_span(session, now) for session in sessions]
    longest_s = max((end - start).total_seconds() for start, end in spans)
    step_s = step_for(longest_s, BUCKETS)
    columns = [_column(session, span, step_s) for session, span in zip(sessions, spans, strict=True)]
    return {
        "at": iso(now),
        "bucket_s": step_s,
        "longest_s": round(longest_s, 3),
        "sessions": columns,
        "labels": _labels(columns, "labels"),
        "tags": _labels(columns, "tag_counts"),
    }


def _span(session: Session, now: datetime) -> Stretch:
    start, end = span_of(session, now)
    return start, min(end, session.stopped_at or end)


def _column(session: Session, span: Stretch, step_s: float) -> dict:
    start, end = span
    lasted_s = max((end - start).total_seconds(), 0.001)
    return {
        "session": session_json(session),
        "duration_s": round(lasted_s, 3),
        "per_minute": round(60 * session.total_counter / lasted_s, 2),
        "counts": _aligned_counts(session, start, end, step_s),
        "gaps": _gaps(find_gaps(session, start, end), start, lasted_s),
    }


def _aligned_counts(session: Session, start: datetime, end: datetime, step_s: float) -> list[int]:
    """Pictures per bucket from the start on; with buckets of minutes from the minute that holds it."""
    step = timedelta(seconds=step_s)
    if step >= MINUTE:
        start = grid(start, end, 60)[0][0]
    count = max(1, -((start - end) // step))
    stretches = [(start + number * step, start + (number + 1) * step) for number in range(count)]
    return density(session, stretches, step_s)


def _gaps(found: Gaps, start: datetime, lasted_s: float) -> dict:
    longest = sorted(found.rows, key=lambda gap: -gap.lasted_s)[:GAPS_SHOWN]
    return {
        "count": found.count,
        "total_s": round(found.total_s, 3),
        "running_frac": round(max(0.0, 1 - found.total_s / lasted_s), 4),
        "shortest_s": round(found.shortest_s, 3),
        "expected_interval_s": found.expected_interval_s,
        "longest": [
            {
                "after_s": round((gap.start - start).total_seconds(), 3),
                "lasted_s": round(gap.lasted_s, 3),
                "cause": gap.cause,
            }
            for gap in sorted(longest, key=lambda gap: gap.start)
        ],
    }


def _labels(columns: list[dict], name: str) -> list[dict]:
    """Each label with its count in every session, the most frequent first."""
    counts = [column["session"][name] for column in columns]
    every = {label for per_label in counts for label in per_label}
    rows = [{"label": label, "counts": [per_label.get(label, 0) for per_label in counts]} for label in every]
    return sorted(rows, key=lambda row: (-sum(row["counts"]), row["label"]))
