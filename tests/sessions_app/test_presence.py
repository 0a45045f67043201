"""Leases of readers: who looks at a watched session, on the database's clock."""

from __future__ import annotations

import pytest

from sessions_app import presence
from sessions_app.messages import session_json
from sessions_app.models import Session, SubscriberLease
from sessions_app.services import end_session, open_session
from sessions_app.states import Kind


def state_of(session) -> dict:
    return session_json(Session.objects.for_messages().get(pk=session.pk))


def left_at(session):
    session.refresh_from_db()
    return session.last_subscriber_left_at


def test_a_new_session_has_had_no_reader(watched):
    assert state_of(watched)["subscriber_count"] == 0
    assert state_of(watched)["last_subscriber_left_at"] is None


def test_the_count_follows_readers_of_every_process(watched, clock):
    counts = []
    for holder, count in [("one", 1), ("two", 1), ("one", 0), ("two", 0)]:
        presence.hold(watched.key, holder, count, now=clock.at(1))
        counts.append(state_of(watched)["subscriber_count"])
    assert counts == [1, 2, 1, 0]


def test_only_the_last_one_to_leave_sets_the_time_and_a_new_one_clears_it(watched, clock):
    presence.hold(watched.key, "one", 1, now=clock.at(1))
    presence.hold(watched.key, "two", 1, now=clock.at(1))
    presence.hold(watched.key, "one", 0, now=clock.at(2))
    assert left_at(watched) is None
    presence.hold(watched.key, "two", 0, now=clock.at(3))
    assert left_at(watched) == clock.at(3)
    presence.hold(watched.key, "one", 1, now=clock.at(4))
    assert left_at(watched) is None


def test_every_change_raises_the_revision_and_wakes_the_readers(
    watched, clock, published, django_capture_on_commit_callbacks
):
    revisions = [watched.revision]
    with django_capture_on_commit_callbacks(execute=True):
        for count in (1, 2, 1, 0):
            presence.hold(watched.key, "one", count, now=clock.at(1))
            watched.refresh_from_db()
            revisions.append(watched.revision)
    assert revisions == list(range(revisions[0], revisions[0] + 5))
    assert published == [f"session:{watched.key}"] * 4


def test_a_lease_lasts_thirty_seconds_from_its_last_renewal(watched, clock):
    presence.hold(watched.key, "one", 1, now=clock.at(0))
    assert presence.renew("one", {watched.key}, now=clock.at(25)) == set()
    assert presence.clear_dead(clock.at(54.9)) == 0
    assert presence.clear_dead(clock.at(55)) == 1
    assert left_at(watched) == clock.at(25)
    assert state_of(watched)["subscriber_count"] == 0


def test_the_dead_of_one_process_leave_the_readers_of_another(watched, clock):
    presence.hold(watched.key, "dead", 2, now=clock.at(0))
    presence.hold(watched.key, "alive", 1, now=clock.at(20))
    presence.clear_dead(clock.at(40))
    assert state_of(watched)["subscriber_count"] == 1
    assert left_at(watched) is None


def test_a_process_taken_for_dead_is_told_what_it_lost(watched, clock):
    presence.hold(watched.key, "slow", 1, now=clock.at(0))
    presence.clear_dead(clock.at(60))
    assert presence.renew("slow", {watched.key}, now=clock.at(61)) == {watched.key}


def test_a_process_that_stops_leaves_everything_at_once(watched, organisation, clock):
    other = open_session(organisation, kind=Kind.ANNOTATION)
    for session in (watched, other):
        presence.hold(session.key, "one", 3, now=clock.at(1))
    presence.release("one", now=clock.at(2))
    assert not SubscriberLease.objects.exists()
    assert left_at(watched) == left_at(other) == clock.at(2)


@pytest.mark.parametrize("kind", [Kind.MONITOR, Kind.RECORDING, Kind.RIG])
def test_readers_of_other_kinds_are_not_counted(organisation, kind):
    session = open_session(organisation, kind=kind)
    assert presence.hold(session.key, "one", 1) is False
    assert not SubscriberLease.objects.exists()
    assert state_of(session)["subscriber_count"] is None


def test_nobody_holds_what_is_over_or_unknown(watched):
    presence.hold(watched.key, "early", 1)
    end_session(watched, by="ann")
    assert presence.hold(watched.key, "late", 1) is False
    assert presence.hold("se_none", "late", 1) is False
    assert state_of(watched)["subscriber_count"] == 0


def test_leaving_what_is_over_changes_nothing_but_the_lease(watched):
    presence.hold(watched.key, "one", 1)
    end_session(watched, by="ann")
    before = state_of(watched)
    presence.hold(watched.key, "one", 0)
    assert state_of(watched) == before
    assert not SubscriberLease.objects.exists()


def test_leases_are_on_the_clock_of_the_database(watched, monkeypatch):
    """A process whose own clock is an hour wrong still holds a lease that the others believe."""
    from datetime import timedelta

    from sessions_app import dbclock

    right = dbclock.database_now()
    monkeypatch.setattr(presence, "database_now", lambda: right)
    monkeypatch.setattr("django.utils.timezone.now", lambda: right - timedelta(hours=1))
    presence.hold(watched.key, "one", 1)
    assert SubscriberLease.objects.get().renewed_at == right
