"""Workers do what they are handed, whatever happens to it."""

from __future__ import annotations

import queue
import threading

from sessionsite.common.threads import Workers


def test_each_job_is_done_by_one_of_the_threads_that_began_as_asked():
    begun, done = [], queue.SimpleQueue()
    threads = Workers("test", 3, lambda: begun.append(threading.current_thread()))
    for number in range(100):
        threads.submit(lambda number: done.put((number, threading.current_thread())), number)
    found = [done.get(timeout=10) for _ in range(100)]
    assert sorted(number for number, _ in found) == [*range(100)]
    assert {thread for _, thread in found} <= set(begun)
    assert {thread.name for thread in begun} <= {"test_0", "test_1", "test_2"}


def test_a_job_that_fails_is_logged_and_the_next_one_is_done(caplog):
    done = queue.SimpleQueue()
    threads = Workers("test", 1, lambda: None)
    threads.submit(lambda: 1 / 0)
    threads.submit(done.put, "the next")
    assert done.get(timeout=10) == "the next"
    assert "ZeroDivisionError" in caplog.text
