"""Whatever NINA sends: nothing raises, and no counter of a session goes down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.nina import store
from monitoring.nina.events import DEVICES, KNOWN
from monitoring.nina.intake import LiveIntake, read_history
from monitoring.nina.machine import Machine, State
from monitoring.nina.models import Rig
from monitoring.nina.topic import rig_state
from monitoring.nina.unified import unified
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


steps = st.lists(
    st.tuples(st.sampled_from(["frame", "missed", "rebuild"]), fields | anything, st.floats(0, 400))
)


@pytest.mark.django_db
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_comes_is_stored_and_the_state_follows_from_it(rig, steps):
    """Frames, events that only the history has, and rebuilds, in any order: nothing raises."""
    with transaction.atomic():
        intake, entries, at = LiveIntake(), [], AT
        for kind, flat, pause_s in steps:
            at += timedelta(seconds=pause_s)
            before = State.from_json(Rig.objects.get(pk=rig.pk).state)
            if kind == "rebuild":
                store.rebuild(rig.pk, application_start="one", entries=list(entries), images=[flat])
                continue
            entries.append({**flat, "Time": at.isoformat()} if isinstance(flat, dict) else flat)
            event = intake.take(json.dumps({"Response": flat}), at) if kind == "frame" else None
            if event is not None:
                after = State.from_json(store.receive(rig.pk, [event]).state)
                if after.started_us == before.started_us:
                    assert all(
                        now >= then for now, then in zip(counters(after), counters(before), strict=True)
                    )
        assert_follows_from_the_journal(rig)
        json.dumps(rig_state(Rig.objects.for_messages().get(pk=rig.pk)), allow_nan=False)
        transaction.set_rollback(True)
