"""Whatever NINA sends: nothing raises, and no counter of a session goes down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitoring.nina import store
from monitoring.nina.events import DEVICES, ENDS, KNOWN, scalars_key
from monitoring.nina.intake import LiveIntake, read_history
from monitoring.nina.machine import Machine, State
from monitoring.nina.matching import SETTLED, event_of
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.topic import rig_state
from monitoring.nina.unified import unified
from sessionsite.common import clock
from tests.nina.night import ZONE
from tests.nina.player import assert_follows_from_the_journal

AT = datetime(2026, 1, 1, 20, tzinfo=UTC)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
stamps = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3), timezones=st.none() | st.just(UTC)).map(
    datetime.isoformat
)
statistics = st.fixed_dictionaries(
    {},
    optional={
        "ImageType": st.sampled_from(["LIGHT", "FLAT", "DARK", "BIAS", "light", ""]) | anything,
        "Filter": st.sampled_from(["L", "Ha", ""]) | anything,
        "ExposureTime": st.sampled_from([0, 2.4, 60, 300, -1]) | anything,
        "Date": stamps | anything,
        "RmsText": st.sampled_from(['Tot: 0.26 (0.42")', 'Tot: 0.00 (0.00")', "("]) | anything,
        "Temperature": anything,
        "HFR": anything,
        "Stars": anything,
    },
)
fields = st.fixed_dictionaries(
    {"Event": st.sampled_from(sorted(KNOWN)) | st.sampled_from([f"{d}-X" for d in DEVICES]) | anything},
    optional={
        "Time": stamps | anything,
        "TargetName": st.sampled_from(["M 31", "M 42", "", []]) | anything,
        "Coordinates": st.just({"RAString": "1:2:3", "DecString": "4"}) | anything,
        "TargetEndTime": stamps | anything,
        "IsSafe": st.booleans() | anything,
        "New": st.fixed_dictionaries({"Name": anything}) | anything,
        "Previous": st.fixed_dictionaries({"Name": anything}) | anything,
        "ImageStatistics": statistics | anything,
    },
)


def counters(state: State) -> tuple:
    return (
        state.total_images,
        state.total_exposure_s,
        sum(state.images_per_filter.values()),
        state.flats["count"],
        state.darks["count"],
    )


def follow(machine: Machine, event, before: State) -> None:
    started_us, counted = machine.state.started_us, counters(machine.state)
    state = machine.apply(event)
    if state.started_us == started_us:
        assert all(now >= then for now, then in zip(counters(state), counted, strict=True))
    json.dumps(unified(state, now=AT), allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(fields | anything, st.floats(0, 400)), max_size=25))
def test_any_frames_leave_a_state_that_can_be_shown(frames):
    machine, intake, at = Machine(ZONE), LiveIntake(), AT
    for flat, pause_s in frames:
        at += timedelta(seconds=pause_s)
        if event := intake.take(json.dumps({"Response": flat}), at):
            follow(machine, event, machine.state)
    counted = intake.ingest
    assert counted.received == len(frames)
    assert counted.received == (counted.accepted + counted.duplicates + counted.malformed + counted.messages)


@settings(max_examples=150, deadline=None)
@given(st.lists(fields | anything, max_size=25), st.lists(statistics | anything, max_size=8))
def test_any_history_leaves_a_state_that_can_be_shown(entries, images):
    machine, history = Machine(ZONE), read_history(entries, images, ZONE)
    for event in history.events:
        follow(machine, event, machine.state)
    counted = history.ingest
    assert counted.received == counted.accepted + counted.duplicates + counted.malformed == len(entries)


@settings(max_examples=60, deadline=None)
@given(anything, anything)
def test_any_answer_instead_of_a_history_is_an_empty_or_a_dropped_one(entries, images):
    read_history(entries, images, ZONE)


# As a night is: mostly images and what begins, changes and ends their counting.
images = st.fixed_dictionaries({"Event": st.just("IMAGE-SAVE")}, optional={"ImageStatistics": statistics})
turns = st.fixed_dictionaries(
    {"Event": st.sampled_from(["SEQUENCE-STARTING", "SEQUENCE-FINISHED", "FLAT-COVER-CLOSED"])}
)
flats = images | images | turns | fields | anything
# "frame": it happens and is heard; "missed": only the history has it; "again": the last frame once more
steps = st.lists(
    st.tuples(
        st.sampled_from(["frame", "frame", "missed", "again", "rebuild", "rebuild without images"]),
        flats,
        st.sampled_from([0, 0.5, 2, 60]) | st.floats(0, 400),
    ),
    min_size=3,
    max_size=25,
)
START, END = {"Event": "SEQUENCE-STARTING"}, {"Event": "SEQUENCE-FINISHED"}
IMAGE = {"Event": "IMAGE-SAVE"}
DARK = {**IMAGE, "ImageStatistics": {"ImageType": "DARK", "ExposureTime": 60}}


class History:
    """What NINA holds: entries and images, each image a millisecond older than the entry of its event."""

    def __init__(self) -> None:
        self.entries: list = []
        self.images: list = []

    def happen(self, flat, at: datetime):
        """The frame of it, with the statistics that the socket tells."""
        if not isinstance(flat, dict):
            self.entries.append(flat)
            return flat
        found = flat.get("ImageStatistics")
        if isinstance(found, dict) and flat["Event"] == "IMAGE-SAVE":
            found = {**found, "Date": (at - timedelta(milliseconds=1)).isoformat()}
            self.images.append(found)
            flat = {**flat, "ImageStatistics": found}
        kept = {name: value for name, value in flat.items() if name != "ImageStatistics"}
        self.entries.append({**kept, "Time": at.isoformat()})
        return flat


def kinds_counted(rig) -> dict[int, tuple]:
    """{event's number: how it counts} for what counts in the newest session, in one replay of the journal."""
    rig.refresh_from_db()
    machine, found = Machine(rig.zone), {}
    for row in store.in_order_of_the_night(RigEvent.objects.filter(rig=rig).counted()):
        before, started_us = counters(machine.state), machine.state.started_us
        after = counters(machine.apply(event_of(row)))
        if machine.state.started_us != started_us:
            found, before = {}, (0,) * len(after)
        gained = tuple(round(now - then, 6) for now, then in zip(after, before, strict=True))
        if any(gained):
            found[row.seq] = gained
    return found


def check_what_a_rebuild_took(rig, before: dict[int, tuple], unknown: set[int], known: set[int]) -> None:
    """Whatever counts no more, or as something else, is one of the cases that docs/nina.md names."""
    now = kinds_counted(rig)
    rows = {row.seq: row for row in RigEvent.objects.filter(rig=rig)}
    ends = [row.at for row in rows.values() if row.type in ENDS and row.seq not in known]
    named = {scalars_key(event_of(row)) for row in rows.values() if row.index is not None}
    for seq in before:
        if now.get(seq) == before[seq]:
            continue
        is_of_another_kind = seq in unknown and (seq in now or event_of(rows[seq]).statistics)
        is_after_a_missed_end = any(at <= rows[seq].at for at in ends)
        is_a_repeat = rows[seq].is_repeat and scalars_key(event_of(rows[seq])) in named
        assert is_a_repeat or is_of_another_kind or is_after_a_missed_end, rows[seq].raw


def without_statistics(rig) -> set[int]:
    rows = RigEvent.objects.filter(rig=rig, type="IMAGE-SAVE")
    return {row.seq for row in rows if not event_of(row).statistics}


@pytest.mark.django_db
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("frame", START, 0), ("frame", IMAGE, 60), ("again", None, 2), ("rebuild", None, 2)])
@example(
    [("missed", START, 0), ("missed", DARK, 60), ("rebuild without images", None, 2), ("rebuild", None, 2)]
)
@example([("frame", START, 0), ("missed", END, 60), ("frame", IMAGE, 2), ("rebuild", None, 2)])
@given(steps)
def test_whatever_comes_is_stored_and_the_state_follows_from_it(rig, steps):
    """Frames, repeats, events that only the history has, and rebuilds, in any order: nothing raises, and no
    counter of a session goes down without a reason that is named.
    """
    with transaction.atomic():
        intake, nina, last, at = LiveIntake(), History(), None, AT
        for kind, flat, pause_s in steps:
            at += timedelta(seconds=pause_s)
            before = State.from_json(Rig.objects.get(pk=rig.pk).state)
            if kind.startswith("rebuild"):
                rebuild(rig, nina, before, [] if "without" in kind else [*nina.images, flat])
                continue
            frame = nina.happen(flat, at) if kind != "again" else last
            last = frame if kind == "frame" else last
            event = intake.take(json.dumps({"Response": frame}), at) if kind != "missed" else None
            if event is not None:
                after = State.from_json(store.receive(rig.pk, [event]).state)
                if after.started_us == before.started_us:
                    assert is_no_less(after, before)
        assert_follows_from_the_journal(rig)
        json.dumps(rig_state(Rig.objects.for_messages().get(pk=rig.pk)), allow_nan=False)
        transaction.set_rollback(True)


def rebuild(rig, nina: History, before: State, images: list) -> None:
    counted, unknown = kinds_counted(rig), without_statistics(rig)
    known = set(RigEvent.objects.filter(rig=rig).values_list("seq", flat=True))
    after = store.rebuild(
        rig.pk,
        application_start="one",
        entries=list(nina.entries),
        images=images,
        asked_at=clock.now() + 2 * SETTLED,  # every frame had arrived long before
    )
    after = State.from_json(after.state)
    if after.started_us == before.started_us and not is_no_less(after, before):
        check_what_a_rebuild_took(rig, counted, unknown, known)


def is_no_less(after: State, before: State) -> bool:
    return all(now >= then for now, then in zip(counters(after), counters(before), strict=True))
