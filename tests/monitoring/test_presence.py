"""Live, late, lost: decided by rules with hysteresis, journalled on both edges, shown and pushed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.models import Monitor
from monitoring.presence import decide, late_after_s, lost_after_s, steady_within_s
from monitoring.services import NewImage, add_image, change_monitor, start_monitor, stop_monitor
from monitoring.services.watch import watch_presence
from monitoring.state import monitor_state
from sessions_app.models import Session
from tests.pictures import picture

T0 = datetime(2026, 3, 1, 8, tzinfo=UTC)


# --- the rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "age_s", "gap_s", "has_item", "now"),
    [
        # an expected interval of 10 s: late after 20, lost after 50, in step within 15
        ("", 1, None, False, ""),
        ("", 19, None, False, ""),
        ("", 21, None, False, "late"),
        ("late", 51, None, False, "lost"),
        ("", 1, None, True, "live"),
        ("", 1, 40, True, "live"),
        ("live", 1, 40, True, "live"),
        ("live", 20, 10, True, "live"),
        ("live", 20.1, 10, True, "late"),
        ("live", 50, 10, True, "late"),
        ("live", 50.1, 10, True, "lost"),
        ("late", 50.1, 10, True, "lost"),
        ("late", 1, None, True, "late"),
        ("late", 1, 21, True, "late"),
        ("late", 1, 15, True, "live"),
        ("late", 14, 10, True, "live"),
        ("late", 16, 10, True, "late"),
        ("lost", 30, 10, True, "lost"),
        ("lost", 1, 60, True, "late"),
        ("lost", 1, 10, True, "live"),
    ],
)
def test_presence_follows_age_and_gap(before, age_s, gap_s, has_item, now):
    assert decide(before, interval_s=10, age_s=age_s, gap_s=gap_s, has_item=has_item) == now


@pytest.mark.parametrize("interval_s", [0.05, 0.5, 1, 2, 10, 3600])
def test_the_limits_stand_in_order_for_every_interval(interval_s):
    assert interval_s < steady_within_s(interval_s) <= late_after_s(interval_s) < lost_after_s(interval_s)


@pytest.mark.parametrize("interval_s", [0.5, 2.0, 10.0])
def test_a_camera_that_limps_just_over_the_limit_does_not_flap(interval_s):
    """A picture every 2.1 intervals, looked at fifty times per interval: late once, and late it stays."""
    every_s = late_after_s(interval_s) * 1.05
    presence, edges, step = "live", [], 0
    last, previous = 0.0, -interval_s
    while step * interval_s / 50 < 30 * every_s:
        now = step * interval_s / 50
        if now - last >= every_s:
            last, previous = now, last
        after = decide(
            presence, interval_s=interval_s, age_s=now - last, gap_s=last - previous, has_item=True
        )
        if after != presence:
            edges.append(str(after))
            presence = after
        step += 1
    assert edges == ["late"]


def test_a_camera_in_step_with_jitter_is_live_all_the_time():
    last, presence = 0.0, "live"
    for number in range(200):
        gap = 2.0 + (0.9 if number % 3 == 0 else -0.4)
        for part in range(10):
            age_s = gap * part / 10
            presence = decide(presence, interval_s=2.0, age_s=age_s, gap_s=gap, has_item=True)
            assert presence == "live"
        last += gap


# --- the watch ------------------------------------------------------------------------------------


@pytest.fixture
def watched(monitor):
    """A running monitor that expects a picture every 10 s; its session began at T0."""
    change_monitor(monitor, by="ann", expected_interval_s=10.0)
    session = start_monitor(monitor, by="ann")
    Session.objects.filter(pk=session.pk).update(started_at=T0)
    monitor.session = Session.objects.get(pk=session.pk)
    return monitor


def pictured(monitor, at_s: float, before_s: float | None = None) -> None:
    """The last pictures came so many seconds after T0."""
    previous = None if before_s is None else T0 + timedelta(seconds=before_s)
    Monitor.objects.filter(pk=monitor.pk).update(
        last_item_at=T0 + timedelta(seconds=at_s), previous_item_at=previous
    )


def watch(at_s: float, since: datetime = T0 - timedelta(days=1)) -> int:
    return watch_presence(T0 + timedelta(seconds=at_s), since=since)


def shown() -> dict:
    return monitor_state(Monitor.objects.for_messages().get())


def edges(monitor) -> list[str]:
    kinds = monitor.session.events.filter(kind__startswith="camera_").order_by("seq")
    return list(kinds.values_list("kind", flat=True))


def test_a_camera_that_falls_silent_and_comes_back_is_journalled_on_every_edge(watched):
    pictured(watched, at_s=0)
    assert watch(1) == 1 and shown()["presence"] == "live" and edges(watched) == []
    assert watch(15) == 0
    assert watch(25) == 1 and (shown()["presence"], shown()["status"]) == ("late", "late")
    assert watch(30) == 0
    assert watch(60) == 1 and (shown()["presence"], shown()["status"]) == ("lost", "lost")
    pictured(watched, at_s=100, before_s=0)
    assert watch(101) == 1 and shown()["presence"] == "late"
    pictured(watched, at_s=110, before_s=100)
    assert watch(111) == 1 and (shown()["presence"], shown()["status"]) == ("live", "running")
    assert edges(watched) == ["camera_late", "camera_lost", "camera_late", "camera_back"]
    lost = watched.session.events.get(kind="camera_lost")
    assert lost.detail == {
        "from": "late",
        "to": "lost",
        "silent_s": 60.0,
        "last_item_at": "2026-03-01T08:00:00.000Z",
        "expected_interval_s": 10.0,
    }


def test_a_camera_that_never_sends_is_missed_too(watched):
    assert watch(5) == 0 and shown()["presence"] is None
    assert watch(25) == 1 and shown()["presence"] == "late"
    assert watch(55) == 1 and shown()["presence"] == "lost"
    assert edges(watched) == ["camera_late", "camera_lost"]


def test_pictures_of_an_earlier_session_are_no_sign_of_life(watched):
    pictured(watched, at_s=-5, before_s=-15)
    assert watch(5) == 0 and shown()["presence"] is None
    assert watch(25) == 1 and shown()["presence"] == "late"


def test_both_edges_are_pushed_to_session_monitor_and_wall(
    watched, published, django_capture_on_commit_callbacks
):
    pictured(watched, at_s=0)
    watch(1)
    for at_s in (25, 60):
        with django_capture_on_commit_callbacks(execute=True):
            watch(at_s)
            assert published == []
        assert set(published) == {f"session:{watched.session.key}", "monitor:cam-1", "fleet:default"}
        published.clear()


def test_a_monitor_without_an_expected_interval_is_not_watched(monitor, session):
    Session.objects.filter(pk=session.pk).update(started_at=T0)
    assert watch(100_000) == 0 and shown()["presence"] is None


def test_a_stopped_monitor_is_not_watched(watched):
    stop_monitor(watched, by="ann")
    assert watch(1000) == 0
    assert (shown()["presence"], shown()["status"]) == (None, "idle")


def test_a_picture_that_came_meanwhile_is_seen_under_the_lock(watched, monkeypatch):
    from monitoring.services import watch as module

    decided = module._presence_now
    looks: list[str] = []

    def decide_then_picture(*args):
        looks.append(decided(*args))
        if len(looks) == 1:
            pictured(watched, at_s=24)
        return looks[-1]

    pictured(watched, at_s=0)
    watch(1)
    before = shown()["revision"]
    monkeypatch.setattr(module, "_presence_now", decide_then_picture)
    assert watch(25) == 0
    assert looks == ["late", "live"]
    assert edges(watched) == [] and shown()["revision"] == before


def test_silence_while_the_server_was_away_is_not_the_cameras(watched):
    pictured(watched, at_s=0)
    watch(1)
    back = T0 + timedelta(seconds=300)
    assert watch(301, since=back) == 0 and shown()["presence"] == "live"
    pictured(watched, at_s=305, before_s=0)
    assert watch(306, since=back) == 0
    assert watch(330, since=back) == 1 and shown()["presence"] == "late"


def test_a_camera_that_stays_silent_after_a_restart_is_missed_from_then_on(watched):
    pictured(watched, at_s=0)
    watch(1)
    back = T0 + timedelta(seconds=300)
    assert watch(319, since=back) == 0
    assert watch(321, since=back) == 1 and shown()["presence"] == "late"
    assert watch(340, since=back) == 0
    assert watch(351, since=back) == 1 and shown()["presence"] == "lost"
    assert edges(watched) == ["camera_late", "camera_lost"]


def test_a_camera_that_was_lost_before_a_restart_is_still_lost(watched):
    pictured(watched, at_s=0)
    watch(60)
    back = T0 + timedelta(seconds=300)
    assert watch(301, since=back) == 0 and shown()["presence"] == "lost"


def test_a_process_watches_since_its_first_look(watched, monkeypatch):
    from monitoring.services import watch as module

    monkeypatch.setattr(module, "_watching_since", None)
    pictured(watched, at_s=0)
    assert watch_presence(T0 + timedelta(seconds=100)) == 0
    assert watch_presence(T0 + timedelta(seconds=119)) == 0
    assert watch_presence(T0 + timedelta(seconds=121)) == 1
    assert edges(watched) == ["camera_late"]


def test_real_pictures_keep_a_camera_live(watched):
    for number in range(2):
        add_image(NewImage(data=picture(number), monitor=watched))
    now = Monitor.objects.get()
    assert T0 < now.previous_item_at <= now.last_item_at
    assert watch_presence(now.last_item_at + timedelta(seconds=1), since=T0) == 1
    assert shown()["presence"] == "live"
