"""Many markers with one call: each is an entry or a refusal of its own, numbered in the order given."""

from __future__ import annotations

from dataclasses import fields

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from sessions_app import services as sessions
from sessions_app.messages import EventMessage, event_json
from sessions_app.models import Session, SessionEvent
from sessions_app.services import NewMarker, mark_all
from sessions_app.services.journal import DedupMismatch
from sessions_app.services.markers import BadMarker
from sessions_app.store import ROWS_MAX
from sessionsite.common.errors import Missing


def new(session: Session, label: str, **told) -> NewMarker:
    return NewMarker(session, label=label, by="ann", **told)


def journal(session: Session) -> list[tuple]:
    rows = SessionEvent.objects.filter(session=session, kind="marker").order_by("seq")
    return [(row.seq, row.detail["label"]) for row in rows]


@pytest.fixture
def session(organisation):
    return sessions.open_session(organisation)


def test_they_are_numbered_in_the_order_given_with_and_without_a_key(session):
    keys = {"b": "k1", "d": "k2"}
    results = mark_all([new(session, label, dedup_key=keys.get(label)) for label in "abcde"])
    assert [result.seq for result in results] == [2, 3, 4, 5, 6]
    assert journal(session) == list(enumerate("abcde", start=2))


def test_one_object_given_twice_is_two_entries(session):
    marker = new(session, "twice")
    assert [result.seq for result in mark_all([marker, marker])] == [2, 3]


def test_a_refusal_does_not_fail_the_others_and_leaves_no_gap(organisation, session):
    mark_all([new(session, "first", dedup_key="k")])
    gone = sessions.open_session(organisation)
    Session.objects.filter(pk=gone.pk).delete()
    results = mark_all(
        [
            new(session, "a"),
            new(session, " "),
            new(session, "other", dedup_key="k"),
            new(gone, "to nobody"),
            new(session, "first", dedup_key="k"),
            new(session, "b", dedup_key="k2"),
            new(session, "c", dedup_key="k2"),
            new(session, "b", dedup_key="k2"),
        ]
    )
    refused = {1: BadMarker, 2: DedupMismatch, 3: Missing, 6: DedupMismatch}
    for place, result in enumerate(results):
        assert isinstance(result, refused.get(place, object)), (place, result)
    assert [results[place].seq for place in (0, 4, 5, 7)] == [3, 2, 4, 4]
    assert journal(session) == [(2, "first"), (3, "a"), (4, "b")]
    session.refresh_from_db()
    assert session.last_seq == 4


@pytest.mark.django_db(transaction=True)
def test_a_row_that_the_database_refuses_leaves_the_others(organisation):
    session = sessions.open_session(organisation)
    nobody = Device(pk=10**9, organisation=organisation, key="not-kept")
    batch = [new(session, f"m{number}", device=nobody if number == 4 else None) for number in range(9)]
    results = mark_all(batch)
    assert isinstance(results[4], IntegrityError)
    assert sorted(label for _, label in journal(session)) == sorted(f"m{n}" for n in range(9) if n != 4)
    assert [seq for seq, _ in journal(session)] == list(range(2, 10))


def test_what_is_returned_reads_as_the_journal_does(organisation, session):
    device = Device.objects.create(organisation=organisation, key="cam")
    told = {"severity": "warning", "detail": {"part": 7}}
    written = mark_all([new(session, "one", device=device, **told), new(session, "two", dedup_key="k")])
    rows = SessionEvent.objects.for_messages().filter(session=session, kind="marker").order_by("seq")
    assert [event_json(entry) for entry in written] == [event_json(row) for row in rows]


def test_an_entry_has_the_fields_of_its_message(session):
    [entry] = mark_all([new(session, "one")])
    assert list(event_json(entry)) == [field.name for field in fields(EventMessage)]


def test_more_than_a_statement_holds_are_written_with_few_statements(session):
    count = 2 * ROWS_MAX + 1
    with CaptureQueriesContext(
        connection,
    ) as queries:
        results = mark_all([new(session, f"m{number}") for number in range(count)])
    assert [result.seq for result in results] == list(range(2, count + 2))
    assert journal(session) == [(number + 2, f"m{number}") for number in range(count)]
    assert len([query for query in queries if "sessions_app_sessionevent" in query["sql"]]) == 3
    assert len(queries) <= 3 + 2 + 2  # the numbers, the organisation's revision; the transaction's own


def test_a_batch_wakes_its_readers_once_and_after_the_commit(
    organisation, session, published, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        mark_all([new(session, f"m{number}") for number in range(5)])
        assert published == []
    assert published == [f"session:{session.key}", f"fleet:{organisation.slug}"]
