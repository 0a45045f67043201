"""Every way through the recorded night leads to the same: at each checkpoint the values that must hold, and
a state that equals a rebuild from the stored journal.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.verbs import add_rig
from tests.nina.night import CHECKPOINTS, Checkpoint, differences
from tests.nina.night import script as night_script
from tests.nina.player import Player, assert_follows_from_the_journal, shown

CUT_EVERY = timedelta(seconds=20)
DOWN = timedelta(seconds=3)

# In what a way of feeding the live frames differs from the night as it was heard.
TWICE = "the repeated frame is an entry of the history too: it is received and dropped in both shapes"
IN_PART = "what was received depends on what was heard"
UNPREPARED = "IMAGE-PREPARED is in no history: it is missed, or stands where its frame came"

# Newer plugins: what nobody heard on the socket has no coordinates and no name of a filter.
UNNAMED = {"flat.target_coordinates": None}
WHEEL_UNNAMED = {"flat.current_filter": None}  # it turned just before C4b, and no image has told it since
NAMES_LOST = {
    (way, checkpoint): UNNAMED | (WHEEL_UNNAMED if checkpoint == "C4b" else {})
    for way in ("history_alone", "shuffled_history")
    for checkpoint in ("C4b", "C5", "C6")
}
NAMES_LOST["cut_and_restarted_anywhere", "C4b"] = WHEEL_UNNAMED  # the target was heard


def history_and_live(player: Player, checkpoint: Checkpoint):
    player.rebuild(checkpoint.entries)
    player.play(checkpoint.frames)
    return ()


def history_alone(player: Player, checkpoint: Checkpoint):
    """The history that NINA would hold at that moment; read again, it changes nothing."""
    player.position = checkpoint.frames
    entries = checkpoint.entries if not checkpoint.frames else None
    player.rebuild(entries)
    before = Rig.objects.values("state", "ingest", "last_seq").get(pk=player.rig.pk)
    player.rebuild(entries)
    assert Rig.objects.values("state", "ingest", "last_seq").get(pk=player.rig.pk) == before
    return (IN_PART, UNPREPARED)


def shuffled_history(player: Player, checkpoint: Checkpoint):
    """The same entries in any order; then in the order of the night."""
    player.script.history = player.script.history[: checkpoint.entries]
    player.position = checkpoint.frames
    history = player.script.history_after(player.position)
    random.Random(str(checkpoint)).shuffle(history)
    player.rebuild(history=history)
    return (IN_PART, UNPREPARED)


def restarted_at_every_checkpoint(player: Player, checkpoint: Checkpoint):
    for earlier in CHECKPOINTS[: CHECKPOINTS.index(checkpoint) + 1]:
        player.play(earlier.frames)
        player.restart()
        player.rebuild(earlier.entries if not earlier.frames else None)
    return (TWICE,)


def cut_every_20_s(player: Player, checkpoint: Checkpoint):
    """Cut every 20 s of the night; frames of the next 3 s are never heard, 30 % of the others come twice."""
    player.rebuild(checkpoint.entries)
    chance = random.Random(str(checkpoint))
    frames = player.script.frames[: checkpoint.frames]
    begin, heard_since = player.script.frames[0].at - timedelta(seconds=chance.uniform(0, 20)), False
    cuts = missed = 0
    for number, frame in enumerate(frames):
        cuts_now, into_cut = divmod(frame.at - begin, CUT_EVERY)
        if cuts_now > cuts and heard_since:  # connected anew since the last frame
            player.rebuild()
            heard_since = False
        cuts = cuts_now
        if into_cut < DOWN:
            player.position, missed, heard_since = number + 1, missed + 1, True
            continue
        twice = [frame, frame] if chance.random() < 0.3 else [frame]
        player.play(number + 1, frames=twice)
        heard_since = True
    if frames:
        player.rebuild()
    assert missed > 5 or len(frames) < 50
    return (IN_PART, UNPREPARED)


def cut_and_restarted_anywhere(player: Player, checkpoint: Checkpoint):
    """Our process ends after any few frames, up to four are missed, three of ten come twice."""
    player.rebuild(checkpoint.entries)
    chance = random.Random(checkpoint.frames)
    while player.position < checkpoint.frames:
        upto = min(player.position + chance.randint(1, 9), checkpoint.frames)
        heard = player.script.frames[player.position : upto]
        player.play(upto, frames=[frame for frame in heard for _ in range(2 if chance.random() < 0.3 else 1)])
        player.position = min(upto + chance.randint(0, 4), checkpoint.frames)
        player.restart()
        player.rebuild()
    return (IN_PART, UNPREPARED)


def shuffled_live_frames_and_a_refresh(player: Player, checkpoint: Checkpoint):
    player.rebuild(checkpoint.entries)
    chance = random.Random(7)
    frames = player.script.frames[: checkpoint.frames]
    late = sorted(
        (replace(frame, at=frame.at + timedelta(seconds=chance.uniform(0, 2))) for frame in frames),
        key=lambda frame: frame.at,
    )
    assert not frames or [frame.content for frame in late] != [frame.content for frame in frames]
    player.play(checkpoint.frames, frames=late)
    if frames:
        player.rebuild()
    return (TWICE, UNPREPARED)


ALL_WAYS = [
    history_and_live,
    history_alone,
    shuffled_history,
    restarted_at_every_checkpoint,
    cut_every_20_s,
    cut_and_restarted_anywhere,
    shuffled_live_frames_and_a_refresh,
]


def assert_checkpoint(rig, checkpoint: Checkpoint, differs=(), *, loses_nested=False, lost=None) -> None:
    """differs: how, where there are live frames. lost: what NINA's history does not tell, as it is shown."""
    wanted = checkpoint.wanted(loses_nested=loses_nested) | (lost or {})
    rig.refresh_from_db()
    found, counted = shown(rig, checkpoint.as_of), rig.ingest
    if checkpoint.frames and differs:
        recent, ingest = wanted.pop("flat.recent_events"), wanted.pop("ingest")
        types = [event["eventType"] for event in found["recent_events"]]
        assert_same_beginning(types, recent, skipped="IMAGE-PREPARED" if UNPREPARED in differs else None)
        if IN_PART not in differs:
            more = {name: ingest[name] + 1 for name in ("received", "duplicates")}
            assert counted == {**ingest, **more}
    assert differences(found, wanted, counted) == {}
    dropped = ("accepted", "duplicates", "malformed", "messages")
    assert counted["received"] == sum(counted[name] for name in dropped)
    assert_follows_from_the_journal(rig)


