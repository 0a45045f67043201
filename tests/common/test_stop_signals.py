"""A stop signal is heard whatever the main thread does at that moment."""

import signal
import threading

import pytest

from sessionsite.common.stop_signals import STOP_SIGNALS, stopped_by_signals


@pytest.mark.timeout(20)  # a handler that waits for itself does so for ever
@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_between_two_steps_of_a_wait_is_heard(number):
    stop = threading.Event()
    with stopped_by_signals(stop):
        with stop._cond:  # as `wait` holds it on its way in and out
            signal.getsignal(number)(number, None)
        assert stop.wait(10)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_afterwards_a_signal_does_what_it_did_before(number):
    before = signal.getsignal(number)
    with stopped_by_signals(threading.Event()):
        assert signal.getsignal(number) != before
    assert signal.getsignal(number) == before


def test_outside_of_the_main_thread_signals_stay_as_they_are():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def look() -> None:
        with stopped_by_signals(threading.Event()):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert seen == [before]
