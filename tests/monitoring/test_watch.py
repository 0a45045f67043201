"""What the server notices by itself: rates that fall with time, a restart while sessions run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.models import Monitor
from monitoring.services import NewImage, add_images, create_monitor, start_monitor, stop_monitor
from monitoring.services.watch import forget_old_flow, note_restart, tick_flow
from monitoring.state import monitor_state
from sessions_app.models import FlowBucket, Session
from sessions_app.services import counters
from tests.pictures import picture


@pytest.fixture
def busy(monitor, session):
    """Six pictures have just come; returns the Unix second of the last one."""
    add_images([NewImage(data=picture(number), monitor=monitor) for number in range(6)])
    return FlowBucket.objects.order_by("-second").first().second


def stored_rate(session) -> float:
    return Session.objects.get(pk=session.pk).flow.get("current_flow_rate", 0.0)


def test_the_rate_is_counted_in_pictures_per_minute(session, busy):
    assert tick_flow(busy + 0.5) == 1
    assert stored_rate(session) == 6.0
    assert Session.objects.get(pk=session.pk).flow["total_processed"] == 6
    assert tick_flow(busy + 1) == 0, "nothing moved, nothing is written"


def test_the_rate_falls_to_zero_by_itself_and_readers_are_woken(
    monitor, session, busy, published, django_capture_on_commit_callbacks
):
    tick_flow(busy + 1)
    before = Monitor.objects.get().revision
    with django_capture_on_commit_callbacks(execute=True):
        assert tick_flow(busy + 61) == 1
        assert published == []
    assert set(published) == {f"session:{session.key}", "monitor:cam-1"}
    assert stored_rate(session) == 0.0
    assert Monitor.objects.get().revision > before
    assert tick_flow(busy + 62) == 0, "at zero the ticker is silent"


def test_the_shown_rate_is_of_the_moment_it_is_asked(monitor, session, busy):
    def rate(after_s: float) -> float:
        at = timezone.datetime.fromtimestamp(busy + after_s, tz=timezone.get_current_timezone())
        return monitor_state_at(at)["flow"]["current_flow_rate"]

    assert rate(0.5) == 6.0 and rate(61) == 0.0


def monitor_state_at(now) -> dict:
    from monitoring.state import monitor_states

    return monitor_states([Monitor.objects.for_messages().get()], now=now)[0]


def test_a_stopped_session_keeps_its_final_rate(monitor, session, busy):
    stopped = stop_monitor(monitor, by="ann")
    assert stopped.flow["current_flow_rate"] == 6.0
    assert tick_flow(busy + 61) == 0
    assert stored_rate(session) == 6.0
    state = monitor_state(Monitor.objects.for_messages().get())
    assert state["flow"]["current_flow_rate"] == 0.0 and state["total_counter"] == 6


def test_a_ticker_that_lost_the_race_with_a_stop_changes_nothing(monitor, session, busy, monkeypatch):
    from monitoring.services import watch

    store = watch._store_rate

    def stop_first(session, rate) -> bool:
        stop_monitor(monitor, by="ann")
        return store(session, rate)

    monkeypatch.setattr(watch, "_store_rate", stop_first)
    assert tick_flow(busy + 1) == 0
    assert "mean_flow_rate" in Session.objects.get(pk=session.pk).flow


def test_the_ticker_asks_the_same_number_of_questions_for_many(
    organisation, monitor, session, django_assert_num_queries
):
    with django_assert_num_queries(2):
        tick_flow()
    for number in range(5):
        start_monitor(create_monitor(organisation, slug=f"more-{number}", by="test"), by="ann")
    with django_assert_num_queries(2):
        tick_flow()


def test_old_buckets_are_forgotten_a_bounded_number_at_a_time(session):
    now_s = int(timezone.now().timestamp())
    for age_s in (10, counters.FLOW_KEPT_S - 60, counters.FLOW_KEPT_S + 60, counters.FLOW_KEPT_S + 90):
        FlowBucket.objects.create(session=session, second=now_s - age_s, count=1)
    assert counters.forget_old_flow(now_s, limit=1) == 1
    assert forget_old_flow() == 1
    assert forget_old_flow() == 0
    assert FlowBucket.objects.count() == 2


def test_flow_counts_are_those_of_the_asked_seconds(session):
    counters.count_flow(session.pk, {100: 2, 101: 1})
    counters.count_flow(session.pk, {101: 4, 102: 1})
    assert counters.flow_counts(session.pk, after=100, upto=101) == {101: 5}


def test_a_disk_that_fills_or_empties_is_shown_on_every_wall_at_once(
    organisation, other_organisation, monkeypatch, published, django_capture_on_commit_callbacks
):
    from monitoring.services import watch

    told = []
    with django_capture_on_commit_callbacks(execute=True):
        monkeypatch.setattr(watch, "_disk_status", "")
        for status in ("ok", "ok", "low", "low", "full", "ok"):
            monkeypatch.setattr(watch, "disk_state", lambda status=status: {"status": status})
            told.append(watch.watch_disk())
    assert told == [False, False, True, False, True, True]
    assert sorted(set(published)) == ["fleet:default", "fleet:elsewhere"] and len(published) == 6


def test_a_restart_is_noted_once_in_every_running_session(organisation, monitor, session):
    other = create_monitor(organisation, slug="cam-2", by="test")
    ended = start_monitor(other, by="ann")
    stop_monitor(other, by="ann")
    assert note_restart() == 1
    entry = session.events.order_by("-seq").first()
    assert (entry.kind, entry.detail) == ("server_restarted", {"total_counter": 0})
    assert not ended.events.filter(kind="server_restarted").exists()
    assert Session.objects.get(pk=session.pk).is_open
    assert note_restart() == 0, "processes that start together write one entry"
    assert note_restart(quiet=timedelta(0)) == 1
