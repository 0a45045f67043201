"""The journal of a rig: the same night with our restarts, cuts, repeats and rebuilds in between."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection

from monitoring.nina import store
from monitoring.nina.intake import LiveIntake
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.script import Frame
from sessions_app.models import Session, SessionEvent
from sessionsite.common import clock
from tests.nina.night import CHECKPOINTS
from tests.nina.night import script as night_script
from tests.nina.player import BOOT, Player, assert_follows_from_the_journal, shown


def test_names_that_only_the_socket_told_survive_a_rebuild(rig):
    player = Player(rig, night_script(loses_nested=True))
    player.rebuild()
    player.play(16)
    player.rebuild()
    state = shown(rig, CHECKPOINTS[5].as_of)
    assert state["current_filter"] == "R"
    assert state["target_coordinates"] == {"ra": "06h 31m 54s", "dec": "+04° 56' 42\""}


def test_a_frame_that_arrives_after_the_history_with_its_event_is_that_event(rig, script):
    player = Player(rig, script)
    player.position = 16
    player.rebuild()
    before = RigEvent.objects.count()
    player.hear(script.frames[13:16])  # IMAGE-PREPARED, IMAGE-SAVE, STACK-UPDATED
    assert RigEvent.objects.count() == before + 1  # the history has no IMAGE-PREPARED
    rig.refresh_from_db()
    assert rig.ingest["accepted"] == before + 1 and rig.ingest["received"] == 286 + 13 + 3
    assert_follows_from_the_journal(rig)


def test_a_repeat_that_came_a_moment_too_late_is_found_by_the_next_rebuild(rig, script):
    player = Player(rig, script)
    player.rebuild()
    start = replace(script.frames[5], at=script.frames[5].at)  # GUIDER-START, twice in NINA 0.9 s apart
    again = replace(start, at=start.at + timedelta(seconds=0.9))
    script.frames = [*script.frames[:6], again]
    player.play(6)
    player.play(7, frames=[replace(again, at=start.at + timedelta(seconds=1.1))])  # on its way for longer
    before = shown(rig, CHECKPOINTS[5].as_of)["recent_events"]
    assert [event["eventType"] for event in before[:2]] == ["GUIDER-START", "GUIDER-START"]
    player.rebuild()
    after = shown(rig, CHECKPOINTS[5].as_of)["recent_events"]
    assert [event["eventType"] for event in after[:2]] == ["GUIDER-START", "TS-TARGETSTART"]
    assert RigEvent.objects.filter(is_repeat=True).count() == 1
    assert rig.ingest["accepted"] == RigEvent.objects.counted().count()
    assert_follows_from_the_journal(rig)
    again = Rig.objects.values("state", "ingest", "last_seq").get()
    player.rebuild()
    assert Rig.objects.values("state", "ingest", "last_seq").get() == again


def test_a_frame_that_is_repeated_much_later_is_found_by_the_next_rebuild(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.play(6)
    before = clock.now()
    guiding = script.frames[5]  # NINA has it once
    player.hear([replace(guiding, at=guiding.at + timedelta(seconds=40))])
    assert [event["eventType"] for event in _recent(rig, 2)] == ["GUIDER-START", "GUIDER-START"]
    player.rebuild(asked_at=before)  # what came since is none of this history's business
    assert not RigEvent.objects.filter(is_repeat=True).exists()
    player.rebuild()
    assert [event["eventType"] for event in _recent(rig, 2)] == ["GUIDER-START", "TS-TARGETSTART"]
    assert rig.ingest["accepted"] == RigEvent.objects.counted().count()
    assert_follows_from_the_journal(rig)


def test_a_repeat_takes_no_place_in_the_history_from_a_later_event(rig):
    player = Player(rig, night_script(loses_nested=True))
    player.rebuild()
    player.play(1)  # the wheel turns
    turned = player.script.frames[0]
    player.hear([replace(turned, at=turned.at + timedelta(seconds=2))])
    player.rebuild()
    player.position = next(
        number for number, frame in enumerate(player.script.frames[1:], 1) if "FILTERWHEEL" in frame.text
    )
    player.position += 1  # nobody was connected when it turned again
    player.rebuild()
    repeat = RigEvent.objects.get(is_repeat=True)
    assert repeat.index is None and repeat.type == "FILTERWHEEL-CHANGED"
    assert shown(rig, CHECKPOINTS[5].as_of)["current_filter"] is None  # its name is lost, not the old one
    assert_follows_from_the_journal(rig)


def test_an_event_that_no_history_tells_of_is_kept(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.hear([Frame(script.frames[0].at, {"Response": {"Event": "CLOUDS-SEEN", "Octas": 3}})])
    player.rebuild()
    assert [event["eventType"] for event in _recent(rig, 1)] == ["CLOUDS-SEEN"]


def test_images_are_counted_once_when_only_their_history_cannot_be_read(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.play(40)
    before = shown(rig, CHECKPOINTS[5].as_of)
    for images in (False, True):
        player.rebuild(images=images)
        after = shown(rig, CHECKPOINTS[5].as_of)
        assert after["session_stats"] == before["session_stats"]
        assert after["total_images"] == before["total_images"] > 36
    assert_follows_from_the_journal(rig)


def _recent(rig, count: int) -> list[dict]:
    return shown(rig, CHECKPOINTS[5].as_of)["recent_events"][:count]


def test_sessions_of_the_rig_are_opened_and_closed_with_their_counters(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.play(len(script.frames))
    test_shots, night = Session.objects.order_by("started_at")
    assert [session.kind for session in (test_shots, night)] == ["rig", "rig"]
    assert [session.state for session in (test_shots, night)] == ["completed", "completed"]
    assert [session.total_counter for session in (test_shots, night)] == [2, 47]
    assert night.data["session_id"] == "session_1763143210250"
    assert night.data["rig"]["images_per_filter"] == {"L": 11, "R": 5, "G": 5, "B": 5, "Ha": 21}
    assert night.started_at == datetime(2025, 11, 14, 18, 0, 10, 250000, UTC)
    assert night.stopped_at == datetime(2025, 11, 15, 4, 57, 35, tzinfo=UTC)
    rig.monitor.refresh_from_db()
    assert rig.monitor.current_session == night


def test_alarms_are_in_the_journal_once_also_after_the_end(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.play(len(script.frames))
    player.rebuild()
    night = Session.objects.order_by("started_at").last()
    entries = SessionEvent.objects.filter(session=night).order_by("seq")
    safety = [entry for entry in entries if entry.kind.startswith("became_")]
    assert [entry.detail["is_safe"] for entry in safety] == [False, True, False, True, False]
    assert safety[-1].at > night.stopped_at and safety[-1].detail["severity"] == "error"
    assert [entry.kind for entry in entries].count("flip_ended") == 1
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))


def test_a_restart_of_nina_keeps_what_is_stored_and_goes_on(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.play(16)
    before = shown(rig, CHECKPOINTS[5].as_of)
    store.rebuild(rig.pk, application_start="2025-11-15T01:02:00", entries=[], images=[])
    after = shown(rig, CHECKPOINTS[5].as_of)
    assert after == before
    frames = script.frames[16:40]
    later = script.entries_of(frames)
    for _ in range(2):
        store.rebuild(
            rig.pk, application_start="2025-11-15T01:02:00", entries=later, images=script.images_of(frames)
        )
    grown = shown(rig, CHECKPOINTS[5].as_of)
    lights = sum("LIGHT" in frame.text for frame in frames)
    assert grown["session_id"] == before["session_id"]
    assert grown["total_images"] == before["total_images"] + lights > before["total_images"]


def test_frames_of_a_restarted_nina_whose_history_cannot_be_read_yet_are_counted_once(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.play(16)
    before = shown(rig, CHECKPOINTS[5].as_of)
    frames = script.frames[16:40]
    player.hear(frames)  # of the new NINA
    store.rebuild(
        rig.pk,
        application_start="2025-11-15T00:56:53",  # at the site; the first of these came just after it
        entries=script.entries_of(frames),
        images=script.images_of(frames),
    )
    after = shown(rig, CHECKPOINTS[5].as_of)
    lights = sum("LIGHT" in frame.text for frame in frames)
    assert after["total_images"] == before["total_images"] + lights
    rig.refresh_from_db()
    early = RigEvent.objects.filter(rig=rig, generation=rig.generation)
    assert early.counted().filter(index__isnull=False).count() == len(script.entries_of(frames))


def test_a_restart_of_nina_that_only_its_history_shows_is_one_restart(rig, script):
    player = Player(rig, script)
    player.rebuild()
    player.play(16)
    before = shown(rig, CHECKPOINTS[5].as_of)
    frames = script.frames[16:40]
    later, images = script.entries_of(frames), script.images_of(frames)
    for start in ("", "2025-11-15T01:02:00", "2025-11-15T01:02:00"):  # it could not be read at first
        store.rebuild(rig.pk, application_start=start, entries=later, images=images)
    after = shown(rig, CHECKPOINTS[5].as_of)
    lights = sum("LIGHT" in frame.text for frame in frames)
    assert after["total_images"] == before["total_images"] + lights
    rig.refresh_from_db()
    assert (rig.generation, rig.application_start) == (1, "2025-11-15T01:02:00")


def test_an_empty_answer_of_the_same_nina_takes_nothing_away(rig, script):
    player = Player(rig, script)
    player.rebuild()
    before = Rig.objects.values("state", "last_seq", "generation").get(pk=rig.pk)
    store.rebuild(rig.pk, application_start=BOOT, entries=[], images=[])
    assert Rig.objects.values("state", "last_seq", "generation").get(pk=rig.pk) == before


def test_a_listener_that_was_taken_over_writes_nothing(rig, script):
    store.rebuild(rig.pk, application_start=BOOT, entries=script.history, images=[], epoch=4)
    store.set_link(rig.pk, status="connected", epoch=5)
    event = LiveIntake().take(script.frames[0].text, script.frames[0].at)
    with pytest.raises(store.TakenOver):
        store.receive(rig.pk, [event], epoch=4)
    with pytest.raises(store.TakenOver):
        store.rebuild(rig.pk, application_start=BOOT, entries=[], images=[], epoch=4)


def test_a_rebuild_is_written_in_batches_and_all_of_it_or_nothing(rig, script):
    inserts = []

    def watch(execute, sql, params, many, context):
        if sql.startswith("INSERT") and "monitoring_rigevent" in sql:
            inserts.append(sql)
            if len(inserts) == fails_at:
                raise OperationalError("the disk is full")
        return execute(sql, params, many, context)

    before, fails_at = Rig.objects.values().get(pk=rig.pk), 4
    with connection.execute_wrapper(watch), pytest.raises(OperationalError):
        Player(rig, script).rebuild()
    assert not RigEvent.objects.exists() and not Session.objects.exists()
    assert Rig.objects.values().get(pk=rig.pk) == before
    inserts.clear()
    fails_at = None
    with connection.execute_wrapper(watch):
        Player(rig, script).rebuild()
    assert RigEvent.objects.count() == 280 and len(inserts) == 6  # 50 each


@pytest.mark.alone
def test_ten_thousand_events_seed_in_under_five_seconds(rig, script):
    """Weeks of a NINA that was never restarted: nights with images, alarms, flips and ends."""
    entries, images = [], []
    for night in range(27):
        moved = script.shifted(timedelta(days=night))
        entries += moved.history_after(len(script.frames))
        images += moved.images_after(len(script.frames))
    assert len(entries) > 10_000 and len(images) > 1_500
    before = time.monotonic()
    store.rebuild(rig.pk, application_start=BOOT, entries=entries, images=images)
    took_s = time.monotonic() - before
    nights = Session.objects.filter(total_counter=47)
    assert nights.count() == 27 and Session.objects.count() == 2 * 27
    assert RigEvent.objects.count() > 9_900
    alarms = SessionEvent.objects.filter(kind="became_unsafe")
    assert alarms.count() == 27 * 4 - 1  # the very first one came before any session
    assert took_s < 5, f"{took_s:.1f} s"
