"""A fair lock: who came first goes first.

SQLite itself lets waiting writers poll with growing pauses, so that a busy writer which comes back at once
wins again and again, and a person's click waits behind it for seconds.
"""

from __future__ import annotations

import threading
from collections import deque


class Gate:
    """At most one holder; the others are served in the order they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_held = False
        self._queue: deque[threading.Event] = deque()

    def acquire(self, timeout_s: float) -> bool:
        """Hold the gate; False when it was not free within `timeout_s` seconds."""
        with self._lock:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Event()
            self._queue.append(turn)
        if turn.wait(timeout_s):
            return True
        with self._lock:
            if turn.is_set():  # it was handed over in the last moment
                return True
            self._queue.remove(turn)
            return False

    def release(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()  # handed over: it stays held
            else:
                self._is_held = False


_gates: dict[str, Gate] = {}
_gates_lock = threading.Lock()


def gate_of(database: str) -> Gate:
    """The gate of one database file in this process."""
    with _gates_lock:
        return _gates.setdefault(database, Gate())
