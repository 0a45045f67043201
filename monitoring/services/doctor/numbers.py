"""Counters, journals and pointers against the rows they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from monitoring.models import Image, Monitor, Rig
from monitoring.services.doctor import truth
from monitoring.services.doctor.examination import Examination
from monitoring.services.doctor.faults import Fault
from sessions_app.models import Session
from sessions_app.services.counters import FLOW_KEPT_S
from sessions_app.states import OPEN, TERMINAL, Kind

SESSIONS_AT_ONCE = 100
MONITORS_AT_ONCE = 50


def check_sessions(seen: Examination) -> Iterator[Fault]:
    """Totals, sums, journal numbers, labels and rates of every session are those of its rows."""
    after = 0
    while rows := list(_next(truth.with_truth(Session.objects.all()), after, SESSIONS_AT_ONCE)):
        labels = truth.label_differences(session.pk for session in rows)
        for session in rows:
            yield from faults_of_session(session)
            if differences := labels.get(session.pk):
                shown = ", ".join(
                    f"{of} {label!r}: {counted}, not {real}" for of, label, counted, real in differences[:5]
                )
                yield Fault("wrong_labels", session.key, shown, pk=session.pk)
        seen.sessions += len(rows)
        seen.tell(f"{seen.sessions:,} sessions")
        after = rows[-1].pk


def _next(rows, after: int, count: int):
    return rows.filter(pk__gt=after).order_by("pk")[:count]


def faults_of_session(session: Session) -> Iterator[Fault]:
    """session: with its truth."""

    def fault(kind: str, text: str) -> Fault:
        return Fault(kind, session.key, text, pk=session.pk)

    for name, counted, real in wrong_numbers(session):
        yield fault("wrong_counter", f"{name} is {counted:,}, not {real:,}")
    if session.last_seq != session.true_last_seq:
        yield fault("wrong_last_seq", f"last_seq is {session.last_seq:,}, not {session.true_last_seq:,}")
    if missing := session.true_last_seq - session.entries:
        yield fault("journal_gap", f"{missing:,} of {session.true_last_seq:,} entries are missing")
    if has_wrong_rates(session):
        text = f"{session.flow_items:,} in seconds, {session.minute_items:,} in minutes, "
        yield fault("wrong_buckets", f"{text}{session.live_items:,} came")
    if (session.state in TERMINAL) == (session.stopped_at is None) and session.state in {*TERMINAL, *OPEN}:
        yield fault("wrong_times", f"{session.state} with stopped_at {session.stopped_at}")


def wrong_numbers(session: Session) -> list[tuple[str, int, int]]:
    """(name, as counted, real) of the sums that are not right."""
    numbers = [
        ("image_count", session.image_count, session.true_image_count),
        ("size_bytes", session.size_bytes, session.true_size_bytes),
    ]
    if session.kind != Kind.RIG:
        numbers.append(("total_counter", session.total_counter, truth.true_total(session)))
    return [(name, counted, real) for name, counted, real in numbers if counted != real]


def has_wrong_rates(session: Session) -> bool:
    """Whether seconds or minutes do not add up to what came while the session ran."""
    return has_wrong_seconds(session) or has_wrong_minutes(session)


def has_wrong_seconds(session: Session) -> bool:
    """They are forgotten after two hours: only of a younger session do they hold everything."""
    is_young = session.started_at > timezone.now() - timedelta(seconds=FLOW_KEPT_S)
    if is_young and session.all_images == session.live_items + session.late_items:
        return session.flow_items != session.live_items
    return session.flow_items > session.live_items


def has_wrong_minutes(session: Session) -> bool:
    """Judged where every picture is still there and none came late: those of older versions count these."""
    is_all_there = session.all_images == session.live_items and not session.late_items
    return is_all_there and session.minute_items != session.live_items


def check_monitors(seen: Examination) -> Iterator[Fault]:
    """What monitors store and show is what their pictures and sessions say."""
    after = 0
    while rows := list(_next(truth.with_monitor_truth(Monitor.objects.all()), after, MONITORS_AT_ONCE)):
        for monitor in rows:
            yield from _faults_of_monitor(monitor)
        seen.monitors += len(rows)
        seen.tell(f"{seen.monitors:,} monitors")
        after = rows[-1].pk


def _faults_of_monitor(monitor: Monitor) -> Iterator[Fault]:
    def fault(kind: str, text: str) -> Fault:
        return Fault(kind, monitor.slug, text, pk=monitor.pk)

    if monitor.stored_bytes != monitor.true_stored_bytes:
        text = f"stored_bytes is {monitor.stored_bytes:,}, not {monitor.true_stored_bytes:,}"
        yield fault("wrong_counter", text)
    if monitor.is_of_pictures and monitor.day_items != monitor.session_items:
        text = f"{monitor.day_items:,} pictures in the calendar, {monitor.session_items:,} in the journals"
        yield fault("wrong_days", text)
    if wrong := wrong_pointers(monitor):
        yield fault("wrong_pointer", ", ".join(wrong))


def wrong_pointers(monitor: Monitor) -> list[str]:
    """monitor: with its truth."""
    wrong = []
    if monitor.shows_a_deleted or monitor.shows_a_foreign:
        wrong.append("last_image")
    is_other = monitor.open_session_id not in (None, monitor.current_session_id)
    if monitor.runs_a_foreign or is_other:
        wrong.append("current_session")
    return wrong


def check_rigs(seen: Examination) -> Iterator[Fault]:
    """The journals of rigs have no gaps."""
    for rig in truth.with_rig_truth(Rig.objects.select_related("monitor")).order_by("pk"):
        seen.rigs += 1
        if rig.last_seq != rig.true_last_seq:
            text = f"the rig's last_seq is {rig.last_seq:,}, not {rig.true_last_seq:,}"
            yield Fault("wrong_last_seq", rig.slug, text, pk=rig.pk)
        if missing := rig.true_last_seq - rig.entries:
            yield Fault("journal_gap", rig.slug, f"{missing:,} events of the rig are missing", pk=rig.pk)


def check_owners(seen: Examination) -> Iterator[Fault]:
    """Pictures, sessions and monitors that belong together belong to one organisation."""
    mixed = ~Q(organisation=F("session__organisation")) & Q(session__isnull=False)
    mixed |= ~Q(organisation=F("monitor__organisation")) & Q(monitor__isnull=False)
    mixed |= ~Q(organisation=F("dataset__organisation")) & Q(dataset__isnull=False)
    for pk, key in Image.objects.filter(mixed).order_by("pk").values_list("pk", "key").iterator():
        yield Fault("wrong_owner", key, "its session, monitor or dataset is another organisation's", pk=pk)
    theirs = Session.objects.filter(monitor__isnull=False).exclude(organisation=F("monitor__organisation"))
    for pk, key in theirs.order_by("pk").values_list("pk", "key"):
        yield Fault("wrong_owner", key, "its monitor is another organisation's", pk=pk)
