"""The hub between the database and its readers, on topics kept in memory."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import replace

import pytest

from sessionsite.common import hub as hub_module
from sessionsite.common import live
from sessionsite.common.hub import TooManyReaders, TooManyTopics, feed, get_hub, shutdown, stats
from sessionsite.common.hub.reader import ACK_WINDOW
from sessionsite.common.live import NoEvents, Topic, UnknownTopic
from tests.common.things import ANN, Card, Gate, Listener
from tests.waiting import PATIENCE_S, live_tasks, until


@pytest.fixture
async def hub(things, settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    yield get_hub()
    await shutdown()
    await until(lambda: not live_tasks(), what="no task is left")


@pytest.fixture
def often(monkeypatch) -> None:
    """What happens once a second, or every 15 s, happens all the time."""
    monkeypatch.setattr(hub_module, "CHECK_INTERVAL_S", 0.02)
    monkeypatch.setattr(hub_module, "CREDENTIALS_S", 0.02)


@pytest.fixture
def seldom(monkeypatch) -> None:
    """The check of each second does not come while the test lasts."""
    monkeypatch.setattr(hub_module, "CHECK_INTERVAL_S", 4 * PATIENCE_S)


# --- snapshot and changes -----------------------------------------------------------------------------------


async def test_a_reader_gets_a_snapshot_then_each_change(hub, things):
    ann = await Listener(hub).follow("thing:a")
    things.change("a")
    await ann.sees(1)
    assert [frame["type"] for frame in ann.frames] == ["snapshot", "state"]
    assert ann.frames[0] | {"at": ""} == {
        "type": "snapshot",
        "topic": "thing:a",
        "revision": 0,
        "seq": 0,
        "at": "",
        "data": {"revision": 0},
    }
    assert ann.frames[1]["data"] == {"revision": 1}


async def test_a_change_while_the_first_reader_joins_is_not_missed(seldom, hub, things):
    things.snapshot_gate.shut()
    ann = Listener(hub)
    joining = asyncio.create_task(ann.follow("thing:a"))
    await things.snapshot_gate.reached()
    things.change("a")  # after the read, before the reader is ready
    await asyncio.sleep(0)
    things.snapshot_gate.open()
    await joining
    await ann.sees(1)  # by the wake-up, not by the check of each second


async def test_a_change_while_a_second_reader_joins_reaches_both_once(hub, things):
    ann = await Listener(hub).follow("thing:a")
    bob = Listener(hub)
    things.events_gate.shut()
    joining = asyncio.create_task(bob.follow("thing:a", after=0))
    things.append("a")
    await things.events_gate.reached()
    things.append("a")
    things.events_gate.open()
    await joining
    await until(lambda: ann.seqs == [1, 2] and bob.seqs == [1, 2], what="both saw both events")


async def test_what_others_got_during_a_replay_follows_it_in_order(hub, things):
    """The reader is given nothing live until its replay has caught up, and catching up takes time, too."""
    things.make("a", events=3)
    ann = await Listener(hub).follow("thing:a", after=3)
    bob = Listener(hub)
    things.held_after = 0
    things.events_gate.shut()
    joining = asyncio.create_task(bob.follow("thing:a", after=0))
    await things.events_gate.reached()
    for _ in range(3):
        things.append("a")
    await until(lambda: ann.seqs == [4, 5, 6], what="the first reader has the news")
    things.held_after = 3
    things.events_gate.open()
    await asyncio.sleep(0)
    things.events_gate.shut()
    await things.events_gate.reached()
    things.append("a")
    await until(lambda: ann.seqs == [4, 5, 6, 7], what="the first reader has more news")
    things.events_gate.open()
    await joining
    await until(lambda: len(bob.seqs) >= 7, what="the second reader has all")
    assert bob.seqs == [1, 2, 3, 4, 5, 6, 7]


async def test_many_readers_joining_during_changes_all_end_with_the_same_truth(hub, things, monkeypatch):
    """Old snapshot + pushes = new snapshot, for readers that come at any moment."""
    monkeypatch.setattr(feed, "FRAME_INTERVAL_S", 0.005)
    chance = random.Random(7)
    readers: list[Listener] = []

    async def join() -> None:
        await asyncio.sleep(chance.uniform(0, 0.2))
        reader = Listener(hub)
        readers.append(reader)
        await reader.follow("thing:a", after=0)

    async def write() -> None:
        for number in range(120):
            things.append("a")
            things.change("a", urgent=number % 10 == 0, announce=chance.random() < 0.8)
            await asyncio.sleep(chance.uniform(0, 0.004))

    await asyncio.gather(write(), *(join() for _ in range(25)))
    things.change("a")
    for reader in readers:
        await reader.sees(121)
        await until(lambda reader=reader: len(reader.seqs) >= 120, what="all events")
        assert reader.seqs == list(range(1, 121))
        revisions = [frame["revision"] for frame in reader.frames if "revision" in frame]
        assert revisions == sorted(set(revisions))


async def test_one_read_serves_every_reader(hub, things):
    readers = [await Listener(hub).follow("thing:a") for _ in range(20)]
    before = things.reads
    things.change("a")
    for reader in readers:
        await reader.sees(1)
    assert things.reads == before + 1


# --- pace ---------------------------------------------------------------------------------------------------


async def test_changes_come_at_most_ten_times_a_second_and_the_last_one_arrives(hub, things):
    ann = await Listener(hub).follow("thing:a")
    begun, changes = time.monotonic(), 0
    while changes < 50 or time.monotonic() - begun < 0.5:
        things.change("a")
        changes += 1
        await asyncio.sleep(0.005)
    await ann.sees(things.things["a"].revision)
    most = 3 + (time.monotonic() - begun) / feed.FRAME_INTERVAL_S
    assert 2 <= len(ann.of("state")) <= most
    assert ann.of("state")[-1]["revision"] == things.things["a"].revision


async def test_an_urgent_change_is_not_held_back(hub, things, monkeypatch):
    monkeypatch.setattr(feed, "FRAME_INTERVAL_S", 30.0)
    ann = await Listener(hub).follow("thing:a")
    things.change("a")
    await ann.sees(1)
    things.change("a")
    await asyncio.sleep(0.05)
    assert ann.revision == 1
    things.change("a", urgent=True)
    await ann.sees(3, within_s=15)


async def test_a_write_that_nobody_announced_is_seen_within_about_a_second(hub, things):
    ann, waits = await Listener(hub).follow("thing:a"), []
    while len(waits) < 4 and min(waits, default=9.0) >= 1.4:  # other tests share the machine
        begun, number = time.monotonic(), len(waits) + 1
        things.change("a", announce=False)
        things.append("a", announce=False)
        await ann.sees(number)
        await until(lambda number=number: ann.seqs == [*range(1, number + 1)])
        waits.append(time.monotonic() - begun)
    assert min(waits) < 1.4, waits


async def test_a_read_that_fails_is_tried_again(hub, things, monkeypatch):
    monkeypatch.setattr(feed, "RETRY_S", 0.02)
    ann = await Listener(hub).follow("thing:a")
    things.failures = 2
    things.change("a")
    await ann.sees(1)


async def test_a_look_that_fails_falls_back_to_the_next_at_once(hub, things, monkeypatch):
    monkeypatch.setattr(feed, "RETRY_S", 30.0)
    ann = await Listener(hub).follow("thing:a")
    things.failures = 1
    things.change("a", urgent=True)
    await ann.sees(1, within_s=2)


async def test_what_was_read_before_a_reader_joined_does_not_take_it_back(hub, things):
    ann = await Listener(hub).follow("thing:a")
    held = things.snapshot_gate
    held.shut()
    things.change("a", urgent=True)
    await held.reached()  # a thread has read revision 1
    things.snapshot_gate = Gate()
    things.change("a", announce=False)
    bob = await Listener(hub).follow("thing:a")
    held.open()
    await ann.sees(2)
    for reader, revisions in ((ann, [0, 1, 2]), (bob, [2])):
        await until(lambda reader=reader, last=revisions[-1]: reader.revision == last)
        assert [frame["revision"] for frame in reader.frames] == revisions


async def test_a_change_during_a_look_is_looked_for_again(hub, things):
    ann = await Listener(hub).follow("thing:a")
    things.snapshot_gate.shut()
    things.change("a", urgent=True)
    await things.snapshot_gate.reached()
    things.change("a", urgent=True)
    things.snapshot_gate.open()
    await ann.sees(2, within_s=0.8)  # by the wake-up, not by the check of each second


async def test_commits_in_many_threads_end_with_the_last_and_never_go_back(hub, things, monkeypatch):
    monkeypatch.setattr(feed, "FRAME_INTERVAL_S", 0.002)
    readers = [await Listener(hub).follow("thing:a") for _ in range(3)]
    one_at_a_time = threading.Lock()

    def write(number: int) -> None:
        for each in range(60):
            with one_at_a_time:  # as the database does
                things.append("a", announce=False)
                things.change("a", announce=False)
                thing = things.things["a"]
                revision, seq = thing.revision, len(thing.events)
            live._wake("thing:a", revision, seq, (number + each) % 3 == 0)

    await asyncio.gather(*(asyncio.to_thread(write, number) for number in range(4)))
    for reader in readers:
        await reader.sees(240, within_s=0.8)
        await until(lambda reader=reader: len(reader.seqs) >= 240, what="all events")
        assert reader.seqs == list(range(1, 241))
        revisions = [frame["revision"] for frame in reader.frames if "revision" in frame]
        assert revisions == sorted(set(revisions))


async def test_a_commit_that_nobody_here_reads_does_not_wake_the_loop(hub, things, monkeypatch):
    called: list[object] = []
    monkeypatch.setattr(hub, "_on_own_commit", lambda *change: called.append(change))
    things.make("b")
    await Listener(hub).follow("thing:a")
    things.change("b", urgent=True)
    await asyncio.sleep(0)
    assert called == []


# --- events -------------------------------------------------------------------------------------------------


async def test_after_replays_what_came_since(hub, things):
    things.make("a", events=10)
    ann = await Listener(hub).follow("thing:a", after=7)
    await until(lambda: ann.seqs == [8, 9, 10])
    assert ann.of("snapshot")[0]["seq"] == 10


async def test_without_after_nothing_is_replayed(hub, things):
    things.make("a", events=10)
    ann = await Listener(hub).follow("thing:a")
    things.append("a")
    await until(lambda: ann.seqs == [11])


async def test_an_after_from_the_future_begins_now(hub, things):
    things.make("a", events=2)
    ann = await Listener(hub).follow("thing:a", after=99)
    things.append("a")
    await until(lambda: ann.seqs == [3])


async def test_more_than_a_thousand_missed_events_are_a_gap_then_the_newest_thousand(hub, things):
    things.make("a", events=1500)
    ann = await Listener(hub).follow("thing:a", after=100)
    await until(lambda: ann.seqs and ann.seqs[-1] == 1500)
    assert [frame["type"] for frame in ann.frames[:2]] == ["snapshot", "gap"]
    assert ann.frames[1] == {
        "type": "gap",
        "topic": "thing:a",
        "after": 100,
        "upto": 500,
        "missed": 400,
        "events": "/things/a/events/?after=100",
    }
    assert ann.seqs == list(range(501, 1501))


async def test_a_wake_up_before_the_first_snapshot_does_not_read_the_whole_journal(hub, things):
    things.make("a", events=2000)
    things.snapshot_gate.shut()
    ann = Listener(hub)
    joining = asyncio.create_task(ann.follow("thing:a"))
    await things.snapshot_gate.reached()
    things.append("a")
    await asyncio.sleep(0.05)
    things.snapshot_gate.open()
    await joining
    await until(lambda: ann.seqs == [2001])
    assert things.event_reads == 1


async def test_after_is_refused_where_there_are_only_states(hub, things, monkeypatch):
    monkeypatch.setattr(things, "has_events", False)
    with pytest.raises(NoEvents):
        await Listener(hub).follow("thing:a", after=0)


# --- coming and going ---------------------------------------------------------------------------------------


async def test_unknown_and_foreign_topics_look_the_same(hub, things):
    things.make("hidden")
    things.hidden.add("hidden")
    refusals = []
    for topic in ("thing:hidden", "thing:nothing", "nothing:a"):
        with pytest.raises(UnknownTopic) as caught:
            await Listener(hub).follow(topic)
        refusals.append(str(caught.value.as_json()).replace(topic, "TOPIC"))
    assert len(set(refusals)) == 1
    assert hub.feeds == {}


@pytest.mark.parametrize(
    "topic",
    ["", "thing", "thing:", ":a", "thing:a b", "thing:\x00", "thing:ä", "thing:a:b", "thing:" + "a" * 200],
)
async def test_a_name_that_cannot_be_is_unknown(hub, things, topic):
    with pytest.raises(UnknownTopic):
        await Listener(hub).follow(topic)


async def test_a_topic_that_vanishes_is_told_and_left(hub, things, often):
    ann = await Listener(hub).follow("thing:a")
    del things.things["a"]
    await until(lambda: ann.of("error"))
    assert ann.of("error")[0]["code"] == "gone"
    assert ann.of("error")[0]["topic"] == "thing:a"
    assert hub.feeds == {} and ann.close_code is None


async def test_the_last_reader_of_a_topic_takes_its_feed_along(hub, things):
    ann, bob = await Listener(hub).follow("thing:a"), await Listener(hub).follow("thing:a")
    await until(lambda: ann.frames and bob.frames)
    ann.reader.leave("thing:a")
    assert list(hub.feeds) == ["thing:a"]
    bob.reader.leave("thing:a")
    assert hub.feeds == {}
    things.change("a")
    await asyncio.sleep(0.05)
    assert ann.revision == bob.revision == 0


async def test_a_second_subscription_starts_the_topic_anew(hub, things):
    things.make("a", events=3)
    ann = await Listener(hub, opens=False).follow("thing:a", after=0)
    await ann.follow("thing:a", after=1)
    ann.reader.open()
    await until(lambda: len(ann.frames) >= 3)
    assert [frame["type"] for frame in ann.frames] == ["snapshot", "event", "event"]


@pytest.mark.parametrize("gate", ["asked", "snapshot_gate", "events_gate"])
async def test_a_reader_that_leaves_while_it_joins_leaves_nothing_behind(hub, things, gate):
    things.make("a", events=5)
    ann = Listener(hub)
    held: object = getattr(things, gate)
    held.shut()
    joining = asyncio.create_task(ann.follow("thing:a", after=0))
    await held.reached()
    ann.reader.close(1000)
    held.open()
    await joining
    assert hub.feeds == {} and not hub.readers and ann.seqs == []


async def test_rights_lost_while_joining_are_asked_again(hub, things):
    ann = Listener(hub)
    things.asked.shut()
    joining = asyncio.create_task(ann.follow("thing:a"))
    await things.asked.reached()
    things.hidden.add("a")
    await hub.change_caller(ann.reader, replace(ANN, name="ann, demoted"), Card())
    things.asked.open()
    with pytest.raises(UnknownTopic):
        await joining


async def test_a_failed_join_leaves_nothing_behind(hub, things):
    ann = Listener(hub)
    things.failures = 1
    with pytest.raises(OSError):
        await ann.follow("thing:a")
    assert hub.feeds == {} and ann.reader.feeds == {}


async def test_the_number_of_topics_of_one_reader_is_bounded(hub, things, monkeypatch):
    monkeypatch.setattr(hub_module, "TOPICS_PER_READER", 2)
    ann = Listener(hub)
    for name in ("b", "c", "d"):
        things.make(name)
    await ann.follow("thing:b")
    await ann.follow("thing:c")
    with pytest.raises(TooManyTopics):
        await ann.follow("thing:d")
    await ann.follow("thing:c")  # anew is not more


async def test_the_number_of_readers_of_one_credential_is_bounded(hub, things, monkeypatch):
    monkeypatch.setattr(hub_module, "READERS_PER_CREDENTIAL", 2)
    card = Card()
    first = Listener(hub, card)
    Listener(hub, card)
    with pytest.raises(TooManyReaders):
        Listener(hub, card)
    first.reader.close(1000)
    Listener(hub, card)
    Listener(hub, Card())


async def test_a_hundred_readers_at_once_make_one_feed_and_one_subscription(hub, things, monkeypatch):
    listened: list[str] = []
    monkeypatch.setattr(hub.relay, "listen", listened.append)
    readers = [Listener(hub) for _ in range(100)]
    await asyncio.gather(*(reader.follow("thing:a") for reader in readers))
    assert listened == ["thing:a"] and len(hub.feeds) == 1
    things.change("a")
    for reader in readers:
        await reader.sees(1)


# --- rights -------------------------------------------------------------------------------------------------


async def test_a_dead_credential_closes_its_readers(hub, things, often):
    card = Card()
    ann, bob = await Listener(hub, card).follow("thing:a"), await Listener(hub).follow("thing:a")
    card.caller = None
    await until(lambda: ann.close_code == 4401)
    things.change("a")
    await bob.sees(1)
    assert ann.revision == 0 and bob.close_code is None


@pytest.mark.parametrize("found", [None, replace(ANN, name="no rights")])
async def test_what_is_found_of_a_credential_does_not_concern_who_shows_another_one_by_now(
    seldom, hub, things, monkeypatch, found
):
    card, other = Card(), Card()
    ann = await Listener(hub, card).follow("thing:a")
    ask = hub_module.read_in_thread

    async def ask_slowly(func, *args):
        if func is not hub_module._callers_of:
            return await ask(func, *args)
        await hub.change_caller(ann.reader, ANN, other)
        return {card: found}

    monkeypatch.setattr(hub_module, "read_in_thread", ask_slowly)
    monkeypatch.setattr(hub_module, "CREDENTIALS_S", 0)
    await hub.check_credentials()
    assert (ann.close_code, ann.reader.caller, list(ann.reader.feeds)) == (None, ANN, ["thing:a"])


async def test_topics_are_not_taken_from_who_became_somebody_else_while_they_were_asked_about(
    seldom, hub, things, monkeypatch
):
    ann = await Listener(hub).follow("thing:a")
    ask, nobody = hub_module.read_in_thread, replace(ANN, name="nobody")

    async def ask_slowly(func, caller, *args):
        if caller is nobody:
            await hub.change_caller(ann.reader, ANN, Card())
            return False
        return await ask(func, caller, *args)

    monkeypatch.setattr(hub_module, "read_in_thread", ask_slowly)
    await hub.change_caller(ann.reader, nobody, Card())
    assert (ann.close_code, ann.reader.caller, list(ann.reader.feeds)) == (None, ANN, ["thing:a"])


def test_a_revoked_credential_is_noticed_within_five_seconds():
    # A check is due every CREDENTIALS_S and made by the next tick.
    assert hub_module.CREDENTIALS_S + 2 * hub_module.CHECK_INTERVAL_S < 5


async def test_lost_rights_are_told_and_end_a_reader_without_topics(hub, things, often):
    card = Card()
    ann = Listener(hub, card)
    things.make("b")
    await ann.follow("thing:a")
    await ann.follow("thing:b")
    things.hidden.add("a")
    card.caller = replace(ANN, rights={1: frozenset({"read"})})
    await until(lambda: ann.of("error"))
    assert ann.of("error")[0]["topic"] == "thing:a" and ann.close_code is None
    things.hidden.add("b")
    card.caller = replace(ANN, rights={})
    await until(lambda: ann.close_code == 4403)
    await ann.reader.say_why()
    assert [error["topic"] for error in ann.of("error")] == ["thing:a", "thing:b"]
    assert hub.feeds == {}


async def test_lost_rights_that_could_not_be_asked_for_once_are_asked_for_again(
    hub, things, often, monkeypatch
):
    card, failures = Card(), [OSError("the database does not answer")]
    ann = await Listener(hub, card).follow("thing:a")
    authorise = things.authorise

    def fail_once(caller, name: str) -> bool:
        if failures:
            raise failures.pop()
        return authorise(caller, name)

    monkeypatch.setattr(things, "authorise", fail_once)
    things.hidden.add("a")
    card.caller = replace(ANN, rights={1: frozenset({"read"})})
    await until(lambda: ann.close_code == 4403)
    assert failures == [] and hub.feeds == {}


async def test_somebody_else_on_the_same_connection_keeps_only_what_is_theirs(hub, things):
    ann = await Listener(hub).follow("thing:a")
    things.hidden.add("a")
    await hub.change_caller(ann.reader, replace(ANN, name="bob"), Card())
    assert ann.close_code == 4403 and ann.reader.feeds == {}


async def test_who_becomes_somebody_else_after_the_connection_closed_is_counted_for_nobody(
    hub, things, monkeypatch
):
    monkeypatch.setattr(hub_module, "READERS_PER_CREDENTIAL", 1)
    before, after = Card(), Card()
    gone = Listener(hub, before)
    gone.reader.close(1000)
    await hub.change_caller(gone.reader, replace(ANN, name="bob"), after)
    for card in (before, after):
        Listener(hub, card)
        with pytest.raises(TooManyReaders):
            Listener(hub, card)


# --- signs of life ------------------------------------------------------------------------------------------


async def test_heartbeats_carry_the_numbers_of_every_topic(hub, things, often, monkeypatch):
    monkeypatch.setattr(hub_module, "HEARTBEAT_S", 0.05)
    things.make("b", events=4)
    ann = await Listener(hub).follow("thing:a")
    await ann.follow("thing:b")
    things.change("a")
    await ann.sees(1)
    seen = len(ann.frames)
    await until(lambda: [frame for frame in ann.frames[seen:] if frame["type"] == "heartbeat"])
    assert ann.of("heartbeat")[-1]["topics"] == {"thing:a": [1, 0], "thing:b": [0, 4]}


async def test_a_slow_reader_is_folded_then_closed_while_others_go_on(hub, things, often, monkeypatch):
    monkeypatch.setattr(hub_module, "SLOW_LIMIT_S", 0.3)
    monkeypatch.setattr(feed, "FRAME_INTERVAL_S", 0.001)
    slow, quick = Listener(hub), Listener(hub)
    slow.reader.outbox.limit_bytes = 500
    slow.may_send.clear()
    for reader in (slow, quick):
        await reader.follow("thing:a")
    for _ in range(60):
        things.append("a")
        things.change("a", urgent=True)
        await asyncio.sleep(0.001)
    await until(lambda: len(quick.seqs) == 60)
    assert slow.reader.outbox.size_bytes < 1000
    await until(lambda: slow.close_code == 4408)
    assert quick.close_code is None


@pytest.mark.parametrize("uses_acks", [False, True])
async def test_a_reader_is_too_slow_after_a_minute_in_which_it_took_nothing_and_never_before(
    hub, things, monkeypatch, uses_acks
):
    now_s = [float(int(hub.time()))]  # whole seconds: sums of them are exact
    monkeypatch.setattr(hub, "time", lambda: now_s[0])
    slow = await Listener(hub, uses_acks=uses_acks).follow("thing:a")

    async def fall_behind() -> None:
        slow.may_send.clear() if not uses_acks else None
        for _ in range(ACK_WINDOW + 1):
            things.append("a")
        await until(lambda: slow.reader.stuck_since is not None)

    def is_closed_after(seconds: float) -> bool:
        now_s[0] += seconds
        hub.close_slow()
        return slow.close_code is not None

    await fall_behind()
    for _ in range(3):  # a frame in each minute is enough
        assert not is_closed_after(hub_module.SLOW_LIMIT_S)
        slow.may_send.set()
        slow.reader.ack(slow.reader.sent_frames)
        await until(lambda: slow.reader.stuck_since is None)
        await fall_behind()
    assert not is_closed_after(hub_module.SLOW_LIMIT_S)
    assert is_closed_after(0.1)
    assert slow.close_code == 4408


async def test_a_connection_that_breaks_ends_its_reader_only(hub, things):
    ann, bob = Listener(hub), await Listener(hub).follow("thing:a")

    async def broken(frame) -> None:
        raise ConnectionResetError

    ann.reader._send = broken
    await ann.follow("thing:a")
    await until(lambda: ann.close_code is not None)
    things.change("a")
    await bob.sees(1)


async def test_commands_wait_while_the_outbox_is_full(hub, things):
    things.make("a", events=50)
    ann = Listener(hub)
    ann.reader.outbox.limit_bytes = 100
    ann.may_send.clear()
    await ann.follow("thing:a")
    for _ in range(3):
        things.change("a", urgent=True)
        await asyncio.sleep(0.02)
    waiting = asyncio.create_task(ann.reader.room())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    ann.may_send.set()
    await asyncio.wait_for(waiting, PATIENCE_S)


async def test_a_replay_that_waits_holds_up_the_next_command(hub, things):
    """So that a reader that takes nothing cannot pile up replay on replay."""
    things.make("a", events=200)
    ann = Listener(hub)
    ann.reader.outbox.limit_bytes = 1000
    ann.may_send.clear()
    await ann.follow("thing:a", after=0)
    waiting = asyncio.create_task(ann.reader.room())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    ann.may_send.set()
    await asyncio.wait_for(waiting, PATIENCE_S)
    await until(lambda: ann.seqs == list(range(1, 201)), what="the replay is whole")


async def test_a_stream_ends_with_its_topic_and_a_socket_does_not(hub, things):
    things.make("a", events=2)
    socket = await Listener(hub).follow("thing:a")
    stream = await Listener(hub, ends_with_topic=True).follow("thing:a")
    things.things["a"].is_finished = True
    things.change("a", urgent=True)
    await until(lambda: stream.close_code == 1000)
    assert stream.revision == 1
    await socket.sees(1)
    assert socket.close_code is None


async def test_shutdown_tells_every_reader_to_come_back(hub, things):
    ann, bob = await Listener(hub).follow("thing:a"), Listener(hub)
    await shutdown()
    assert ann.close_code == bob.close_code == 4012
    assert hub.feeds == {} and not hub.readers
    assert hub.on_commit not in live._registry.listeners


async def test_nothing_runs_on_after_the_last_reader_left(hub, things):
    ann = await Listener(hub).follow("thing:a")
    things.change("a")
    await ann.sees(1)
    ann.reader.close(1000)
    await until(lambda: not live_tasks(), what="no task is left")


async def test_the_health_page_counts_readers_and_topics(hub, things):
    things.make("b")
    ann = await Listener(hub).follow("thing:a")
    await ann.follow("thing:b")
    Listener(hub)
    told = stats([hub])
    assert (told["readers"], told["topics"], told["layer"]) == (2, 2, "memory")


def test_the_hub_of_a_loop_that_ended_is_forgotten_at_the_next_commit(things):
    async def open_hub():
        return get_hub()

    hub = asyncio.run(open_hub())
    assert hub.on_commit in live._registry.listeners
    things.change("a")
    assert hub.on_commit not in live._registry.listeners
    assert hub not in hub_module._hubs.values()


def test_a_family_without_events_says_so():
    with pytest.raises(NoEvents):
        Topic().events("a", 0, 10)
    assert Topic().gap_address("a", 0) is None
