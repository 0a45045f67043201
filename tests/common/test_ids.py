import os
import threading
from datetime import UTC, datetime

import pytest
import time_machine

from sessionsite.common.clock import now
from sessionsite.common.ids import BadKey, created_at_of, is_key, new_key

MOMENT = datetime(2026, 3, 8, 7, 30, 15, 250_000, tzinfo=UTC)


def test_a_key_is_its_prefix_and_26_characters_and_knows_its_time():
    with time_machine.travel(MOMENT, tick=False):
        key = new_key("se")
    assert key.startswith("se_") and len(key) == 29
    assert is_key(key, "se")
    assert created_at_of(key) == MOMENT


def test_keys_of_one_moment_differ_and_sort_in_the_order_they_were_made():
    with time_machine.travel(MOMENT, tick=False):
        keys = [new_key("im") for _ in range(2000)]
    assert keys == sorted(set(keys))


def test_keys_sort_by_time_as_text():
    with time_machine.travel(MOMENT, tick=False) as clock:
        keys = []
        for _ in range(50):
            keys.append(new_key("im"))
            clock.shift(0.001)
    assert keys == sorted(keys)
    assert created_at_of(keys[-1]) > created_at_of(keys[0])


def test_a_clock_set_back_a_little_does_not_break_the_order():
    with time_machine.travel(MOMENT, tick=False) as clock:
        first = new_key("im")
        clock.shift(-30)
        assert new_key("im") > first


def test_a_clock_corrected_by_hours_dates_new_keys_by_the_right_time():
    with time_machine.travel(MOMENT.replace(year=2031), tick=False):
        new_key("im")
    with time_machine.travel(MOMENT, tick=False):
        assert created_at_of(new_key("im")) == MOMENT


def test_threads_never_get_the_same_key():
    keys: list[str] = []

    def make():
        keys.extend([new_key("im") for _ in range(500)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 4000


def test_a_forked_child_does_not_repeat_the_keys_of_its_parent():
    new_key("im")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, "".join(new_key("im") for _ in range(20)).encode())
        os._exit(0)
    os.close(writer)
    mine = {new_key("im") for _ in range(20)}
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    theirs = {text[start : start + 29] for start in range(0, len(text), 29)}
    assert len(theirs) == 20 and not mine & theirs


@pytest.mark.parametrize(
    "text",
    [
        "", "im_", None, 7, "im_short", "se_01k000000000000000000000aa"[:-1], "IM_01k00000000000000000000000",
        "im_01K00000000000000000000000", "im_81k00000000000000000000000", "im_01kl0000000000000000000000",
        "im_01k0000000000000000000000\n", "im_7zzzzzzzzzzzzzzzzzzzzzzzzz", "tg_01k00000000000000000000000",
    ],
)  # fmt: skip
def test_other_text_is_no_key(text):
    assert not is_key(text, "im")


def test_the_time_of_something_else_is_refused():
    with pytest.raises(BadKey):
        created_at_of("im_nonsense")
    with pytest.raises(BadKey):
        created_at_of("01k00000000000000000000000")


def test_a_key_made_now_says_now():
    before = now()
    assert abs((created_at_of(new_key("se")) - before).total_seconds()) < 5
