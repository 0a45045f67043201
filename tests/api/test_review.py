"""Undo, review and who edits, over REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from monitoring.models import Image
from monitoring.services import NewImage, add_image
from sessionsite.common.ids import new_key
from tests.pictures import picture

BOX = {"label": "dent", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}
IMAGES = "/api/v1/images/"
REVIEW = "/api/v1/review/"


@pytest.fixture
def url(image) -> str:
    return f"{IMAGES}{image.key}/"


def test_an_edit_is_undone_and_redone_with_its_history(as_operator, url):
    tag = as_operator.post(f"{url}tags/", BOX).json()
    undone = as_operator.post(f"{url}undo/")
    assert undone.status_code == 200 and undone.json()["tags"] == []
    assert undone["ETag"] == f'"{undone.json()["revision"]}"'
    assert [tag["key"] for tag in as_operator.post(f"{url}redo/").json()["tags"]] == [tag["key"]]
    history = as_operator.get(f"{url}history/").json()["results"]
    assert [(row["verb"], row["act"], row["of_revision"]) for row in history] == [
        ("added", "", None),
        ("deleted", "undo", 2),
        ("added", "redo", 2),
    ]
    refused = as_operator.post(f"{url}redo/")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_undo")


def test_an_undo_of_what_somebody_changed_shows_both_sides(as_operator, as_reviewer, url):
    tag = as_operator.post(f"{url}tags/", BOX).json()
    as_reviewer.patch(f"/api/v1/tags/{tag['key']}/", {"label": "hole"}, headers={"If-Match": '"1"'})
    refused = as_operator.post(f"{url}undo/")
    assert (refused.status_code, refused.json()["code"]) == (412, "revision_mismatch")
    assert refused.json()["details"]["yours"] is None
    assert refused.json()["details"]["current"]["label"] == "hole"
    assert as_operator.post(f"{url}undo/", headers={"If-Match": '"1"'}).status_code == 412


def test_a_change_of_a_deleted_box_is_refused_with_both_sides(as_operator, url, as_stranger):
    tag = as_operator.post(f"{url}tags/", BOX).json()
    address = f"/api/v1/tags/{tag['key']}/"
    assert as_operator.delete(address, headers={"If-Match": '"1"'}).status_code == 204
    refused = as_operator.patch(address, {"label": "hole"}, headers={"If-Match": '"1"'})
    assert refused.status_code == 412
    assert refused.json()["details"] == {"yours": {"revision": 1, "label": "hole"}, "current": None}
    assert as_operator.patch(address, {"label": "hole"}).status_code == 428
    assert as_stranger.patch(address, {"label": "x"}, headers={"If-Match": '"1"'}).status_code == 404
    assert as_operator.get(address).status_code == 404
    restored = as_operator.post(f"{address}restore/")
    assert (restored.status_code, restored.json()["key"]) == (200, tag["key"])
    assert restored.json()["revision"] == 2


def test_the_same_key_again_is_the_same_box(as_operator, url):
    sent = {**BOX, "key": new_key("tg")}
    first, again = (as_operator.post(f"{url}tags/", sent) for _ in range(2))
    assert first.json() == again.json() and first["Image-Revision"] == again["Image-Revision"] == "2"
    assert as_operator.post(f"{url}tags/", {**BOX, "key": "mine"}).json()["code"] == "invalid"


def test_only_a_reviewer_ends_and_reopens(as_operator, as_reviewer, url):
    assert as_operator.patch(url, {"review": "accepted"}).status_code == 403
    assert as_operator.patch(url, {"review_comment": "x"}).status_code == 403
    ended = as_reviewer.patch(url, {"review": "accepted", "review_comment": "fine"}).json()
    assert (ended["review"], ended["review_comment"], ended["reviewed_by"]) == (
        "accepted",
        "fine",
        "reviewer",
    )
    refused = as_operator.post(f"{url}tags/", BOX)
    assert (refused.status_code, refused.json()["code"]) == (409, "review_ended")
    assert as_operator.delete(url).status_code == 409
    assert as_operator.post(f"{url}reopen/").status_code == 403
    assert as_reviewer.post(f"{url}reopen/").json()["review"] == "unreviewed"
    assert as_operator.post(f"{url}tags/", BOX).status_code == 201


def test_an_operator_cannot_undo_what_needs_the_right_to_review(as_reviewer, reviewer, url, organisation):
    from sessionsite.accounts.services import set_role

    as_reviewer.patch(url, {"review": "accepted"})
    set_role(reviewer, organisation, "operator", by="test")
    refused = as_reviewer.post(f"{url}undo/")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


def test_many_are_reviewed_by_filter_and_taken_back(as_reviewer, as_operator, monitor, image):
    for number in range(1, 4):
        add_image(NewImage(data=picture(number), monitor=monitor, label="OK"))
    asked = {"review": "accepted"}
    seen = as_reviewer.post(f"{REVIEW}preview/?label=OK", asked).json()
    assert (seen["matched"], seen["changes"], seen["by_review"]) == (3, 3, {"unreviewed": 3})
    done = as_reviewer.post(f"{REVIEW}?label=OK", {**asked, "upto": seen["upto"]}).json()
    assert (done["changed"], done["skipped"]) == (3, 0)
    assert len(as_reviewer.get(f"{IMAGES}?review=accepted").json()["results"]) == 3
    undo = f"{REVIEW}{done['batch']}/undo/"
    assert as_operator.post(undo).status_code == 403
    assert as_reviewer.post(undo).json()["changed"] == 3
    assert as_operator.post(REVIEW, asked).status_code == 403
    assert as_reviewer.post(f"{REVIEW}?labels=OK", asked).status_code == 400
    one = as_reviewer.post(REVIEW, {**asked, "keys": [image.key]}).json()
    assert one["changed"] == 1


def test_pictures_are_found_by_where_their_boxes_come_from(as_operator, as_device, image, url):
    as_device.post(f"{url}tags/", BOX)
    assert as_operator.get(f"{IMAGES}?source=operator").json()["results"] == []
    assert len(as_operator.get(f"{IMAGES}?source=operator,device").json()["results"]) == 1


def test_who_edits_a_picture_is_seen_until_they_leave(as_operator, as_viewer, url):
    here = {"client": "page-0001", "tag": ""}
    assert as_viewer.post(f"{url}editors/", here).status_code == 403
    [me] = as_operator.post(f"{url}editors/", here).json()
    assert (me["name"], me["client"]) == ("operator", "page-0001")
    assert as_viewer.get(f"{url}editors/").json()[0]["name"] == "operator"
    assert as_operator.delete(f"{url}editors/", here).status_code == 204
    assert as_viewer.get(f"{url}editors/").json() == []
    assert as_operator.post(f"{url}editors/", {"client": "x"}).status_code == 400


QUEUES = {
    "review=doubtful": "images_by_review",
    "review=unreviewed": "images_by_review",
    "label=rare": "images_by_label",
}


@pytest.mark.parametrize("query", QUEUES)
def test_a_page_of_the_queue_reads_from_an_index(as_reviewer, monitor, image, query):
    """Of thousands of pictures with few that fit, neither the first page nor a later one reads them all."""
    row = Image.objects.values().get()
    same = {name: value for name, value in row.items() if name not in ("id", "key")}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    Image.objects.bulk_create(
        Image(
            **same
            | {
                "review": "doubtful" if number % 500 == 0 else "accepted" if number % 2 else "unreviewed",
                "label": "rare" if number % 500 == 0 else "OK",
                "sha256": f"{number:064}",
                "received_at": start + timedelta(seconds=number),
            }
        )
        for number in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    found = Image.objects.filter(organisation_id=row["organisation_id"], deleted_at=None).newest_first()
    name, _, value = query.partition("=")
    plan = found.filter(**{name: value})[:51].explain()
    assert QUEUES[query] in plan and "TEMP B-TREE" not in plan and "Sort" not in plan, plan
    page = as_reviewer.get(f"{IMAGES}?{query}&limit=2").json()
    again = as_reviewer.get(page["next"]).json()
    keys = [image["key"] for image in page["results"] + again["results"]]
    assert len(set(keys)) == 4
