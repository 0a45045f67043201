"""A beginning of a name is found in an index, and means what `istartswith` means."""

import pytest
from django.db import connection

from sessions_app.models import Session
from sessions_app.services import open_session
from sessionsite.common.begins import begins

NAMES = [
    "Batch 7", "batch 70", "BATCH 8", "Bat", "100 % sure", "100 x", "under_score", "underXscore", "it's",
    "back\\slash", "Éclair", "éclair", "straße", "STRASSE", "😀 night", "",
]  # fmt: skip
ASKED = [
    "batch 7", "BATCH", "bat", "100 %", "100", "under_", "it'", "back\\", "É", "é", "straß", "STRASS",
    "😀", "Z",
]  # fmt: skip


@pytest.fixture
def named(organisation):
    for name in NAMES:
        session = open_session(organisation)
        Session.objects.filter(pk=session.pk).update(name=name, started_by=name[::-1])


@pytest.mark.parametrize("text", ASKED)
def test_it_finds_what_istartswith_finds(named, text):
    for column in ("name", "started_by"):
        asked = text if column == "name" else text[::-1]
        found = Session.objects.filter(begins(column, asked))
        plain = Session.objects.filter(**{f"{column}__istartswith": asked})
        assert set(found) == set(plain)
    assert text == "Z" or Session.objects.filter(begins("name", text)).exists()


@pytest.fixture
def many(organisation):
    """So many that looking at all of them is the worse plan."""
    rows = (Session(organisation=organisation, name=f"shift {n}", started_by=f"ann {n}") for n in range(2000))
    Session.objects.bulk_create(rows)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE sessions_app_session")


@pytest.mark.parametrize(
    ("column", "text", "index"),
    [("name", "shift 77", "sessions_by_name"), ("started_by", "ann 77", "sessions_by_starter")],
)
def test_the_index_of_the_organisation_is_used_on_both_databases(organisation, many, column, text, index):
    rows = Session.objects.filter(begins(column, text), organisation__in=[organisation.pk])
    keys = rows.order_by().values_list("pk", flat=True)[:1001]
    assert f"{index} (organisation_id=? AND" in keys.explain() or f"using {index} on" in keys.explain()
    assert len(keys) == 11
