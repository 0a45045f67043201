"""What the numbers of sessions, monitors and rigs ought to be, counted from the rows they stand for.

Each query is one statement, so it sees a number and its rows at the same moment: a server that records
meanwhile makes no false alarm.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from monitoring.models import Image, Monitor, MonitorDay, Rig, RigEvent, Tag
from sessions_app.models import FlowBucket, LabelCount, Session, SessionEvent, SessionMinute

LIVE, LATE, FRAME = "images_added", "late_image_added", "frame"
BIG = BigIntegerField()


def _number(rows: QuerySet, by: str, what) -> Coalesce:
    """One aggregate of `rows` per value of `by`, 0 where there are none."""
    grouped = rows.order_by().values(by).annotate(number=what).values("number")
    return Coalesce(Subquery(grouped, output_field=BIG), Value(0), output_field=BIG)


def _of_session(model) -> QuerySet:
    return model.objects.filter(session=OuterRef("pk"))


def _counted(rows: QuerySet, by: str = "session") -> Coalesce:
    """The sum of detail.count of these journal entries."""
    return _number(rows, by, Sum(Cast(KeyTextTransform("count", "detail"), BIG)))


def with_truth(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Sessions with `true_…` beside each of their numbers."""
    images, events = _of_session(Image), _of_session(SessionEvent)
    return sessions.annotate(
        true_image_count=_number(images.filter(deleted_at=None), "session", Count("pk")),
        all_images=_number(images, "session", Count("pk")),
        true_size_bytes=_number(images, "session", Sum("size_bytes")),
        entries=_number(events, "session", Count("pk")),
        true_last_seq=_number(events, "session", Max("seq")),
        live_items=_counted(events.filter(kind=LIVE)),
        late_items=_counted(events.filter(kind=LATE)),
        frames=_number(events.filter(kind=FRAME), "session", Count("pk")),
        flow_items=_number(_of_session(FlowBucket), "session", Sum("count")),
        minute_items=_number(_of_session(SessionMinute), "session", Sum("count")),
    )


def true_total(session: Session) -> int:
    """What the journal says was captured. A rig's total follows from its own events instead."""
    return session.live_items + session.late_items + session.frames


def label_differences(session_ids: Iterable[int]) -> dict[int, list[tuple[str, str, int, int]]]:
    """session pk -> (of, label, counted, real) of every label whose count is not the real one."""
    ids = list(session_ids)
    kept = Image.objects.filter(session__in=ids, deleted_at=None)
    boxes = Tag.objects.filter(image__session__in=ids, image__deleted_at=None)
    marked = kept.exclude(review="unreviewed")
    sides = [
        _side(LabelCount.objects.filter(session__in=ids), "session_id", F("of"), "counted", F("count")),
        _side(kept.exclude(label=""), "session_id", Value(LabelCount.IMAGE), "real", None),
        _side(boxes, "image__session_id", Value(LabelCount.BOX), "real", None),
        _side(marked, "session_id", Value(LabelCount.REVIEW), "real", None, "review"),
    ]
    numbers: dict[tuple, Counter] = defaultdict(Counter)
    for session_id, of, label, side, number in sides[0].union(*sides[1:], all=True):
        numbers[session_id, of, label][side] += number
    found: dict[int, list] = defaultdict(list)
    for (session_id, of, label), by_side in sorted(numbers.items()):
        if by_side["counted"] != by_side["real"]:
            found[session_id].append((of, label, by_side["counted"], by_side["real"]))
    return found


def _side(rows: QuerySet, session: str, of, side: str, number, label: str = "label") -> QuerySet:
    """(session, of, label, side, number) of one table, as one part of a union."""
    rows = rows.order_by().annotate(
        session_number=F(session), of_what=Cast(of, CharField()), label_text=F(label), side=Value(side)
    )
    rows = rows.values("session_number", "of_what", "label_text", "side")
    rows = rows.annotate(number=Count("pk") if number is None else Sum(number, output_field=IntegerField()))
    return rows.values_list("session_number", "of_what", "label_text", "side", "number")


def with_monitor_truth(monitors: QuerySet[Monitor]) -> QuerySet[Monitor]:
    """Monitors with what they ought to store and show. of_pictures: every session counts pictures alone."""
    images = Image.objects.filter(monitor=OuterRef("pk"))
    sessions = Session.objects.filter(monitor=OuterRef("pk"))
    return monitors.annotate(
        true_stored_bytes=_number(images, "monitor", Sum("size_bytes")),
        open_session_id=Subquery(sessions.open().values("pk")[:1]),
        day_items=_number(MonitorDay.objects.filter(monitor=OuterRef("pk")), "monitor", Sum("images")),
        session_items=_counted(
            SessionEvent.objects.filter(session__monitor=OuterRef("pk"), kind__in=[LIVE, LATE]),
            by="session__monitor",
        ),
        is_of_pictures=~Exists(sessions.exclude(kind="monitor")),
        shows_a_deleted=Exists(Image.objects.filter(pk=OuterRef("last_image")).exclude(deleted_at=None)),
        shows_a_foreign=Exists(
            Image.objects.filter(pk=OuterRef("last_image")).exclude(monitor=OuterRef("pk"))
        ),
        runs_a_foreign=Exists(
            Session.objects.filter(pk=OuterRef("current_session")).filter(
                ~Q(monitor=OuterRef("pk")) | Q(monitor=None)
            )
        ),
    )


def with_rig_truth(rigs: QuerySet[Rig]) -> QuerySet[Rig]:
    events = RigEvent.objects.filter(rig=OuterRef("pk"))
    return rigs.annotate(
        entries=_number(events, "rig", Count("pk")), true_last_seq=_number(events, "rig", Max("seq"))
    )
