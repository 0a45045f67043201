"""One process at a time holds a lease; a dead one's runs out, and its epoch is never used again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app import leases
from sessions_app.leases import drop_leases, hold_lease
from sessions_app.models import Lease

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_process(monkeypatch):
    return lambda name: monkeypatch.setattr(leases, "process_name", lambda: name)


def test_the_holder_keeps_its_lease_under_the_same_epoch(as_process):
    as_process("one")
    assert hold_lease("task", 30) == 1
    assert hold_lease("task", 30) == 1


def test_another_process_waits_until_the_lease_has_run_out(as_process):
    as_process("one")
    hold_lease("task", 30)
    as_process("two")
    assert hold_lease("task", 30) is None
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert hold_lease("task", 30) == 2
    as_process("one")
    assert hold_lease("task", 30) is None


def test_a_holder_that_was_late_takes_its_own_lease_anew(as_process):
    as_process("one")
    hold_lease("task", 30)
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert hold_lease("task", 30) == 2


def test_dropped_leases_are_free_at_once(as_process):
    as_process("one")
    hold_lease("task", 30)
    hold_lease("other", 30)
    drop_leases()
    as_process("two")
    assert hold_lease("task", 30) == 2


def test_each_process_has_its_own_name():
    assert leases.process_name() == leases.process_name()
    assert leases._process_name_of(1) != leases._process_name_of(2)
