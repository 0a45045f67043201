"""`?q=` of the list of sessions says the same whether few or many begin so."""

import pytest

from monitoring.services import create_monitor, start_monitor
from sessions_app.services import set_name_notes, start_annotation
from sessionsite.common import few as few_module

URL = "/api/v1/sessions/"


@pytest.fixture(params=["few", "many"], autouse=True)
def how_many(request, monkeypatch):
    monkeypatch.setattr(few_module, "FEW", {"few": 1000, "many": 0}[request.param])


@pytest.fixture
def sessions(organisation, other_organisation) -> dict[str, str]:
    """name -> key of ours; others have sessions of the same names."""
    keys = {}
    for owner, place in ((organisation, "cam-7"), (other_organisation, "cam-9")):
        monitor = create_monitor(owner, slug=place, name="Gate", by="test")
        watched = start_monitor(monitor, by="bob")
        set_name_notes(watched, by="bob", name="Night 1")
        for name, by in (("Night 2", "Nina"), ("morning", "bob")):
            made = start_annotation(owner, by=by, name=name, idle_ttl_s=60, elcor=False)
            if owner == organisation:
                keys |= {"Night 1": watched.key, name: made.key}
    return keys


def found(client, query: str) -> list[str]:
    answer = client.get(f"{URL}?{query}")
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("night", ["Night 2", "Night 1"]), ("NIGHT 1", ["Night 1"]), ("ni", ["Night 2", "Night 1"]),
     ("nina", ["Night 2"]), ("bob", ["morning", "Night 1"]), ("cam-7", ["Night 1"]), ("gat", ["Night 1"]),
     ("cam-9", []), ("ight", []), ("%25", []), ("_ight", [])],
)  # fmt: skip
def test_it_finds_names_starters_and_monitors_of_ours_newest_first(sessions, as_viewer, text, expected):
    assert found(as_viewer, f"q={text}") == expected


def test_it_finds_a_key_and_goes_with_the_other_filters(
    sessions, as_viewer, organisation, other_organisation
):
    assert found(as_viewer, f"q={sessions['morning']}") == ["morning"]
    assert found(as_viewer, "q=night&kind=monitor") == ["Night 1"]
    assert found(as_viewer, "q=n&label=nothing") == []
    assert found(as_viewer, f"q=night&organisation={organisation.slug}") == ["Night 2", "Night 1"]
    assert found(as_viewer, f"q=night&organisation={other_organisation.slug}") == []


def test_its_pages_join_without_a_gap(sessions, as_viewer):
    page = as_viewer.get(f"{URL}?q=night&limit=1").json()
    assert [row["name"] for row in page["results"]] == ["Night 2"]
    page = as_viewer.get(page["next"]).json()
    assert [row["name"] for row in page["results"]] == ["Night 1"] and page["next"] is None


def test_the_csv_finds_the_same(sessions, as_viewer):
    lines = b"".join(as_viewer.get(f"{URL}csv/?q=night").streaming_content).decode().splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == ["Night 2", "Night 1"]


def test_a_superuser_finds_those_of_all(sessions, login, django_user_model):
    root = login(django_user_model.objects.create_superuser("root", password="x"))
    assert sorted(found(root, "q=night")) == ["Night 1", "Night 1", "Night 2", "Night 2"]
