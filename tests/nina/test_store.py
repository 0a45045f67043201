"""The journal of a rig: the same night with our restarts, cuts, repeats and rebuilds in between."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.nina import store
from monitoring.nina.intake import LiveIntake
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.script import Frame
from monitoring.nina.spans import replay
from monitoring.nina.state import State
from monitoring.nina.unified import unified
from sessions_app.models import Session, SessionEvent
from tests.nina.night import CHECKPOINTS, differences
from tests.nina.night import script as night_script

BOOT = "2025-11-14T17:49:00"


class Player:
    """Feeds a rig as its listener does, with the clock of the recording."""

    def __init__(self, rig, script) -> None:
        self.rig, self.script, self.intake, self.position = rig, script, LiveIntake(), 0

    def rebuild(self, entries: int | None = None) -> None:
        """As at the start, at a reconnect and at a refresh: with what NINA holds at that moment."""
        history = self.script.history_after(self.position)
        store.rebuild(
            self.rig.pk,
            application_start=BOOT,
            entries=history if entries is None else history[:entries],
            images=self.script.images_after(self.position),
        )

    def hear(self, frames: list[Frame]) -> None:
        for frame in frames:
            if event := self.intake.take(frame.text, frame.at):
                store.receive(self.rig.pk, [event], counted=self.intake.counted())
        store.set_link(self.rig.pk, counted=self.intake.counted())

    def play(self, upto: int, *, frames: list[Frame] | None = None) -> None:
        self.hear(self.script.frames[self.position : upto] if frames is None else frames)
        self.position = upto

    def restart(self) -> None:
        """Our own process ends and begins anew: everything but the database is lost."""
        self.intake = LiveIntake()


def shown(rig, as_of) -> dict:
    rig.refresh_from_db()
    return unified(State.from_json(rig.state), now=as_of)


def assert_follows_from_the_journal(rig) -> None:
    """The kept state is what the stored events lead to, and their numbers have no gaps."""
    rig.refresh_from_db()
    rows = list(RigEvent.objects.filter(rig=rig).order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, rig.last_seq + 1))
    ordered = store.in_order_of_the_night([row for row in rows if not row.is_repeat])
    result = replay(map(store.event_of, ordered), rig.zone, State())
    assert result.state.as_json() == rig.state


def without_cuts(player, checkpoint):
    player.rebuild(checkpoint.entries)
    player.play(checkpoint.frames)
    return ()


def restarted_between(player, checkpoint):
    for earlier in CHECKPOINTS:
        if (earlier.entries, earlier.frames) > (checkpoint.entries, checkpoint.frames):
            break
        player.play(earlier.frames)
        player.restart()
        player.rebuild(earlier.entries if not earlier.frames else None)
    return ("flat.recent_events", "ingest")


def cut_and_repeated(player, checkpoint):
    """The connection is cut again and again, three of ten frames come twice, the missed ones never."""
    player.rebuild(checkpoint.entries)
    chance = random.Random(checkpoint.frames)
    while player.position < checkpoint.frames:
        upto = min(player.position + chance.randint(1, 9), checkpoint.frames)
        heard = player.script.frames[player.position : upto]
        twice = [frame for frame in heard for _ in range(2 if chance.random() < 0.3 else 1)]
        player.play(upto, frames=twice)
        upto = min(upto + chance.randint(0, 4), checkpoint.frames)
        player.position = upto  # nobody was connected
        player.restart()
        player.rebuild()
    return ("flat.recent_events", "ingest")


def shuffled_then_refreshed(player, checkpoint):
    player.rebuild(checkpoint.entries)
    chance = random.Random(7)
    frames = player.script.frames[: checkpoint.frames]
    late = sorted(
        (replace(frame, at=frame.at + timedelta(seconds=chance.uniform(0, 2))) for frame in frames),
        key=lambda frame: frame.at,
    )
    player.play(checkpoint.frames, frames=late)
    if frames:
        player.rebuild()
    return ("flat.recent_events", "ingest")


def rebuilt_twice(player, checkpoint):
    player.position = checkpoint.frames
    entries = checkpoint.entries if not checkpoint.frames else None
    player.rebuild(entries)
    before = Rig.objects.values("state", "ingest", "last_seq").get(pk=player.rig.pk)
    player.rebuild(entries)
    assert Rig.objects.values("state", "ingest", "last_seq").get(pk=player.rig.pk) == before
    return ("flat.recent_events", "ingest") if checkpoint.frames else ()


ALL_WAYS = [without_cuts, restarted_between, cut_and_repeated, shuffled_then_refreshed, rebuilt_twice]
WAYS = [(way, False) for way in ALL_WAYS] + [(without_cuts, True), (cut_and_repeated, True)]


@pytest.mark.parametrize(("way", "loses_nested"), WAYS, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=str)
def test_every_way_through_the_night_leads_to_the_checkpoint(rig, checkpoint, way, loses_nested):
    leave_out = way(Player(rig, night_script(loses_nested)), checkpoint)
    if loses_nested and way is cut_and_repeated:  # what came while nobody listened has lost its names
        leave_out = (*leave_out, "flat.target_coordinates", "flat.filter_timestamp", "flat.current_filter")
    wanted = checkpoint.wanted(loses_nested=loses_nested, leave_out=leave_out)
    rig.refresh_from_db()
    assert differences(shown(rig, checkpoint.as_of), wanted, rig.ingest) == {}
    assert_follows_from_the_journal(rig)


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


def test_ten_thousand_events_seed_in_under_five_seconds(rig):
    begun = datetime(2026, 1, 1, 20, tzinfo=UTC)
    names = ["GUIDER-START", "GUIDER-DITHER", "MOUNT-HOMED", "IMAGE-SAVE", "STACK-UPDATED"]
    history = [
        {"Event": names[n % 5], "Time": (begun + timedelta(seconds=2 * n)).isoformat(), "N": n}
        for n in range(10_000)
    ]
    before = time.process_time()  # the machine may have other work
    store.rebuild(rig.pk, application_start=BOOT, entries=history, images=[])
    took_s = time.process_time() - before
    rig.refresh_from_db()
    assert rig.last_seq == 10_000
    assert took_s < 5, f"{took_s:.1f} s"
