"""Monitors in the admin: what the list shows, what the actions say and do, who may."""

import pytest
import time_machine
from django.urls import reverse

from monitoring.admin import effects
from monitoring.models import Image, Monitor
from monitoring.services import NewImage, add_image, archive_monitor, create_monitor, start_monitor
from sessions_app.models import Session
from sessions_app.services import move
from sessions_app.states import State
from sessionsite.accounts.models import AuditEntry
from sessionsite.accounts.services import set_role
from tests.pictures import picture

from .conftest import detail_page, list_page, notices

MODEL = "monitoring_monitor"


def post(monitor, number=0) -> Image:
    return Image.objects.get(key=add_image(NewImage(data=picture(number), monitor=monitor)).key)


def test_the_list_shows_state_total_rate_and_the_last_picture(monitor, as_operator):
    with time_machine.travel("2026-03-01T08:00:00Z", tick=False) as clock:
        start_monitor(monitor, by="ann")
        images = [post(monitor, number) for number in range(3)]
        clock.shift(20)
        page = list_page(as_operator, MODEL)
    for part in (
        'class="chip chip-running"', '<use href="#mark-running"/>', ">running<", ">0:20<", ">3<",
        "3 /min (60 s)", f"/api/v1/images/{images[-1].key}/thumbnail/", "20 s ago",
    ):  # fmt: skip
        assert part in page, part


@pytest.mark.parametrize("status", ["late", "lost", "error", "idle"])
def test_the_list_shows_every_other_state_as_a_word_and_filters_by_it(status, monitor, as_operator):
    if status != "idle":
        session = start_monitor(monitor, by="ann")
        if status == "error":
            move(session, State.ERROR, by="test")
        else:
            Monitor.objects.update(presence=status)
    assert f'class="chip chip-{status}"' in list_page(as_operator, MODEL)
    assert "cam-1" in list_page(as_operator, MODEL, f"?status={status}")
    others = {"running", "late", "lost", "error", "idle"} - {status}
    assert all("cam-1" not in list_page(as_operator, MODEL, f"?status={other}") for other in others)


def test_the_list_takes_as_many_queries_for_thirty_as_for_three(
    organisation, as_operator, django_assert_max_num_queries
):
    def add(count: int) -> None:
        for _ in range(count):
            number = Monitor.objects.count()
            monitor = create_monitor(organisation, slug=f"cam-{number}", by="test")
            start_monitor(monitor, by="test")
            post(monitor, number)

    add(3)
    list_page(as_operator, MODEL)
    with django_assert_max_num_queries(16) as few:
        list_page(as_operator, MODEL)
    add(27)
    with django_assert_max_num_queries(len(few.captured_queries)):
        list_page(as_operator, MODEL)


def test_stop_asks_first_and_names_the_session_its_pictures_and_what_follows(
    monitor, as_operator, run_action
):
    session = start_monitor(monitor, by="ann")
    post(monitor)
    idle = create_monitor(monitor.organisation, slug="cam-2", by="test")
    page = run_action(as_operator, MODEL, "stop_monitors", [monitor, idle]).content.decode()
    assert f"{session.key} (" in page and "1 picture, the last" in page and " ends. Capture" in page
    assert "Capture for training is switched off and the controller is asked to stop." in page
    assert "It is stopped already." in page
    assert Session.objects.get().is_open

    answer = run_action(as_operator, MODEL, "stop_monitors", [monitor], confirmed=True)
    assert notices(answer) == ["Stop monitors: done for 1."]
    session.refresh_from_db()
    assert session.state == State.COMPLETED
    assert session.events.get(kind="stopped").detail["by"] == "operator"


def test_start_goes_through_the_verb(monitor, as_operator, run_action):
    page = run_action(as_operator, MODEL, "start_monitors", [monitor]).content.decode()
    assert "A session begins with its counter at zero" in page
    run_action(as_operator, MODEL, "start_monitors", [monitor], confirmed=True)
    assert Session.objects.get().started_by == "operator"
    assert "It runs already" in run_action(as_operator, MODEL, "start_monitors", [monitor]).content.decode()


def test_a_monitor_that_somebody_else_started_meanwhile_is_told(
    monitor, as_operator, run_action, monkeypatch
):
    start_monitor(monitor, by="ann")
    monkeypatch.setattr(effects, "running_session", lambda monitor: None)  # as the page saw it
    answer = run_action(as_operator, MODEL, "start_monitors", [monitor], confirmed=True)
    assert notices(answer) == ["Camera 1: Already started"]


def test_close_marks_the_session_as_interrupted(monitor, as_operator, run_action):
    start_monitor(monitor, by="ann")
    page = run_action(as_operator, MODEL, "close_as_interrupted", [monitor]).content.decode()
    assert "is closed as interrupted; its pictures stay." in page
    run_action(as_operator, MODEL, "close_as_interrupted", [monitor], confirmed=True)
    session = Session.objects.get()
    assert (session.state, session.end_reason) == (State.INTERRUPTED, "closed by hand")


def test_reset_lets_a_session_in_error_go_on(monitor, as_operator, run_action):
    session = start_monitor(monitor, by="ann")
    assert (
        "not in error" in run_action(as_operator, MODEL, "reset_after_an_error", [monitor]).content.decode()
    )
    move(session, State.ERROR, by="test")
    run_action(as_operator, MODEL, "reset_after_an_error", [monitor], confirmed=True)
    session.refresh_from_db()
    assert session.state == State.ACTIVE


