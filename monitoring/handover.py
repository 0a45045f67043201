"""The hand-over of a shift: what a session brought, where it was silent, what is doubtful, who did what.

One function makes the data for the page, the print and JSON. Bounded whatever the session holds: figures come
from counters and indexes, lists are cut and say so.
"""

from __future__ import annotations

from django.db.models import Count
from django.db.models.fields.json import KT

from monitoring.gaps import find_gaps
from monitoring.messages import image_json
from monitoring.models import Image
from monitoring.timeline import density, grid, readable_step, span_of
from sessions_app.messages import event_json, session_json
from sessions_app.models import Session, SessionEvent
from sessionsite.common import clock
from sessionsite.common.clock import iso

BUCKETS = 96
DOUBTFUL_MAX = 60
GAPS_SHOWN = 30
EVENTS_MAX = 100
PEOPLE_MAX = 50
ACTS_READ = 50_000  # journal entries that "who did what" is counted from
REVIEWS = ("accepted", "rejected", "doubtful", "unreviewed")


def handover(session: Session, *, now=None) -> dict:
    """The report of `session`, which is a row of `Session.objects.for_messages()`."""
    now = now or clock.now()
    start, end = span_of(session, now)
    told = session_json(session)
    end = min(end, session.stopped_at or end)
    lasted_s = max((end - start).total_seconds(), 0.001)
    return {
        "session": told,
        "at": iso(now),
        "is_open": session.is_open,
        "from": iso(start),
        "to": iso(end),
        "duration_s": round(lasted_s, 3),
        "counts": _counts(session, lasted_s),
        "rate": _rate(session, start, end, lasted_s),
        "gaps": _gaps(session, start, end, lasted_s),
        "labels": {"pictures": told["labels"], "boxes": told["tag_counts"]},
        "reviews": reviews(session),
        "doubtful": doubtful(session),
        "events": _events(session),
        "people": who_did_what(session),
        "notes": {"text": told["notes"], "by": told["notes_by"], "at": told["notes_at"]},
    }


def _counts(session: Session, lasted_s: float) -> dict:
    late = 0
    if session.stopped_at:
        late = Image.objects.filter(session=session, received_at__gt=session.stopped_at).count()
    return {
        "captured": session.total_counter,
        "kept": session.image_count,
        "gone": session.total_counter - session.image_count,
        "late": late,
        "size_bytes": session.size_bytes,
        "per_minute": round(60 * session.total_counter / lasted_s, 2),
    }


def _rate(session: Session, start, end, lasted_s: float) -> dict:
    """Pictures per step over the whole session; the step is one that people read."""
    step_s = readable_step(session, lasted_s, BUCKETS)
    if lasted_s > 600:
        step_s = max(60, step_s)  # from the minutes, which outlive the pictures
    stretches = grid(start, end, step_s)
    counts = density(session, stretches, step_s)
    busiest = max(range(len(counts)), key=counts.__getitem__)
    return {
        "bucket_s": step_s,
        "first_bucket": iso(stretches[0][0]),
        "counts": counts,
        "busiest": {"from": iso(stretches[busiest][0]), "count": counts[busiest]},
    }


def _gaps(session: Session, start, end, lasted_s: float) -> dict:
    found = find_gaps(session, start, end)
    due = int(lasted_s / found.expected_interval_s) if found.expected_interval_s else None
    longest = sorted(found.rows, key=lambda gap: -gap.lasted_s)[:GAPS_SHOWN]
    return {
        "expected_interval_s": found.expected_interval_s,
        "shortest_s": round(found.shortest_s, 3),
        "count": found.count,
        "total_s": round(found.total_s, 3),
        "running_frac": round(max(0.0, 1 - found.total_s / lasted_s), 4),
        "expected_pictures": due,
        "longest": [gap.as_json() for gap in sorted(longest, key=lambda gap: gap.start)],
    }


def reviews(session: Session) -> dict[str, int]:
    """Kept pictures per review mark."""
    rows = Image.objects.reviewed().filter(session=session).order_by().values_list("review")
    found = dict(rows.annotate(count=Count("pk")))
    settled = {word: found.get(word, 0) for word in REVIEWS if word != "unreviewed"}
    return settled | {"unreviewed": max(0, session.image_count - sum(settled.values()))}


def doubtful(session: Session) -> dict:
    """The newest pictures that somebody marked doubtful, with their number."""
    marked = Image.objects.for_messages().reviewed().filter(session=session, review="doubtful")
    rows = list(marked.newest_first()[:DOUBTFUL_MAX])
    return {"count": marked.count(), "images": [image_json(image) for image in rows]}


def _events(session: Session) -> dict:
    """What happened, oldest first; of very many the newest."""
    entries = SessionEvent.objects.for_messages().milestones().filter(session=session)
    rows = list(entries.order_by("-seq")[: EVENTS_MAX + 1])
    return {
        "more": len(rows) > EVENTS_MAX,
        "entries": [
            event_json(event) for event in sorted(rows[:EVENTS_MAX], key=lambda row: (row.at, row.seq))
        ],
    }


def who_did_what(session: Session) -> dict:
    """Per person or device the acts that the journal names them for."""
    notable = SessionEvent.objects.notable().filter(session=session)
    # In the order of the index: the edits of boxes, which may be very many, come last and are cut.
    read = notable.order_by("kind", "seq").values("pk")[:ACTS_READ]
    named = SessionEvent.objects.filter(pk__in=read).order_by().annotate(who=KT("detail__by"))
    rows = list(named.values_list("who", "kind").annotate(times=Count("pk")))
    people: dict[str, dict[str, int]] = {}
    for who, kind, times in rows:
        if who:
            people.setdefault(who, {})[kind] = times
    ranked = sorted(people.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))
    return {
        "more": len(ranked) > PEOPLE_MAX,
        "is_part": sum(times for _, _, times in rows) == ACTS_READ,
        "entries": [
            {"by": who, "acts": dict(sorted(acts.items(), key=lambda act: (-act[1], act[0])))}
            for who, acts in ranked[:PEOPLE_MAX]
        ],
    }
