"""Background loops: supervised, leased, started once, ended in good order."""

import asyncio
import threading

import pytest
from django.utils import timezone

from sessions_app.models import Lease
from sessionsite import background
from sessionsite.common import loops
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def only(monkeypatch):
    """Registers loops that are alone in the registry for the time of a test."""
    monkeypatch.setattr(loops, "_loops", {})
    return loops.register_loop


async def test_a_loop_runs_again_and_again_until_it_is_stopped(only):
    steps = []
    only("step", 0.01, lambda: steps.append(1), leased=False)
    background.start(always=True)
    await until(lambda: len(steps) >= 3)
    await background.stop()
    after_stop = len(steps)
    await asyncio.sleep(0.05)
    assert len(steps) == after_stop
    assert background.loop_reports() == []


async def test_a_failing_loop_is_reported_and_goes_on(only, caplog):
    steps = []

    def fail_once() -> None:
        steps.append(1)
        if len(steps) == 1:
            raise ValueError("the first step")

    only("shaky", 0.01, fail_once, leased=False)
    background.start(always=True)
    await until(lambda: background.loop_reports()[0].failures == 1)
    await until(lambda: len(steps) >= 2 and not background.loop_reports()[0].last_error)
    await background.stop()
    assert "background loop shaky failed" in caplog.text


async def test_a_failing_loop_does_not_stop_the_others_of_its_interval(only):
    steps = []

    def fail() -> None:
        raise ValueError("every step")

    only("a shaky one", 0.01, fail, leased=False)
    only("b steady one", 0.01, lambda: steps.append(1), leased=False)
    background.start(always=True)
    await until(lambda: len(steps) >= 3)
    reports = {report.name: report for report in background.loop_reports()}
    await background.stop()
    assert reports["a shaky one"].last_error == "ValueError: every step"
    assert reports["b steady one"].failures == 0


async def test_loops_of_one_interval_take_turns_and_one_of_another_goes_on_beside_them(only):
    running, most, others = [0], [0], []
    is_enough = threading.Event()

    def step() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        is_enough.wait(30)
        running[0] -= 1

    only("one", 0.01, step, leased=False)
    only("two", 0.01, step, leased=False)
    only("other", 0.02, lambda: others.append(1), leased=False)
    background.start(always=True)
    await until(lambda: running == [1] and len(others) >= 3)
    is_enough.set()
    await until(lambda: all(report.runs for report in background.loop_reports()))
    await background.stop()
    assert most == [1]


async def test_starting_twice_runs_each_loop_once(only):
    running, most = [0], [0]

    def step() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        threading.Event().wait(0.02)
        running[0] -= 1

    only("single", 0.001, step, leased=False)
    background.start(always=True)
    background.start(always=True)
    await until(lambda: background.loop_reports()[0].runs >= 3)
    await background.stop()
    assert most == [1]


async def test_a_leased_loop_waits_while_another_process_holds_it(only):
    await Lease.objects.acreate(name="loop:one", holder="another", expires_at="2100-01-01T00:00:00Z")
    here, there = [], []
    only("one", 0.01, lambda: here.append(1))
    only("two", 0.01, lambda: there.append(1))
    background.start(always=True)
    await until(lambda: len(there) >= 2)
    held = {report.name: report.holds for report in background.loop_reports()}
    await background.stop()
    assert held == {"one": False, "two": True}
    assert here == []


@pytest.mark.parametrize(("interval_s", "most_s"), [(1, 30), (10, 30), (300, 330), (3600, 3630)])
async def test_what_a_killed_process_held_is_free_soon_after_its_next_step_was_due(only, interval_s, most_s):
    only("two", interval_s, lambda: None)
    begun = timezone.now()
    background.start(always=True)
    await until(lambda: background.loop_reports()[0].runs)
    lease = await Lease.objects.aget(name="loop:two")
    await background.stop()
    held_s = (lease.expires_at - begun).total_seconds()
    assert interval_s < held_s < most_s + 5


async def test_leases_are_given_back_at_the_end(only):
    only("two", 0.01, lambda: None)
    background.start(always=True)
    await until(lambda: background.loop_reports()[0].runs)
    await background.stop()
    lease = await Lease.objects.aget(name="loop:two")
    assert lease.expires_at <= timezone.now()


async def test_a_long_step_keeps_its_lease(only, monkeypatch):
    monkeypatch.setattr(background, "RENEW_S", 0.02)
    release, asked = threading.Event(), []
    held = background.hold_lease
    monkeypatch.setattr(background, "hold_lease", lambda *args: asked.append(args) or held(*args))
    only("long", 0.01, lambda: release.wait(30))
    background.start(always=True)
    await until(lambda: len(asked) >= 3)
    assert background.loop_reports()[0].runs == 0
    release.set()
    await until(lambda: background.loop_reports()[0].runs == 1)
    await background.stop()


async def test_nothing_runs_where_background_loops_are_off(only, settings):
    settings.BACKGROUND_LOOPS = False
    only("off", 0.01, lambda: None, leased=False)
    background.start()
    assert background.loop_reports() == []


def test_a_name_is_registered_once(only):
    only("twice", 1, lambda: None)
    with pytest.raises(ValueError, match="registered twice"):
        only("twice", 1, lambda: None)
