"""How SQLite looks for a few rows among millions."""

import pytest
from django.db import connection

from monitoring.models import Image
from sessions_app.api.filters import SessionFilters
from sessions_app.models import Session, SessionEvent
from sessions_app.services import mark
from sessionsite.accounts.callers import caller_of_user
from sessionsite.common import few as few_module
from sessionsite.common.few import aside, read_by_key

on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by its statistics")


@on_sqlite
@pytest.mark.parametrize(("model", "index"), [(Session, "sessions_newest"), (Image, "images_newest_first")])
def test_a_few_rows_are_found_by_their_keys_and_a_page_by_its_order(viewer, model, index):
    visible = model.objects.visible_to(caller_of_user(viewer)).for_messages()
    assert index in visible.newest_first()[:50].explain()
    few = read_by_key(visible, range(1, 1000)).newest_first()[:50].explain()
    assert "INTEGER PRIMARY KEY" in few.splitlines()[0] and index not in few


@on_sqlite
@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"kind": "annotation"}, "sessions_by_kind"),
        ({"kind": "rig,annotation"}, "sessions_newest_first"),
        ({"kind": "monitor", "monitor": "cam-1"}, "sessions_of_monitor"),
        ({"monitor": "cam-1"}, "sessions_of_monitor"),
        ({}, "sessions_newest_first"),
    ],
)
def test_sessions_of_a_kind_are_read_in_their_order_and_those_of_a_monitor_from_its_own(
    viewer, organisation, monitor, asked, index
):
    visible = Session.objects.visible_to(caller_of_user(viewer)).for_messages()
    found = SessionFilters(asked, visible, owners={organisation.pk}).qs
    plan = found.newest_first()[:50].explain()
    assert index in plan and "TEMP B-TREE" not in plan


@on_sqlite
def test_pinned_pictures_are_found_by_their_index(organisation):
    plan = Image.objects.filter(aside(organisation=organisation), pinned_at__isnull=False).explain()
    assert "images_by_pinning" in plan


@on_sqlite
@pytest.mark.parametrize(
    ("lookups", "index"), [({}, "notable_events_newest"), ({"kind": "marker"}, "notable_events_by_kind")]
)
def test_the_newest_entries_are_found_without_a_walk_past_the_pictures(organisation, lookups, index):
    entries = SessionEvent.objects.for_messages().notable().filter(organisation=organisation, **lookups)
    assert index in entries.order_by("-pk")[:50].explain()


@pytest.mark.parametrize("words", [["error"], ["warning"], ["warning", "error"]])
def test_entries_that_are_not_just_for_information_have_their_own_index(organisation, session, words):
    for number, severity in enumerate(["info"] * 40 + ["error", "warning", "info"]):
        mark(session, label=f"mark {number}", by="ann", severity=severity)
    entries = SessionEvent.objects.for_messages().notable().filter(organisation=organisation)
    page = entries.of_severity(words).order_by("-pk")[:50]
    if connection.vendor == "postgresql":  # it would rather read a table of one page
        connection.cursor().execute("SET LOCAL enable_seqscan = off")
    plan = page.explain()
    assert [entry.detail["severity"] for entry in page] == words
    assert "severe_events_newest" in plan and "TEMP B-TREE" not in plan


@on_sqlite
def test_entries_of_a_session_are_found_without_those_of_its_pictures(organisation, monitor, session):
    mine = SessionEvent.objects.for_messages().notable().filter(organisation=organisation)
    for entries in (mine.of_monitor(monitor.pk), mine.of_sessions([session.pk])):
        assert "notable_of_session_by_kind" in entries.order_by("-pk")[:50].explain()


@on_sqlite
def test_the_news_of_a_monitor_of_many_sessions_come_in_their_order(
    organisation, monitor, session, monkeypatch
):
    monkeypatch.setattr(few_module, "FEW", 0)
    mine = SessionEvent.objects.for_messages().filter(organisation=organisation).of_monitor(monitor.pk)
    plan = mine.order_by("-pk")[:50].explain()
    assert "notable_events_newest" in plan and "TEMP B-TREE" not in plan


def test_rows_that_are_read_by_their_keys_still_pass_the_other_conditions(image, viewer, stranger):
    for who, seen in ((viewer, 1), (stranger, 0)):
        visible = Image.objects.visible_to(caller_of_user(who))
        assert read_by_key(visible, [image.pk]).count() == seen
        assert read_by_key(visible.filter(label="none"), [image.pk]).count() == 0
        assert read_by_key(visible, []).count() == 0
    assert read_by_key(Image.objects.all(), [image.pk]).get() == image
    assert Image.objects.filter(aside(monitor__slug="cam-1", label="")).count() == 1
