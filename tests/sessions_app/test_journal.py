"""The journal: numbered without gaps whatever happens, announced after the commit and never before."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connections, transaction

from sessions_app import services as sessions
from sessions_app.models import Session, SessionEvent
from sessions_app.services.markers import BadMarker
from sessions_app.states import State


def seqs(session) -> list[int]:
    return list(SessionEvent.objects.filter(session=session).order_by("seq").values_list("seq", flat=True))


@pytest.mark.django_db(transaction=True)
def test_entries_of_many_threads_are_numbered_without_gaps(organisation):
    session = sessions.open_session(organisation)
    failures: list[Exception] = []

    def write(number: int) -> None:
        try:
            for step in range(10):
                mine = Session.objects.get(pk=session.pk)
                sessions.append(
                    mine, "marker", detail={"step": step}, dedup_key=f"{number % 2}-{number}-{step}"
                )
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert seqs(session) == list(range(1, 62))
    assert Session.objects.get(pk=session.pk).last_seq == 61


@pytest.mark.django_db(transaction=True)
def test_the_same_dedup_key_at_once_is_one_entry(organisation):
    session = sessions.open_session(organisation)
    barrier = threading.Barrier(4)
    found: list[int] = []

    def write() -> None:
        mine = Session.objects.get(pk=session.pk)
        barrier.wait(10)
        found.append(sessions.append(mine, "marker", dedup_key="same").pk)
        connections.close_all()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4 and len(set(found)) == 1
    assert seqs(session) == [1, 2]


def test_a_repeated_dedup_key_returns_the_first_entry_and_changes_nothing(organisation):
    session = sessions.open_session(organisation)
    first = sessions.append(session, "marker", detail={"a": 1}, dedup_key="k")
    revision = session.revision
    again = sessions.append(session, "marker", detail={"a": 2}, dedup_key="k", notes="other")
    assert again == first and again.detail == {"a": 1}
    assert (session.last_seq, session.revision, session.notes) == (2, revision, "")
    assert sessions.append(session, "marker").seq == 3


def test_the_same_dedup_key_in_another_session_is_another_entry(organisation):
    one, two = sessions.open_session(organisation), sessions.open_session(organisation)
    assert sessions.append(one, "marker", dedup_key="k") != sessions.append(two, "marker", dedup_key="k")


def test_an_integrity_error_that_no_repeat_explains_is_raised(organisation):
    session = sessions.open_session(organisation)
    SessionEvent.objects.create(session=session, organisation=organisation, seq=2, kind="marker")
    with pytest.raises(IntegrityError):
        sessions.append(session, "marker", dedup_key="new")


def test_an_entry_that_is_rolled_back_leaves_no_gap(organisation):
    session = sessions.open_session(organisation)
    with pytest.raises(RuntimeError), transaction.atomic():
        sessions.append(session, "marker")
        raise RuntimeError
    session.refresh_from_db()
    sessions.append(session, "marker")
    assert seqs(session) == [1, 2]


def test_fields_that_change_with_an_entry_raise_the_revision(organisation):
    session = sessions.open_session(organisation)
    sessions.append(session, "marker")
    assert session.revision == 1
    sessions.append(session, "notes_changed", notes="new")
    assert (session.revision, session.notes) == (2, "new")
    sessions.append(session, "tags_changed", is_change=True)
    assert session.revision == 3


def test_a_commit_wakes_and_a_rollback_does_not(organisation, published, django_capture_on_commit_callbacks):
    session = sessions.open_session(organisation)
    with django_capture_on_commit_callbacks(execute=True):
        sessions.append(session, "tags_changed")
        assert published == []
    assert published == [f"session:{session.key}"]
    published.clear()
    with (
        django_capture_on_commit_callbacks(execute=True),
        pytest.raises(RuntimeError),
        transaction.atomic(),
    ):
        sessions.append(session, "tags_changed")
        raise RuntimeError
    assert published == []


VERBS = {
    "open_session": lambda organisation, monitor: sessions.open_session(organisation, monitor=monitor),
    "move": lambda organisation, monitor: sessions.move(monitor.open_one, State.ERROR),
    "end_session": lambda organisation, monitor: sessions.end_session(monitor.open_one, by="ann"),
    "start_recording": lambda organisation, monitor: sessions.start_recording(monitor.open_one, by="ann"),
    "mark": lambda organisation, monitor: sessions.mark(monitor.open_one, label="here", by="ann"),
    "notes": lambda organisation, monitor: sessions.set_name_notes(monitor.open_one, by="ann", notes="x"),
    "name": lambda organisation, monitor: sessions.set_name_notes(monitor.open_one, by="ann", name="x"),
}
TOLD = {
    "open_session": {"session", "fleet"},
    "move": {"session", "fleet", "monitor"},
    "end_session": {"session", "fleet", "monitor"},
    "start_recording": {"session", "fleet", "monitor"},
    "mark": {"session", "fleet"},
    "notes": {"session", "monitor"},
    "name": {"session"},
}


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_tells_those_who_show_what_it_changed(
    organisation, monitor, published, django_capture_on_commit_callbacks, verb
):
    if verb != "open_session":
        monitor.open_one = sessions.open_session(organisation, monitor=monitor)
    with django_capture_on_commit_callbacks(execute=True):
        VERBS[verb](organisation, monitor)
        assert published == []
    assert {topic.partition(":")[0] for topic in published} == TOLD[verb]
    names = {"fleet": organisation.slug, "monitor": monitor.slug, "session": Session.objects.get().key}
    assert set(published) == {f"{prefix}:{names[prefix]}" for prefix in TOLD[verb]}


def test_a_marker_needs_a_label(organisation):
    session = sessions.open_session(organisation)
    for label in ("", "   ", "x" * 201):
        with pytest.raises(BadMarker):
            sessions.mark(session, label=label, by="ann")
    entry = sessions.mark(session, label=" scratch ", by="ann")
    assert entry.detail["label"] == "scratch" and entry.detail["by"] == "ann"
