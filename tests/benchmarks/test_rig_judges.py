"""What the benchmark of a telescope's nights finds: missing events, memory that is kept, dead tasks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from benchmarks.lib.rig.days import until_over
from benchmarks.lib.rig.growth import growth, watch
from benchmarks.lib.rig.judging import compared, events_of
from benchmarks.lib.rig.recording import history_of, live_night, nothing_happens
from benchmarks.lib.rig.report import DAY_SLOPE_MIB, MALLOC_MIB, OBJECTS_PER_EVENT
from monitoring.nina.simulator import SimulatedNina
from sessionsite.common.clock import iso

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def nina():
    """Two of its nights are over, with a restart after each."""
    nina = SimulatedNina(nothing_happens())
    for days in (0, 1):
        nina.history, nina.images = history_of(1, NOON + timedelta(days=days))
        nina.restart()
    return nina


@pytest.fixture
def stored(nina):
    """The journal of a server that has every event once."""
    told = [(event.type, iso(event.at)) for event in events_of(nina)]
    return [{"type": name, "at": at, "is_live": False, "is_repeat": False, "data": {}} for name, at in told]


def test_every_event_that_restarts_have_taken_is_looked_for(nina, stored):
    found = compared(events_of(nina), stored)
    assert found["events_in_nina"] == found["events_stored"] == len(stored) > 600
    assert (found["lost"], found["counted_twice"]) == ([], [])


def test_an_event_of_a_past_night_that_is_not_stored_is_named(nina, stored):
    gone = stored.pop(5)
    assert compared(events_of(nina), stored)["lost"] == [f"{gone['type']} {gone['at']}"]


def test_an_event_that_counts_twice_is_named_and_a_marked_repeat_is_not(nina, stored):
    again = [{**stored[5]}, {**stored[6], "is_repeat": True}]
    found = compared(events_of(nina), stored + again)
    assert found["counted_twice"] == [f"{stored[5]['type']} {stored[5]['at']}"]
    assert (found["lost"], found["repeats"]) == ([], 1)


def test_a_night_begins_at_its_hour_and_is_cut_off_with_the_time():
    whole, evening = live_night(NOON, hours=20), live_night(NOON, hours=3)
    assert whole[0].at == evening[0].at == NOON
    assert evening == whole[: len(evening)] and evening[-1].at <= NOON + timedelta(hours=3)
    assert 10 < len(evening) < len(whole)


def samples(**kept_per_event: float) -> list[dict]:
    """Of a server that keeps so much of each event, and otherwise holds what it held."""
    held = {"objects": 700_000, "malloc_mib": 30.0, "own_mib": 100.0, "used_mib": 95.0, "sqlite_mib": 4.0}
    return [
        {"at_s": 5.0 * n, "events": 40 * n}
        | {name: value + 40 * n * kept_per_event.get(name, 0) for name, value in held.items()}
        for n in range(40)
    ]


def test_a_server_that_keeps_nothing_does_not_grow():
    found = growth(samples(), speed=60)
    assert (found["objects_per_event"], found["last_quarter_malloc_mib"]) == (0, 0)
    assert (found["last_quarter_own_mib"], found["slope_mib_per_simulated_hour"]) == (0, 0)
    assert found["used_slope_mib_per_simulated_hour"] == 0


def test_a_server_that_keeps_the_smallest_event_is_beyond_both_limits():
    found = growth(samples(objects=6, malloc_mib=1 / 400, used_mib=1 / 1600), speed=60)
    assert found["objects_per_event"] == 6 > OBJECTS_PER_EVENT["day"]
    assert found["last_quarter_malloc_mib"] == 1 > MALLOC_MIB
    assert found["used_slope_mib_per_simulated_hour"] == pytest.approx(0.3)
    assert DAY_SLOPE_MIB < 0.3


@pytest.mark.parametrize("is_work", [True, False])
async def test_a_task_that_dies_meanwhile_ends_the_run(is_work):
    async def dies():
        raise RuntimeError("the server does not answer any more")

    forever = asyncio.Event().wait()
    with pytest.raises(ExceptionGroup) as found:
        await until_over(*(([dies()], [forever]) if is_work else ([forever], [dies()])))
    assert [str(error) for error in found.value.exceptions] == ["the server does not answer any more"]


async def test_a_server_that_has_ended_is_noticed(tmp_path):
    ended = SimpleNamespace(process=SimpleNamespace(poll=lambda: 1))
    with pytest.raises(RuntimeError, match="does not tell"):
        await watch(ended, tmp_path / "memory.json", [], [])
