"""Sessions in the admin: journal, pictures, and the verbs that end them."""

import re

import pytest
from django.urls import reverse

from monitoring.services import NewImage, add_image, create_monitor, start_monitor, stop_monitor
from monitoring.templatetags.pages import session_chip
from sessions_app.admin import JOURNAL_ROWS
from sessions_app.models import Session
from sessions_app.services import mark
from sessions_app.states import CHOICES, State
from sessionsite.accounts import admin_base
from tests.pictures import picture

from .conftest import detail_page, list_page

MODEL = "sessions_app_session"


def test_the_page_shows_journal_and_pictures(image, session, as_viewer):
    page = detail_page(as_viewer, MODEL, session).content.decode()
    assert "<td>started</td>" in page and "<td>images_added</td>" in page
    assert f'src="/api/v1/images/{image.key}/thumbnail/"' in page
    assert "The newest 1 of 1." in page
    assert " style=" not in page


def test_a_long_journal_is_read_page_by_page(session, as_viewer):
    for number in range(JOURNAL_ROWS + 5):
        mark(session, label=f"mark {number}", by="ann")
    newest = detail_page(as_viewer, MODEL, session)
    rows = newest.context["journal"]
    assert [rows[0][0].seq, rows[-1][0].seq] == [JOURNAL_ROWS + 6, 7]
    older = detail_page(as_viewer, MODEL, session, f"?before={newest.context['journal_older']}")
    assert [event.seq for event, _ in older.context["journal"]] == [6, 5, 4, 3, 2, 1]
    assert older.context["journal_older"] is None


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "٣", ""])
def test_a_place_in_the_journal_that_is_none_shows_the_newest(before, session, as_viewer):
    assert len(detail_page(as_viewer, MODEL, session, f"?before={before}").context["journal"]) == 1


def test_the_page_takes_a_fixed_number_of_queries(monitor, session, as_viewer, django_assert_max_num_queries):
    def add(count: int) -> None:
        for number in range(count):
            add_image(NewImage(data=picture(number), monitor=monitor, label=str(count)))

    add(2)
    detail_page(as_viewer, MODEL, session)
    with django_assert_max_num_queries(14) as few:
        detail_page(as_viewer, MODEL, session)
    add(20)
    with django_assert_max_num_queries(len(few.captured_queries)):
        detail_page(as_viewer, MODEL, session)


def test_name_and_notes_are_written_by_the_verb_and_the_state_is_not(session, as_operator):
    address = reverse(f"admin:{MODEL}_change", args=[session.pk])
    answer = as_operator.post(
        address, {"name": "Batch 7", "notes": "dusty", "state": "completed", "total_counter": 9}
    )
    assert answer.status_code == 302
    session.refresh_from_db()
    assert (session.name, session.notes, session.state, session.total_counter) == (
        "Batch 7",
        "dusty",
        "active",
        0,
    )
    assert set(session.events.values_list("kind", flat=True)) == {"started", "renamed", "notes_changed"}


def test_ending_and_closing_say_what_they_do(session, as_operator, run_action):
    page = run_action(as_operator, MODEL, "end_sessions", [session]).content.decode()
    assert ") ends. Capture for training" in page and "asked to stop" in page
    run_action(as_operator, MODEL, "close_as_interrupted", [session], confirmed=True)
    session.refresh_from_db()
    assert session.state == State.INTERRUPTED
    assert (
        "It is interrupted already."
        in run_action(as_operator, MODEL, "end_sessions", [session]).content.decode()
    )


@pytest.mark.parametrize("state", State)
def test_a_state_looks_as_it_does_on_the_pages(state, session, as_viewer):
    Session.objects.filter(pk=session.pk).update(state=state)
    chip = session_chip(state)
    assert chip in list_page(as_viewer, MODEL)
    assert chip in detail_page(as_viewer, MODEL, session).content.decode()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.CREATED, ") ends as interrupted. Capture"),
        (State.ERROR, ") ends as interrupted. Capture"),
        (State.RECORDING, ") ends. Its recording is stopped first. Capture"),
    ],
)
def test_what_ending_would_do_depends_on_the_state(state, words, session, as_operator, run_action):
    Session.objects.filter(pk=session.pk).update(state=state)
    assert words in run_action(as_operator, MODEL, "end_sessions", [session]).content.decode()
    run_action(as_operator, MODEL, "end_sessions", [session], confirmed=True)
    session.refresh_from_db()
    assert session.state == (State.INTERRUPTED if "interrupted" in words else State.COMPLETED)


def test_what_has_ended_is_called_ended(session, as_operator, run_action):
    run_action(as_operator, MODEL, "end_sessions", [session], confirmed=True)
    session.refresh_from_db()
    assert session.state == State.COMPLETED
    for name in ("end_sessions", "close_as_interrupted"):
        page = run_action(as_operator, MODEL, name, [session]).content.decode()
        assert "It is ended already." in page and "completed" not in page
    assert '<span class="word">ended</span>' in list_page(as_operator, MODEL)


def test_the_states_to_filter_by_have_the_words_of_the_history(session, as_viewer):
    page = list_page(as_viewer, MODEL)
    listed = re.findall(r'<a href="\?state__exact=(\w+)">\s*(\w+)', page)
    assert dict(listed) == dict(CHOICES) and dict(listed)["completed"] == "ended"


def test_a_viewer_ends_nothing_and_a_stranger_sees_nothing(session, as_viewer, as_stranger, run_action):
    for client in (as_viewer, as_stranger):
        run_action(client, MODEL, "end_sessions", [session], confirmed=True)
    session.refresh_from_db()
    assert session.is_open
    assert session.key not in list_page(as_stranger, MODEL)


def test_filters_and_search_find_a_session(monitor, as_viewer):
    first = start_monitor(monitor, by="ann")
    stop_monitor(monitor, by="ann")
    second = start_monitor(monitor, by="ann")
    for query, found in (
        ("?open=yes", {second}), ("?open=no", {first}), ("?state__exact=completed", {first}),
        (f"?q={first.key}", {first}), ("?q=cam-1", {first, second}), ("?q=cam", set()),
    ):  # fmt: skip
        page = list_page(as_viewer, MODEL, query)
        assert {each for each in (first, second) if f">{each.key}<" in page} == found, query


def test_the_list_takes_as_many_queries_for_thirty_as_for_three(
    organisation, as_viewer, django_assert_max_num_queries
):
    def add(count: int) -> None:
        for _ in range(count):
            start_monitor(
                create_monitor(organisation, slug=f"cam-{Session.objects.count()}", by="test"), by="test"
            )

    add(3)
    list_page(as_viewer, MODEL)
    with django_assert_max_num_queries(10) as few:
        list_page(as_viewer, MODEL)
    add(27)
    with django_assert_max_num_queries(len(few.captured_queries)):
        list_page(as_viewer, MODEL)


def test_a_large_table_is_neither_counted_nor_paged_to_its_end(session, as_viewer, monkeypatch):
    for number in range(5):
        start_monitor(create_monitor(session.organisation, slug=f"more-{number}", by="test"), by="test")
    monkeypatch.setattr(admin_base, "ROWS_MAX", 4)
    assert "The first 4 sessions; filter to see others." in list_page(as_viewer, MODEL)
