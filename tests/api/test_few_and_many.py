"""Lists filtered by what their rows contain say the same whether it is rare or common."""

import json
import re

import pytest

from monitoring.models import Image
from monitoring.services import NewImage, add_image, add_tag
from sessionsite.common import few as few_module
from tests.pictures import picture

AREA = {"x": 0.1, "y": 0.1, "w": 0.2, "h": 0.2}


@pytest.fixture(params=["rare", "common"])
def dents(request, monkeypatch, monitor, session, other_organisation):
    """Three pictures with a dent, the newest with two; one has only a scratch, one belongs to others."""
    from monitoring.services import create_monitor, start_monitor

    monkeypatch.setattr(few_module, "FEW", {"rare": 5, "common": 1}[request.param])
    foreign = create_monitor(other_organisation, slug="cam-9", name="Camera 9", by="test")
    start_monitor(foreign, by="test")
    keys = []
    for number, (where, labels) in enumerate(
        [(monitor, ["dent"]), (monitor, ["dent"]), (monitor, ["scratch"]), (foreign, ["dent"]),
         (monitor, ["dent", "dent"])]
    ):  # fmt: skip
        added = add_image(NewImage(data=picture(number), monitor=where))
        for label in labels:
            add_tag(Image.objects.get(key=added.key), label=label, by="ann", **AREA)
        keys.append(added.key)
    return [keys[4], keys[1], keys[0]]


def test_pictures_with_a_box_are_listed_once_newest_first_and_only_ours(dents, as_viewer):
    found = as_viewer.get("/api/v1/images/?tag=dent").json()["results"]
    assert [row["key"] for row in found] == dents


def test_pages_of_pictures_with_a_box_join_without_a_gap(dents, as_viewer):
    seen, url = [], "/api/v1/images/?tag=dent&limit=2"
    while url:
        page = as_viewer.get(url).json()
        seen += [row["key"] for row in page["results"]]
        url = page["next"]
    assert seen == dents


def test_sessions_with_a_label_are_only_ours(dents, as_viewer, session):
    found = as_viewer.get("/api/v1/sessions/?label=dent").json()["results"]
    assert [row["key"] for row in found] == [session.key]
    assert as_viewer.get("/api/v1/sessions/?label=doubtful").json()["results"] == []


def test_a_label_that_nothing_carries_gives_an_empty_page(dents, as_viewer):
    for address in ("/api/v1/images/?tag=crack", "/api/v1/sessions/?label=crack"):
        assert as_viewer.get(address).json() == {"next": None, "previous": None, "results": []}


def test_splits_sources_and_deleted_pictures_are_found_the_same_way(dents, as_reviewer, as_viewer):
    newest, middle, oldest = dents
    assert as_reviewer.patch(f"/api/v1/images/{middle}/", {"split": "test"}, format="json").status_code == 200
    assert as_reviewer.patch(f"/api/v1/images/{oldest}/", {"split": "test"}, format="json").status_code == 200
    assert as_reviewer.delete(f"/api/v1/images/{oldest}/").status_code == 204

    def found(query: str) -> list[str]:
        return [row["key"] for row in as_viewer.get(f"/api/v1/images/?{query}").json()["results"]]

    assert found("split=test") == [middle]
    assert found("split=test&deleted=true") == found("deleted=true") == [oldest]
    assert found("source=operator&tag=dent") == [newest, middle]
    assert found("source=import") == []


def test_a_filter_with_something_rare_goes_with_the_others(dents, as_viewer, session):
    newest, middle, oldest = dents
    for query, expected in (
        ("tag=dent&monitor=cam-1", dents),
        (f"tag=dent&session={session.key}", dents),
        ("tag=dent&monitor=nowhere", []),
        ("tag=dent&review=unreviewed&label=", dents),
        ("tag=dent&tag=scratch", None),
        ("tag=dent&organisation=default", dents),
        ("tag=dent&organisation=elsewhere", []),
    ):
        answer = as_viewer.get(f"/api/v1/images/?{query}")
        if expected is None:
            assert answer.status_code == 400
        else:
            assert [row["key"] for row in answer.json()["results"]] == expected, query


def test_a_superuser_finds_what_is_rare_everywhere(dents, login):
    from sessionsite.accounts.models import User

    root = login(User.objects.create_superuser("root", password="secret"))
    found = root.get("/api/v1/images/?tag=dent").json()["results"]
    assert len(found) == 4 and {row["key"] for row in found} > set(dents)
    assert len(root.get("/api/v1/images/?label=").json()["results"]) == 5
    assert [row["name"] for row in root.get("/api/v1/images/?review=unreviewed&limit=1").json()["results"]]


def test_entries_of_a_monitor_are_the_same_whether_its_sessions_are_few_or_many(dents, as_viewer, monitor):
    from monitoring.services import start_monitor, stop_monitor

    for _ in range(2):
        stop_monitor(monitor, by="ann")
        start_monitor(monitor, by="ann")

    def kinds(query: str) -> list[str]:
        return [row["kind"] for row in as_viewer.get(f"/api/v1/events/?{query}").json()["results"]]

    everything = kinds("monitor=cam-1")
    assert everything[:5] == ["started", "stopped", "started", "stopped", "tags_changed"]
    assert "images_added" not in everything
    assert kinds("monitor=cam-1&kind=started") == ["started"] * 3
    assert kinds("monitor=cam-9") == kinds("monitor=nowhere") == []
    page = as_viewer.get("/monitors/cam-1/").content.decode()
    data = re.search(r'id="events-data" type="application/json">(.*?)</script>', page)[1]
    assert [event["kind"] for event in json.loads(data)] == everything


def test_sessions_in_a_state_are_found_whether_it_is_rare_or_common(dents, as_viewer, monitor, session):
    from monitoring.services import start_monitor, stop_monitor

    for _ in range(2):
        stop_monitor(monitor, by="ann")
        start_monitor(monitor, by="ann")

    def found(query: str) -> list[str]:
        return [row["state"] for row in as_viewer.get(f"/api/v1/sessions/?{query}").json()["results"]]

    assert found("state=active") == ["active"]
    assert found("state=completed") == ["completed"] * 2
    assert found("state=completed,active") == ["active", "completed", "completed"]
    assert found("state=interrupted") == found("state=active&kind=rig") == []
    assert found("state=completed&label=dent") == ["completed"]
    assert found("state=active&label=dent") == []
