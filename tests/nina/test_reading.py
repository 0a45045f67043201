"""The listener and NINA's history: when it hangs, breaks, or comes after the frames."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from monitoring.nina import listener as listener_module
from monitoring.nina.listener import rebuild_now
from monitoring.nina.simulator import SimulatedNina
from monitoring.nina.verbs import add_rig
from monitoring.nina.wire import NinaUnreachable
from tests.nina.listeners import BEGIN, fresh, holds, listening, played, unconnected
from tests.nina.player import assert_follows_from_the_journal
from tests.nina.simulated import BrokenNina
from tests.waiting import in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


async def test_live_frames_are_taken_while_the_history_cannot_be_read(rig, script):
    nina = SimulatedNina(script, begins_at=BEGIN)
    history, nina.history = nina.history, "no list"
    async with nina.serving(), listening(rig, nina):
        nina.send_raw(script.frames[0].text)
        found = await holds(rig, lambda rig: rig.last_seq == 1)
        assert found.link["seed_error"]
        nina.history = [*history, *script.entries_of(script.frames[:1])]
        found = await holds(
            rig, lambda rig: rig.counted_entries == len(nina.history) and not rig.link["seed_error"]
        )
        assert found.last_seq == 281


async def test_a_broken_image_history_keeps_no_rig_from_its_events_and_is_read_when_it_is_mended(
    rig, script, monkeypatch
):
    monkeypatch.setattr(listener_module, "pause_s", lambda failures: 0.01)
    nina = BrokenNina(script, begins_at=BEGIN)
    nina.broken.add("image-history")
    async with nina.serving(), listening(rig, nina):
        found = await holds(rig, lambda rig: rig.last_seq == 280)
        assert "image-history" in found.link["seed_error"]
        nina.happen(script.frames[0])
        await holds(rig, lambda rig: rig.last_seq == 281)
        before = len(nina.asked)
        await until(lambda: len(nina.asked) > before + 8, what="further readings")
        assert (await fresh(rig)).rebuilt_at == found.rebuilt_at  # they would have brought nothing new
        assert found.state["last_image"]["filename"] is None
        nina.broken.clear()
        found = await holds(rig, lambda rig: not rig.link["seed_error"])
        assert found.last_seq == 281 and found.state["last_image"]["hfr"]
        before = len(nina.asked)
        nina.happen(script.frames[1])
        await holds(rig, lambda rig: rig.last_seq == 282)
        assert len(nina.asked) == before  # everything was read


async def test_a_clock_that_cannot_be_read_once_stays_as_it_was(rig, script):
    nina = BrokenNina(script, begins_at=BEGIN)
    async with nina.serving(), listening(rig, nina) as listener:
        before = listener.clock
        assert before.offset_s
        nina.broken.add("time")
        await in_thread(rebuild_now, await fresh(rig))
        found = await fresh(rig)
        assert "NINA's time" in found.link["seed_error"]
        assert found.link["clock"]["offset_s"] == pytest.approx(before.offset_s, abs=0.01)


async def test_a_nina_that_does_not_answer_keeps_no_frames_and_no_other_rig_waiting(
    organisation, rig, script, monkeypatch
):
    monkeypatch.setattr(listener_module, "PATIENCE_S", 0.2)
    hung = [SimulatedNina(script, begins_at=BEGIN) for _ in range(6)]  # more than threads that write
    for nina in hung:
        nina.answers.clear()
    async with AsyncExitStack() as stack:
        for number, nina in enumerate(hung):
            await stack.enter_async_context(nina.serving())
            other = await in_thread(add_rig, organisation, slug=f"hung-{number}", by="test")
            await stack.enter_async_context(listening(other, nina))
        nina = await stack.enter_async_context(SimulatedNina(script, begins_at=BEGIN).serving())
        await stack.enter_async_context(listening(rig, nina))
        await holds(rig, lambda rig: rig.last_seq == 280)
        nina.happen(script.frames[0])
        await holds(rig, lambda rig: rig.last_seq == 281)
        hung[-1].happen(script.frames[0])
        await holds(other, lambda rig: rig.last_seq == 1)  # from the socket alone
        hung[-1].answers.set()
        await holds(other, lambda rig: rig.last_seq == 281)
        await in_thread(assert_follows_from_the_journal, other)
        for nina in hung:
            nina.answers.set()


async def test_more_frames_than_may_wait_are_read_from_the_history(rig, script, monkeypatch):
    monkeypatch.setattr(listener_module, "WAITING_FRAMES", 3)
    nina = SimulatedNina(script, begins_at=BEGIN)
    nina.answers.clear()
    async with nina.serving(), unconnected(rig, nina):
        await until(lambda: nina.sockets, what="a connection")
        played(nina, script.frames[:8])
        await until(lambda: nina.connections == 2, what="a new connection")
        nina.answers.set()
        await holds(rig, lambda rig: rig.last_seq == 280 + len(script.entries_of(script.frames[:8])))
        await in_thread(assert_follows_from_the_journal, rig)


async def test_a_listener_that_is_ended_as_the_history_arrives_ends(rig, script):
    nina = SimulatedNina(script, begins_at=BEGIN)
    nina.answers.clear()
    async with nina.serving():
        async with unconnected(rig, nina) as listener:
            await until(lambda: nina.sockets, what="a connection")
            played(nina, script.frames[:1])
            await until(lambda: listener._frames, what="a frame that waits for the history")
            listener._may_take.set()  # and in the same turn of the loop it is ended
        nina.answers.set()


async def test_a_refresh_reads_the_history_and_changes_nothing_twice(rig, script):
    async with SimulatedNina(script, begins_at=BEGIN).serving() as nina, listening(rig, nina):
        before = await fresh(rig)
        await in_thread(rebuild_now, before)
        after = await fresh(rig)
        assert (after.state, after.ingest, after.last_seq) == (before.state, before.ingest, before.last_seq)


def test_a_nina_that_is_not_there_is_named(rig):
    rig.url = "http://127.0.0.1:9"
    with pytest.raises(NinaUnreachable):
        rebuild_now(rig)
