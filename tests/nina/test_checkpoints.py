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
from tests.nina.night import CHECKPOINTS, Checkpoint, differences
from tests.nina.night import script as night_script
from tests.nina.player import Player, assert_follows_from_the_journal, shown

CUT_EVERY = timedelta(seconds=20)
DOWN = timedelta(seconds=3)
INGEST = ("ingest",)  # frames and history entries are both counted
NOT_HEARD = (*INGEST, "flat.recent_events")  # NINA's history has no IMAGE-PREPARED
# Newer plugins: what nobody heard on the socket has no coordinates and no name of a filter.
NAMES_LOST = {"C4b": ("flat.target_coordinates", "flat.current_filter")}  # the wheel turned just before
NAMES_LOST |= {"C5": ("flat.target_coordinates",), "C6": ("flat.target_coordinates",)}
NOT_ALL_HEARD = ("history_alone", "shuffled_history", "cut_and_restarted_anywhere")


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
    return NOT_HEARD if checkpoint.frames else ()


def shuffled_history(player: Player, checkpoint: Checkpoint):
    """The same entries in any order; then in the order of the night."""
    player.script.history = player.script.history[: checkpoint.entries]
    player.position = checkpoint.frames
    history = player.script.history_after(player.position)
    random.Random(str(checkpoint)).shuffle(history)
    player.rebuild(history=history)
    return NOT_HEARD if checkpoint.frames else ()


def restarted_at_every_checkpoint(player: Player, checkpoint: Checkpoint):
    for earlier in CHECKPOINTS[: CHECKPOINTS.index(checkpoint) + 1]:
        player.play(earlier.frames)
        player.restart()
        player.rebuild(earlier.entries if not earlier.frames else None)
    return INGEST


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
    return NOT_HEARD


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
    return NOT_HEARD


def shuffled_live_frames_and_a_refresh(player: Player, checkpoint: Checkpoint):
    player.rebuild(checkpoint.entries)
    chance = random.Random(7)
    frames = player.script.frames[: checkpoint.frames]
    late = sorted(
        (replace(frame, at=frame.at + timedelta(seconds=chance.uniform(0, 2))) for frame in frames),
        key=lambda frame: frame.at,
    )
    assert not frames or late != frames
    player.play(checkpoint.frames, frames=late)
    if frames:
        player.rebuild()
    return NOT_HEARD


ALL_WAYS = [
    history_and_live,
    history_alone,
    shuffled_history,
    restarted_at_every_checkpoint,
    cut_every_20_s,
    cut_and_restarted_anywhere,
    shuffled_live_frames_and_a_refresh,
]


def assert_checkpoint(rig, checkpoint: Checkpoint, *, loses_nested: bool = False, leave_out=()) -> None:
    wanted = checkpoint.wanted(loses_nested=loses_nested, leave_out=leave_out)
    rig.refresh_from_db()
    assert differences(shown(rig, checkpoint.as_of), wanted, rig.ingest) == {}
    assert_follows_from_the_journal(rig)


@pytest.mark.parametrize("loses_nested", [False, True], ids=["nested", "v2215"])
@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=str)
def test_every_way_through_the_night_leads_to_the_checkpoint(rig, checkpoint, way, loses_nested):
    leave_out = way(Player(rig, night_script(loses_nested)), checkpoint)
    if loses_nested and way.__name__ in NOT_ALL_HEARD:
        leave_out = (*leave_out, *NAMES_LOST.get(str(checkpoint), ()))
    assert_checkpoint(rig, checkpoint, loses_nested=loses_nested, leave_out=leave_out)


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
    if is_away and after.frames:
        player.rebuild()
    assert_checkpoint(rig, after, leave_out=NOT_HEARD if is_away else INGEST)


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
