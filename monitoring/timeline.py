"""A session's timeline: pictures and labels per bucket, gaps, what happened; any stretch of it, bounded."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db.models import F, Sum

from monitoring.density import Stretch, counts_in, label_counts_in
from monitoring.gaps import find_gaps
from monitoring.models import Image
from sessions_app.messages import event_json
from sessions_app.models import LabelCount, Session, SessionEvent, SessionMinute
from sessionsite.common import clock
from sessionsite.common.clock import EPOCH, iso
from sessionsite.common.errors import DomainError

BUCKETS_DEFAULT, BUCKETS_MAX = 240, 500
LABELS_MAX = 8
EVENTS_MAX = 200
EXACT_MAX = 200_000  # pictures that are counted one by one for buckets under a minute
SHORTEST = timedelta(seconds=1)
# Steps that people read, in seconds.
STEPS_S = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
    86400, 172800, 604800, 1209600, 2592000,
)  # fmt: skip
MINUTE_S = 60


class BadSpan(DomainError):
    code = "bad_span"


def span_of(session: Session, now: datetime | None = None) -> Stretch:
    """From the start to the stop, or to now; late pictures that came after the stop are inside."""
    end = session.stopped_at or now or clock.now()
    if session.stopped_at:
        newest = Image.objects.filter(session=session).newest_first()
        end = max(end, newest.values_list("received_at", flat=True).first() or end)
        end += timedelta(milliseconds=1)  # what came with the stop is inside
    return session.started_at, max(end, session.started_at + SHORTEST)


def step_for(span_s: float, buckets: int) -> float:
    """The shortest step of which at most `buckets` cover the span, one more for the grid."""
    for step_s in STEPS_S:
        if span_s / step_s <= buckets:
            return step_s
    return math.ceil(span_s / buckets / 86400) * 86400


def readable_step(session: Session, span_s: float, buckets: int) -> float:
    """As step_for, but long enough for some pictures per bucket where an interval is expected.

    At least forty buckets are left: who looks closely wants to see single pictures.
    """
    step_s = step_for(span_s, buckets)
    interval_s = session.monitor.expected_interval_s if session.monitor_id else None
    wanted_s = min(2 * (interval_s or 0), span_s / 40)
    return max([step_s, *(step for step in STEPS_S if step <= wanted_s)])


def timeline(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    buckets: int = BUCKETS_DEFAULT,
    now: datetime | None = None,
) -> dict:
    """Everything that the timeline of `session` shows of [start, end); by default of all of it.

    Needs the session's monitor selected. Buckets lie on a grid of their step since 1970, the first and last
    may reach out of the span. Raises BadSpan when end is not after start.
    """
    now = now or clock.now()
    whole = span_of(session, now)
    start, end = start or whole[0], end or whole[1]
    if end <= start:
        raise BadSpan("The end of the span is not after its begin.", field="to")
    step_s = readable_step(session, (end - start).total_seconds(), buckets)
    if step_s < MINUTE_S and captured_in(session, start, end) > EXACT_MAX:
        step_s = MINUTE_S
    stretches = grid(start, end, step_s)
    names = label_names(session)
    shown = names[:LABELS_MAX]
    counts = density(session, stretches, step_s)
    per_label = label_lines(session, names, stretches, counts, is_captured=step_s >= MINUTE_S)
    events = milestones(session, start, end)
    gaps = find_gaps(session, max(start, whole[0]), min(end, whole[1]))
    return {
        "session": session.key,
        "at": iso(now),
        "is_open": session.is_open,
        "span": {"from": iso(whole[0]), "to": iso(whole[1])},
        "from": iso(start),
        "to": iso(end),
        "first_bucket": iso(stretches[0][0]),
        "bucket_s": step_s,
        "counted": "received" if step_s < MINUTE_S else "captured",
        "counts": counts,
        "labels": [
            {"label": name, "total": total, "counts": counts}
            for (name, total), counts in zip(shown, per_label, strict=True)
        ],
        "other_labels": len(names) - len(shown),
        "expected_interval_s": gaps.expected_interval_s,
        "gaps": [gap.as_json() for gap in gaps.rows],
        "gap_count": gaps.count,
        "gap_total_s": round(gaps.total_s, 3),
        "shortest_gap_s": round(gaps.shortest_s, 3),
        "events": [event_json(event) for event in events[:EVENTS_MAX]],
        "more_events": len(events) > EVENTS_MAX,
    }


def grid(start: datetime, end: datetime, step_s: float) -> list[Stretch]:
    """Buckets of step_s on the grid since 1970 that cover [start, end)."""
    step = timedelta(seconds=step_s)
    first = EPOCH + (start - EPOCH) // step * step
    count = max(1, math.ceil((end - first) / step))
    return [(first + number * step, first + (number + 1) * step) for number in range(count)]


def density(session: Session, stretches: list[Stretch], step_s: float) -> list[int]:
    """Pictures per stretch: below a minute those that are still there, else what was captured."""
    if step_s < MINUTE_S:
        return counts_in(session.pk, stretches)
    first, step = _minute(stretches[0][0]), int(step_s) // MINUTE_S
    rows = SessionMinute.objects.filter(
        session=session, minute__gte=first, minute__lt=first + step * len(stretches)
    )
    numbered = rows.annotate(number=(F("minute") - first) / step).order_by()
    found = dict(numbered.values_list("number").annotate(total=Sum("count")))
    return [found.get(number, 0) for number in range(len(stretches))]


def label_lines(
    session: Session,
    names: list[tuple[str, int]],
    stretches: list[Stretch],
    counts: list[int],
    *,
    is_captured: bool,
) -> list[list[int]]:
    """For each label that is shown its kept pictures per stretch.

    The most frequent label of a very large session is what the others leave of all pictures, where nothing
    has been deleted or came late: the same numbers, without counting a million rows.
    """
    labels = [name for name, _ in names[:LABELS_MAX]]
    is_large = bool(names) and names[0][1] > EXACT_MAX and len(names) <= LABELS_MAX
    if not (is_large and is_captured and _is_whole(session)):
        return label_counts_in(session.pk, labels, stretches)
    *others, unlabelled = label_counts_in(session.pk, [*labels[1:], ""], stretches)
    taken = [sum(column) for column in zip(*others, unlabelled, strict=True)]
    return [[count - rest for count, rest in zip(counts, taken, strict=True)], *others]


def _is_whole(session: Session) -> bool:
    """Whether every picture that was captured is still there and in the minutes."""
    minutes = SessionMinute.objects.filter(session=session).aggregate(total=Sum("count"))["total"]
    return session.image_count == session.total_counter == minutes


def captured_in(session: Session, start: datetime, end: datetime) -> int:
    """How many pictures came in the minutes that [start, end) touches."""
    rows = SessionMinute.objects.filter(session=session, minute__gte=_minute(start), minute__lte=_minute(end))
    return rows.aggregate(total=Sum("count"))["total"] or 0


def label_names(session: Session) -> list[tuple[str, int]]:
    """(label, pictures that carry it), the most frequent first."""
    rows = LabelCount.objects.filter(session=session, of=LabelCount.IMAGE, count__gt=0)
    return list(rows.order_by("-count", "label").values_list("label", "count"))


def milestones(session: Session, start: datetime, end: datetime) -> list[SessionEvent]:
    """What the timeline marks, newest first: one more than EVENTS_MAX when there are more."""
    entries = SessionEvent.objects.for_messages().milestones().filter(session=session)
    return list(entries.filter(at__gte=start, at__lt=end).order_by("-seq")[: EVENTS_MAX + 1])


def _minute(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds()) // MINUTE_S
