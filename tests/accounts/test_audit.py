"""The audit trail in words: every verb of the sources reads as a sentence, and filters find it."""

from __future__ import annotations

import ast
import csv
import io

import pytest
from django.test import Client

from sessionsite.accounts.models import AuditEntry
from sessionsite.accounts.sentences import SPECIAL, TYPES, VERBS, changes_of, sentence
from sessionsite.accounts.services import audit, create_token, revoke_token, set_role
from tests.architecture.test_layers import sources

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_admin(administrator) -> Client:
    client = Client()
    client.force_login(administrator)
    return client


def verbs_in_sources() -> set[str]:
    """The second argument of every `audit(...)` that is plain text."""
    return {
        node.args[1].value
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "audit" and len(node.args) > 1
        if isinstance(node.args[1], ast.Constant)
    }


def test_every_verb_of_the_sources_has_its_words():
    found = verbs_in_sources()
    assert len(found) > 10
    assert sorted(found - set(VERBS)) == []


def test_sentences_read_well(organisation, administrator, operator, monitor):
    token, _ = create_token(organisation, name="camera of line 3", role="operator", by="admin")
    revoke_token(token, by="admin")
    set_role(operator, organisation, "reviewer", by="admin")
    set_role(operator, organisation, None, by="admin")
    said = [sentence(row) for row in AuditEntry.objects.order_by("-pk")[:4]]
    assert said == [
        "admin removed operator, who was reviewer",
        "admin changed operator from operator to reviewer",
        "admin revoked the token camera of line 3",
        "admin created the token camera of line 3",
    ]
    made = AuditEntry.objects.get(object_type="monitor")
    assert sentence(made) == "test created the monitor Camera 1"


@pytest.mark.parametrize("verb", sorted({*VERBS, *(verb for verb, _ in SPECIAL), "some_new_verb"}))
@pytest.mark.parametrize("sides", [(None, None), ({}, {"name": "x"}), ({"role": "a"}, None), ([1], "text")])
def test_no_row_breaks_its_sentence(organisation, verb, sides):
    for kind in TYPES:
        row = AuditEntry(
            actor="ann", verb=verb, object_type=kind, object_key="k", before=sides[0], after=sides[1]
        )
        assert sentence(row).startswith("ann ") and "{" not in sentence(row)
        assert isinstance(changes_of(row), list)


def test_only_what_differs_is_shown_as_a_change(organisation):
    row = audit(
        organisation, "changed", organisation, by="ann", before={"a": 1, "b": 2}, after={"a": 1, "b": []}
    )
    assert changes_of(row) == [("b", "2", "–")]


def test_the_page_filters_pages_and_shows_both_sides(as_admin, organisation, monitor):
    as_admin.patch("/api/v1/monitors/cam-1/", {"name": "Entry"}, content_type="application/json")
    page = as_admin.get("/audit/?object_type=monitor&verb=changed").content.decode()
    assert "admin changed the monitor Entry" in page
    assert "<td>Camera 1</td><td>Entry</td>" in page
    assert "No change fits" in as_admin.get("/audit/?actor=nobody").content.decode()
    for number in range(60):
        audit(organisation, "changed", organisation, by=f"robot {number}")
    first = as_admin.get("/audit/").content.decode()
    assert "robot 59" in first and "robot 2 " not in first and "Older" in first


@pytest.mark.parametrize(
    "query", ["?days=7", "?days=x", "?cursor=x", "?verb=" + "x" * 500, "?object_type=%27", "?actor=a%26b"]
)
def test_no_query_breaks_the_page(as_admin, organisation, query):
    assert as_admin.get(f"/audit/{query}").status_code in (200, 400)


def test_the_csv_of_the_page_holds_the_same_rows_in_words(as_admin, organisation, monitor):
    page = as_admin.get("/audit/?object_type=monitor").content.decode()
    address = page.split('href="/api/v1/audit/csv/')[1].split('"')[0].replace("&amp;", "&")
    answer = as_admin.get(f"/api/v1/audit/csv/{address}")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["sentence"], row["object_key"]) == ("test created the monitor Camera 1", "cam-1")


def test_rest_gives_the_sentence_too(as_admin, organisation, monitor):
    [row] = as_admin.get("/api/v1/audit/?object_type=monitor").json()["results"]
    assert row["sentence"] == "test created the monitor Camera 1"
