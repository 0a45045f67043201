"""What SQLite makes of the condition that rows belong to the caller's organisation."""

import pytest
from django.db import connection

from sessions_app.models import Session
from sessionsite.accounts.callers import caller_of_user


def plan(rows) -> str:
    return rows.newest_first()[:50].explain()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by its statistics")
def test_a_few_named_sessions_are_found_by_their_keys_and_a_page_by_its_order(viewer):
    visible = Session.objects.visible_to(caller_of_user(viewer)).for_messages()
    assert "PRIMARY KEY" in plan(visible.filter(pk__in=range(1, 1000)))
    assert "sessions_newest_first" in plan(visible)


def test_nothing_is_visible_without_an_organisation(session, stranger):
    assert Session.objects.visible_to(caller_of_user(stranger)).count() == 0
    stranger.memberships.all().delete()
    assert Session.objects.visible_to(caller_of_user(stranger)).count() == 0
