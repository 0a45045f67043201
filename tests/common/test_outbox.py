"""What waits for one reader: bounded, in order, and whatever is left out is told as a gap."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sessionsite.common.errors import Missing
from sessionsite.common.hub.frames import error_frame, event_frame, gap_frame, heartbeat_frame, state_frame
from sessionsite.common.hub.outbox import Outbox
from sessionsite.common.live import Snapshot

TOPICS = ("session:a", "session:b", "monitor:c")


def outbox(limit_bytes: int = 2000) -> Outbox:
    return Outbox(lambda topic, after: f"/events/{topic}?after={after}", limit_bytes)


def state(topic: str, revision: int, padding: int = 0):
    return state_frame(topic, Snapshot(revision, None, {"padding": "x" * padding}))


def event(topic: str, seq: int, padding: int = 0):
    return event_frame(topic, seq, {"padding": "x" * padding})


def drained(box: Outbox) -> list[dict]:
    frames = []
    while (frame := box.take()) is not None:
        frames.append(json.loads(frame.body))
    return frames


def kinds(box: Outbox) -> list[str]:
    return [frame["type"] for frame in drained(box)]


def test_a_newer_state_takes_the_place_of_a_waiting_one():
    box = outbox()
    box.put(state("monitor:c", 1))
    box.put(event("session:a", 1))
    box.put(state("monitor:c", 2))
    assert [(f["type"], f.get("revision")) for f in drained(box)] == [("state", 2), ("event", None)]


def test_events_past_the_limit_become_one_gap_that_says_where_to_read_them():
    box = outbox(limit_bytes=1000)
    for seq in range(1, 101):
        box.put(event("session:a", seq, padding=50))
    frames = drained(box)
    assert frames == [
        {
            "type": "gap",
            "topic": "session:a",
            "after": 0,
            "upto": 100,
            "missed": 100,
            "events": "/events/session:a?after=0",
        }
    ]


def test_a_gap_stands_where_its_first_event_stood():
    box = outbox(limit_bytes=1000)
    box.put(event("session:a", 1, padding=300))
    box.put(state("monitor:c", 1))
    box.put(event("session:a", 2, padding=800))
    assert kinds(box) == ["gap", "state"]


def test_events_after_a_taken_gap_are_events_again():
    box = outbox(limit_bytes=500)
    for seq in range(1, 20):
        box.put(event("session:a", seq, padding=50))
    assert box.take().type == "gap"
    box.put(event("session:a", 20))
    assert [f["seq"] for f in drained(box)] == [20]


def test_the_gap_of_a_replay_and_a_later_overflow_cover_each_event_once():
    box = outbox(limit_bytes=3000)
    box.put(gap_frame("session:a", after=0, upto=500, address=None))
    for seq in range(501, 600):
        box.put(event("session:a", seq, padding=40))
    first = json.loads(box.take().body)
    for seq in range(600, 700):
        box.put(event("session:a", seq, padding=40))
    assert told_seqs([first, *drained(box)]) == list(range(1, 700))


def test_a_gap_behind_a_waiting_one_makes_it_longer():
    box = outbox(limit_bytes=300)
    for seq in range(1, 10):
        box.put(event("session:a", seq, padding=50))
    box.put(gap_frame("session:a", after=9, upto=20, address=None))
    box.put(event("session:a", 21))
    assert [(f["type"], f["after"], f["upto"]) for f in drained(box)] == [("gap", 0, 21)]


def test_a_new_heartbeat_replaces_the_old_one_behind_what_it_speaks_of():
    box = outbox()
    box.put(heartbeat_frame({"session:a": (1, 1)}))
    box.put(event("session:a", 2))
    box.put(heartbeat_frame({"session:a": (2, 2)}))
    frames = drained(box)
    assert [f["type"] for f in frames] == ["event", "heartbeat"]
    assert frames[1]["topics"] == {"session:a": [2, 2]}


def test_leaving_a_topic_drops_its_frames_but_not_its_errors():
    box = outbox()
    box.put(state("session:a", 1))
    box.put(event("session:a", 1))
    box.put(error_frame(Missing("gone"), "session:a"))
    box.put(state("session:b", 1))
    box.forget("session:a")
    assert [(f["type"], f["topic"]) for f in drained(box)] == [("error", "session:a"), ("state", "session:b")]
    assert box.size_bytes == 0


def test_a_closing_reader_keeps_only_the_errors():
    box = outbox()
    box.put(state("session:a", 1))
    box.put(error_frame(Missing("gone"), "session:a"))
    box.put(heartbeat_frame({}))
    box.keep_errors()
    assert kinds(box) == ["error"]


def told_seqs(frames: list[dict]) -> list[int]:
    """Every seq that events and gaps stand for, in the order they were told."""
    told: list[int] = []
    for frame in frames:
        if frame["type"] == "event":
            told.append(frame["seq"])
        elif frame["type"] == "gap":
            assert frame["missed"] == frame["upto"] - frame["after"] > 0
            told += range(frame["after"] + 1, frame["upto"] + 1)
    return told


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("state"), st.sampled_from(TOPICS), st.integers(0, 400)),
        st.tuples(st.just("event"), st.sampled_from(TOPICS), st.integers(0, 400)),
        st.tuples(st.just("gap"), st.sampled_from(TOPICS), st.integers(1, 50)),
        st.tuples(st.just("heartbeat"), st.just(""), st.just(0)),
        st.tuples(st.just("take"), st.just(""), st.integers(1, 5)),
    ),
    max_size=120,
)


@given(steps=STEPS, limit_bytes=st.integers(200, 4000))
def test_whatever_is_put_and_taken_the_reader_misses_nothing_untold(steps, limit_bytes):
    box = outbox(limit_bytes)
    revisions, seqs = dict.fromkeys(TOPICS, 0), dict.fromkeys(TOPICS, 0)
    got: list[dict] = []
    for kind, topic, number in steps:
        if kind == "state":
            revisions[topic] += 1
            box.put(state(topic, revisions[topic], padding=number))
        elif kind == "event":
            seqs[topic] += 1
            box.put(event(topic, seqs[topic], padding=number))
        elif kind == "gap":
            box.put(gap_frame(topic, after=seqs[topic], upto=seqs[topic] + number, address=None))
            seqs[topic] += number
        elif kind == "heartbeat":
            box.put(heartbeat_frame({name: (revisions[name], seqs[name]) for name in TOPICS}))
        else:
            got += [json.loads(frame.body) for frame in (box.take() for _ in range(number)) if frame]
        waiting = list(box._waiting.values())
        assert box.size_bytes == sum(frame.size for frame in waiting)
        assert not box.is_full or not any(frame.type == "event" for frame in waiting)
        assert sum(frame.type == "state" for frame in waiting) <= len(TOPICS)
    got += drained(box)
    assert len(box) == box.size_bytes == 0
    for topic in TOPICS:
        of_topic = [frame for frame in got if frame.get("topic") == topic]
        seen = [frame["revision"] for frame in of_topic if frame["type"] == "state"]
        assert seen == sorted(set(seen)), "states arrive in rising revision"
        assert not revisions[topic] or seen[-1] == revisions[topic], "the last state arrives"
        assert told_seqs(of_topic) == list(range(1, seqs[topic] + 1)), "each event once, or in one gap"
