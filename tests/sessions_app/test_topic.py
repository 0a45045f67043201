"""session:<key>: the same object as REST answers, its journal, and numbers read before the data."""

from __future__ import annotations

import pytest

from sessions_app import services as sessions
from sessions_app.messages import event_json, session_json
from sessions_app.models import Session, SessionEvent
from sessions_app.states import State
from sessions_app.topics import SessionTopic
from sessionsite.accounts.services import caller_of_user

TOPIC = SessionTopic()


def test_the_snapshot_is_the_function_that_rest_uses(image):
    session = Session.objects.for_messages().get(pk=image.session_id)
    snapshot = TOPIC.snapshot(session.key)
    assert snapshot.data == session_json(session)
    assert (snapshot.revision, snapshot.seq) == (session.revision, session.last_seq)
    assert TOPIC.revisions([session.key, "se_none"]) == {session.key: (session.revision, session.last_seq)}


def test_a_session_says_all_that_is_promised(image):
    session = Session.objects.for_messages().get(pk=image.session_id)
    assert session_json(session).keys() == {
        *("key", "organisation", "name", "kind", "state", "end_reason", "monitor", "monitor_name", "devices"),
        *(
            "started_by",
            "started_at",
            "stopped_at",
            "total_counter",
            "image_count",
            "labels",
            "tag_counts",
            "reviews",
        ),
        *("data", "flow", "notes", "min_timestamp_ns", "max_timestamp_ns", "idle_ttl_s", "size_bytes"),
        *("notes_revision", "notes_by", "notes_at", "pinned_at"),
        *("subscriber_count", "last_subscriber_left_at", "revision", "last_seq"),
    }


@pytest.mark.parametrize("events", [1, 20])
def test_its_queries_do_not_grow(organisation, django_assert_num_queries, events):
    session = sessions.open_session(organisation)
    for number in range(events):
        sessions.append(session, "marker", detail={"number": number})
    with django_assert_num_queries(3):
        TOPIC.snapshot(session.key)
    with django_assert_num_queries(1):
        assert len(TOPIC.events(session.key, 0, 1000)) == events + 1


def test_events_come_in_order_after_a_seq_up_to_a_limit(organisation):
    session = sessions.open_session(organisation)
    for _ in range(5):
        sessions.append(session, "marker")
    found = TOPIC.events(session.key, 2, 3)
    assert [seq for seq, _ in found] == [3, 4, 5]
    assert found[0][1] == event_json(SessionEvent.objects.for_messages().get(session=session, seq=3))


def test_an_event_carries_its_severity(organisation):
    session = sessions.open_session(organisation)
    sessions.append(session, "camera_lost")
    sessions.append(session, "marker", detail={"severity": "warning"})
    sessions.append(session, "renamed")
    severities = [event["severity"] for _, event in TOPIC.events(session.key, 1, 10)]
    assert severities == ["error", "warning", "info"]


def test_it_is_finished_when_the_session_is_over(organisation):
    session = sessions.open_session(organisation)
    assert not TOPIC.snapshot(session.key).is_finished
    sessions.end_session(session, by="ann")
    assert TOPIC.snapshot(session.key).is_finished
    assert TOPIC.snapshot("se_none") is None


def test_only_its_organisation_may_follow_it(organisation, viewer, stranger):
    session = sessions.open_session(organisation)
    assert TOPIC.authorise(caller_of_user(viewer), session.key)
    assert not TOPIC.authorise(caller_of_user(stranger), session.key)
    assert TOPIC.gap_address(session.key, 7) == f"/api/v1/sessions/{session.key}/events/?after=7"


def test_stale_sessions_are_those_of_monitors_that_took_nothing_for_long(organisation, monitor, session):
    from datetime import timedelta

    old = session.started_at - timedelta(hours=13)
    stale = Session.objects.stale_for(timedelta(hours=12))
    assert not stale.exists()
    Session.objects.filter(pk=session.pk).update(started_at=old)
    assert stale.get() == session
    Session.objects.filter(pk=session.pk).update(last_item_at=session.started_at)
    assert not stale.exists()
    Session.objects.filter(pk=session.pk).update(last_item_at=old, state=State.ERROR)
    assert stale.get() == session
    Session.objects.filter(pk=session.pk).update(state=State.COMPLETED)
    assert not stale.exists()