def assert_same_beginning(found: list[str], wanted: list[str], *, skipped: str | None) -> None:
    """One list is the beginning of the other; both have twenty types before one is skipped."""
    assert len(found) == len(wanted) == 20
    found, wanted = ([name for name in names if name != skipped] for names in (found, wanted))
    shorter = min(len(found), len(wanted))
    assert found[:shorter] == wanted[:shorter]


@pytest.mark.parametrize("loses_nested", [False, True], ids=["nested", "v2215"])
@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=str)
def test_every_way_through_the_night_leads_to_the_checkpoint(rig, checkpoint, way, loses_nested):
    differs = way(Player(rig, night_script(loses_nested)), checkpoint)
    lost = NAMES_LOST.get((way.__name__, str(checkpoint))) if loses_nested else None
    assert_checkpoint(rig, checkpoint, differs, loses_nested=loses_nested, lost=lost)


@pytest.mark.parametrize("checkpoint", [each for each in CHECKPOINTS if each.frames], ids=str)
def test_what_was_heard_is_field_by_field_what_the_final_history_tells(organisation, rig, checkpoint):
    """Except IMAGE-PREPARED among the recent events: NINA sends it and keeps it in no history."""
    other = add_rig(organisation, slug="rig-2", site_zone="Europe/Madrid", by="test")
    history_and_live(Player(rig, night_script()), checkpoint)
    history_alone(Player(other, night_script()), checkpoint)
    heard, told = (shown(each, checkpoint.as_of) for each in (rig, other))
    recent = [
        [event for event in found.pop("recent_events") if event["eventType"] != "IMAGE-PREPARED"]
        for found in (heard, told)
    ]
    del heard["events"], told["events"]  # the newest five of the recent ones
    assert heard == told and len(heard) == 34
    assert 10 <= len(recent[0]) < 20 and recent[0] == recent[1][: len(recent[0])]


def test_the_journal_holds_each_entry_of_the_history_as_nina_wrote_it(rig, script):
    """Its own Time too, also where a frame was there first; only the statistics of images are added."""
    player = Player(rig, script)
    player.rebuild()
    player.play(len(script.frames))
    assert not RigEvent.objects.filter(is_live=True, raw__has_key="Time").exists()
    player.rebuild()
    history = script.history_after(len(script.frames))
    rows = RigEvent.objects.filter(index__isnull=False)
    assert rows.count() > 360
    for row in rows:
        told = {name: value for name, value in row.raw.items() if name != "ImageStatistics"}
        assert told == history[row.index]
    assert all("Time" not in event["data"] for event in shown(rig, CHECKPOINTS[-1].as_of)["recent_events"])


BETWEEN = [(before, after) for after in CHECKPOINTS for before in CHECKPOINTS[: CHECKPOINTS.index(after)]]


@pytest.mark.parametrize("is_away", [False, True], ids=["at once", "missed a part"])
@pytest.mark.parametrize(("before", "after"), BETWEEN, ids=str)
def test_a_restart_between_any_two_checkpoints_changes_nothing(rig, script, before, after, is_away):
    """is_away: the process is down until the later checkpoint, and everything on the way is missed."""
    player = Player(rig, script)
    player.rebuild(before.entries if not before.frames else None)
    player.play(before.frames)
    player.restart()
    if is_away:
        player.position = after.frames
    player.rebuild(after.entries if not after.frames else None)
    player.play(after.frames)
    if is_away:
        player.rebuild(after.entries if not after.frames else None)
    heard = (TWICE,) if before.frames else ()
    assert_checkpoint(rig, after, (IN_PART, UNPREPARED) if is_away else heard)


def test_the_session_keeps_its_name_and_events_their_numbers_through_all_checkpoints(rig, script):
    player, names, numbers = Player(rig, script), [], []
    for checkpoint in CHECKPOINTS:
        player.play(checkpoint.frames)
        player.rebuild(checkpoint.entries if not checkpoint.frames else None)
        names.append(shown(rig, checkpoint.as_of)["session_id"])
        rows = RigEvent.objects.filter(rig=rig).values_list("pk", "seq", "type")
        numbers.append(set(rows))
    assert names[0] != names[1] and len(set(names[1:])) == 1
    assert all(earlier <= later for earlier, later in pairwise(numbers))
