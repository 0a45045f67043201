"""Keyset pages: complete, without repeats, from one index."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app.models import Session
from sessionsite.common.clock import now

SESSIONS = "/api/v1/sessions/"


@pytest.fixture
def twins(organisation) -> list[str]:
    """Twelve sessions, four each of the same moment."""
    moment = now()
    rows = [
        Session(organisation=organisation, started_at=moment - timedelta(hours=n // 4)) for n in range(12)
    ]
    Session.objects.bulk_create(rows)
    return list(Session.objects.order_by("-started_at", "-pk").values_list("key", flat=True))


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 12, 200])
def test_equal_times_are_neither_skipped_nor_repeated(as_viewer, twins, limit):
    seen, url = [], f"{SESSIONS}?limit={limit}"
    while url:
        page = as_viewer.get(url).json()
        seen += [row["key"] for row in page["results"]]
        url = page["next"]
    assert seen == twins


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_the_way_back_from_the_end_is_complete(as_viewer, twins, limit):
    page = as_viewer.get(f"{SESSIONS}?limit={limit}").json()
    while page["next"]:
        page = as_viewer.get(page["next"]).json()
    seen = [row["key"] for row in page["results"]]
    while page["previous"]:
        page = as_viewer.get(page["previous"]).json()
        seen = [row["key"] for row in page["results"]] + seen
    assert seen == twins


def test_a_page_that_has_emptied_still_leads_back(as_viewer, twins):
    first = as_viewer.get(f"{SESSIONS}?limit=3").json()
    Session.objects.filter(key__in=twins[3:]).delete()
    empty = as_viewer.get(first["next"]).json()
    assert empty["results"] == [] and empty["next"] is None
    back = as_viewer.get(empty["previous"]).json()
    assert [row["key"] for row in back["results"]] == twins[:3]


def test_links_keep_the_filters(as_viewer, twins):
    page = as_viewer.get(f"{SESSIONS}?limit=2&state=created&q=").json()
    assert page["next"].startswith(f"{SESSIONS}?limit=2&state=created&q=&cursor=")


def test_an_ascending_list_goes_on_upwards(as_admin, organisation):
    from monitoring.services import create_monitor

    for slug in ("b", "a", "d", "c"):
        create_monitor(organisation, slug=slug, by="test")
    page = as_admin.get("/api/v1/monitors/?limit=3").json()
    assert [row["slug"] for row in page["results"]] == ["a", "b", "c"]
    assert [row["slug"] for row in as_admin.get(page["next"]).json()["results"]] == ["d"]


def second_page_query(client, url: str, table: str) -> str:
    """The one statement that reads the rows of the second page."""
    first = client.get(url).json()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(first["next"]).status_code == 200
    [sql] = [
        query["sql"] for query in queries if f'FROM "{table}"' in query["sql"] and "LIMIT" in query["sql"]
    ]
    return sql


def test_the_next_page_is_found_by_row_values_not_by_or(as_viewer, twins):
    sql = second_page_query(as_viewer, f"{SESSIONS}?limit=3", "sessions_app_session")
    assert '("sessions_app_session"."started_at", "sessions_app_session"."id") < (' in sql
    assert " OR " not in sql


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan is SQLite's")
@pytest.mark.parametrize("query", ["", "&monitor=cam-1", "&organisation=default"])
def test_a_page_is_read_from_an_index_in_its_order(as_viewer, monitor, twins, query):
    if "monitor" in query:
        Session.objects.update(monitor=monitor, state="completed")
    sql = second_page_query(as_viewer, f"{SESSIONS}?limit=3{query}", "sessions_app_session")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        plan = "\n".join(row[3] for row in cursor.fetchall())
    assert "SEARCH sessions_app_session USING INDEX sessions_" in plan
    assert "TEMP B-TREE" not in plan
