"""How a command that goes on until it is stopped hears of it."""

from __future__ import annotations

import signal
import threading
from _thread import start_new_thread
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = signal.SIGTERM, signal.SIGINT


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`. Outside of the main thread (a test) signals stay as they are.

    A handler runs between two steps of the main thread, also while that holds the lock of `stop`, on its way
    in or out of `wait`: to set it there would be to wait for that lock for ever. So a thread of its own does
    it, begun without the locks that threading.Thread takes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: start_new_thread(stop.set, ())) for number in STOP_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
