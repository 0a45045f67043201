"""Write transactions of one process are served in the order they came."""

import threading

import pytest
from django.db import OperationalError, connection, transaction

from sessionsite.common.sqlite.gate import Gate, gate_of


def wait_until_queued(gate: Gate, count: int) -> None:
    for _ in range(10_000):
        if len(gate._queue) >= count:
            return
        threading.Event().wait(0.001)
    raise AssertionError("the thread did not queue")


def test_waiting_threads_are_served_in_the_order_they_came():
    gate, served = Gate(), []
    assert gate.acquire(1)

    def take(number):
        assert gate.acquire(10)
        served.append(number)
        gate.release()

    threads = []
    for number in range(5):
        thread = threading.Thread(target=take, args=(number,))
        thread.start()
        wait_until_queued(gate, number + 1)
        threads.append(thread)
    gate.release()
    for thread in threads:
        thread.join(10)
    assert served == [0, 1, 2, 3, 4]
    assert gate.acquire(0)


def test_a_wait_that_ran_out_leaves_the_queue():
    gate = Gate()
    assert gate.acquire(0)
    assert not gate.acquire(0.01)
    gate.release()
    assert gate.acquire(0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the gate stands in front of SQLite only")
def test_the_gate_is_held_from_begin_to_commit_and_after_an_error_it_is_free():
    gate = gate_of(str(connection.settings_dict["NAME"]))
    with transaction.atomic():
        with transaction.atomic():
            assert not gate.acquire(0)
        assert not gate.acquire(0)
    assert gate.acquire(0)
    gate.release()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        raise ZeroDivisionError
    assert gate.acquire(0)
    gate.release()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the gate stands in front of SQLite only")
def test_a_transaction_that_gets_no_turn_is_an_operational_error(monkeypatch):
    gate = gate_of(str(connection.settings_dict["NAME"]))
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
    assert gate.acquire(1)
    try:
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pass
    finally:
        gate.release()
    with transaction.atomic():
        pass