def test_archive_and_restore_are_for_administrators(monitor, as_operator, as_administrator, run_action):
    run_action(as_operator, MODEL, "archive_monitors", [monitor], confirmed=True)
    monitor.refresh_from_db()
    assert monitor.archived_at is None
    run_action(as_administrator, MODEL, "archive_monitors", [monitor], confirmed=True)
    monitor.refresh_from_db()
    assert monitor.archived_at is not None
    run_action(as_administrator, MODEL, "restore_archived_monitors", [monitor], confirmed=True)
    monitor.refresh_from_db()
    assert monitor.archived_at is None


def test_a_viewer_sees_and_has_no_action(monitor, as_viewer, run_action):
    page = list_page(as_viewer, MODEL)
    assert "cam-1" in page and "stop_monitors" not in page
    run_action(as_viewer, MODEL, "start_monitors", [monitor], confirmed=True)
    assert not Session.objects.exists()
    assert detail_page(as_viewer, MODEL, monitor).status_code == 200
    changed = as_viewer.post(reverse(f"admin:{MODEL}_change", args=[monitor.pk]), {"name": "x"})
    assert changed.status_code == 403
    assert as_viewer.get(reverse(f"admin:{MODEL}_add")).status_code == 403


def test_a_stranger_finds_nothing_and_starts_nothing(monitor, as_stranger, run_action):
    assert "cam-1" not in list_page(as_stranger, MODEL)
    assert detail_page(as_stranger, MODEL, monitor).status_code == 302  # to the index: no such monitor
    run_action(as_stranger, MODEL, "start_monitors", [monitor], confirmed=True)
    assert not Session.objects.exists()


def test_a_role_in_one_organisation_gives_nothing_in_another(
    monitor, other_organisation, operator, as_operator, run_action
):
    set_role(operator, other_organisation, "viewer", by="test")
    other = create_monitor(other_organisation, slug="theirs", by="test")
    page = run_action(as_operator, MODEL, "start_monitors", [monitor, other]).content.decode()
    assert "Nothing: you lack the right control here." in page
    run_action(as_operator, MODEL, "start_monitors", [monitor, other], confirmed=True)
    assert [session.monitor.slug for session in Session.objects.all()] == ["cam-1"]


FORM = {"name": "Camera 1", "kind": "camera", "dataset": "", "expected_interval_s": "", "quota_bytes": ""}


def test_an_administrator_changes_a_monitor_and_the_audit_trail_has_both_sides(monitor, as_administrator):
    address = reverse(f"admin:{MODEL}_change", args=[monitor.pk])
    assert as_administrator.post(address, {**FORM, "expected_interval_s": "2.5"}).status_code == 302
    entry = AuditEntry.objects.get(verb="changed")
    assert (entry.actor, entry.before, entry.after) == (
        "admin", {"expected_interval_s": None}, {"expected_interval_s": 2.5},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("expected_interval_s", "-1", "expected_interval_s is above 0"),
        ("quota_bytes", "-5", "quota_bytes is a number of bytes"),
    ],
)
def test_what_the_verb_refuses_stands_beside_the_field(field, value, text, monitor, as_administrator):
    address = reverse(f"admin:{MODEL}_change", args=[monitor.pk])
    answer = as_administrator.post(address, {**FORM, field: value})
    assert answer.status_code == 200
    [message] = answer.context["adminform"].form.errors[field]
    assert text in message
    assert not AuditEntry.objects.filter(verb="changed").exists()


def test_a_monitor_is_added_by_the_verb(organisation, as_administrator):
    data = {**FORM, "organisation": organisation.pk, "slug": "cam-9"}
    assert as_administrator.post(reverse(f"admin:{MODEL}_add"), data).status_code == 302
    assert Monitor.objects.get(slug="cam-9").name == "Camera 1"
    assert AuditEntry.objects.filter(verb="created", object_key="cam-9").count() == 1
    answer = as_administrator.post(reverse(f"admin:{MODEL}_add"), {**data, "slug": "new"})
    assert "is a word of the addresses" in answer.content.decode()


def test_a_foreign_organisation_cannot_be_chosen(organisation, other_organisation, as_administrator):
    data = {**FORM, "organisation": other_organisation.pk, "slug": "cam-9"}
    assert (
        "Select a valid choice" in as_administrator.post(reverse(f"admin:{MODEL}_add"), data).content.decode()
    )
    assert not Monitor.objects.exists()


def test_search_is_by_the_beginning_of_the_slug(organisation, as_operator):
    for slug in ("line-1", "line-2", "gate-1"):
        create_monitor(organisation, slug=slug, by="test")
    page = list_page(as_operator, MODEL, "?q=line-")
    assert "line-1" in page and "line-2" in page and "gate-1" not in page
    assert "gate-1" not in list_page(as_operator, MODEL, "?q=1")


def test_archived_monitors_are_found(monitor, as_administrator):
    archive_monitor(monitor, by="test")
    page = list_page(as_administrator, MODEL, "?archived_at__isempty=0")
    assert "cam-1" in page and ">archived<" in page
