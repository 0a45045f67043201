"""Threads that answer go first when they wake; threads that calculate stay behind."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sessionsite.common import scheduling
from sessionsite.common.scheduling import BEHIND, LONG_NS, NICE_MAX, SHORT_NS, stay_behind, take_short_turns

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())
pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or SCHED_GETATTR is None or scheduling._KERNEL < scheduling.FIRST_KERNEL,
    reason="this system has no turns of a chosen length",
)


def attributes() -> tuple[int, int, int]:
    """(policy, nice, length of a turn in ns) of the calling thread, as the kernel has them."""
    found = ctypes.create_string_buffer(56)
    assert ctypes.CDLL(None).syscall(SCHED_GETATTR, 0, found, len(found), 0) == 0
    _, policy, _, nice, _, turn_ns, _, _ = struct.unpack_from("=IIQiIQQQ", found)
    return policy, nice, turn_ns


def in_a_thread(*steps: Callable[[], object]) -> object:
    """What the last of the steps returns; all of them in one new thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: [step() for step in steps][-1]).result(10)


OWN_NICE = os.getpriority(os.PRIO_PROCESS, 0)


def test_a_thread_and_those_that_it_starts_take_short_turns():
    for last in (attributes, lambda: in_a_thread(attributes)):
        assert in_a_thread(take_short_turns, last) == (os.SCHED_OTHER, OWN_NICE, SHORT_NS)


def test_a_thread_that_stays_behind_is_lower_and_takes_long_turns():
    expected = (os.SCHED_OTHER, min(OWN_NICE + BEHIND, NICE_MAX), LONG_NS)
    assert in_a_thread(take_short_turns, stay_behind, attributes) == expected


def test_one_that_is_low_already_goes_no_lower_than_there_is():
    def be_low() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE_MAX - 1)

    assert in_a_thread(be_low, stay_behind, attributes) == (os.SCHED_OTHER, NICE_MAX, LONG_NS)


def test_the_policy_of_an_administrator_is_left_alone():
    def be_a_batch() -> None:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    for change in (take_short_turns, stay_behind):
        before = in_a_thread(be_a_batch, attributes)
        assert in_a_thread(be_a_batch, change, attributes) == before


@pytest.mark.parametrize("change", [take_short_turns, stay_behind])
@pytest.mark.parametrize("missing", [{"_SCHED_SETATTR": None}, {"_KERNEL": (6, 1)}], ids=str)
def test_where_a_thread_cannot_choose_its_turns_nothing_changes(change, missing, monkeypatch):
    for name, value in missing.items():
        monkeypatch.setattr(scheduling, name, value)
    assert in_a_thread(change, attributes) == in_a_thread(attributes)
