"""Boxes over REST: drawn, moved, replaced, removed, each edit with the version that it was made from."""

import pytest

from monitoring.models import Tag, TagChange

BOX = {"label": "dent", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}


@pytest.fixture
def tags_url(image) -> str:
    return f"/api/v1/images/{image.key}/tags/"


@pytest.fixture
def drawn(as_operator, tags_url):
    answer = as_operator.post(tags_url, BOX)
    assert answer.status_code == 201
    return answer.json()


def url_of(tag) -> str:
    return f"/api/v1/tags/{tag['key']}/"


def test_a_box_is_drawn_with_the_floats_of_the_client(as_operator, image, tags_url):
    answer = as_operator.post(tags_url, {**BOX, "x": 0.123456789012345})
    assert answer.status_code == 201 and answer["ETag"] == '"1"'
    tag = answer.json()
    assert tag["x"] == 0.123456789012345
    assert (tag["author"], tag["source"], tag["image"]) == ("operator", "operator", image.key)
    assert as_operator.get(tags_url).json() == [tag]
    assert as_operator.get(f"/api/v1/images/{image.key}/").json()["tags"] == [tag]


def test_a_token_draws_as_a_device_unless_it_says_otherwise(as_device, tags_url):
    assert as_device.post(tags_url, BOX).json()["source"] == "device"
    assert as_device.post(tags_url, {**BOX, "source": "import"}).json()["source"] == "import"


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": -0.1},
        {"w": 0.95},
        {"w": 0},
        {"h": 1.5},
        {"x": "0.1"},
        {"x": None},
        {"x": True},
        {"y": []},
        {"label": ""},
        {"label": "   "},
        {"label": "x" * 101},
        {"label": 5},
        {"label": "a\tb"},
        {"colour": "red"},
        {"source": "me"},
    ],
)
def test_a_box_that_cannot_be_drawn_is_refused(as_operator, tags_url, wrong):
    answer = as_operator.post(tags_url, {**BOX, **wrong})
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] in ("bad_tag", "invalid")
    assert next(iter(wrong)) in answer.json()["details"]["fields"]
    assert Tag.objects.count() == 0


def test_a_move_names_the_version_it_was_made_from(as_operator, drawn, refused):
    refused(as_operator.patch(url_of(drawn), {"x": 0.5}), 428, "precondition_required")
    refused(as_operator.delete(url_of(drawn)), 428, "precondition_required")
    moved = as_operator.patch(url_of(drawn), {"x": 0.5}, headers={"If-Match": '"1"'})
    assert moved.status_code == 200 and moved["ETag"] == '"2"'
    assert (moved.json()["x"], moved.json()["y"], moved.json()["label"]) == (0.5, 0.2, "dent")


def test_two_people_on_one_box_the_second_sees_both_sides(as_operator, as_reviewer, drawn, refused):
    assert (
        as_reviewer.patch(url_of(drawn), {"label": "scratch"}, headers={"If-Match": '"1"'}).status_code == 200
    )
    answer = as_operator.patch(url_of(drawn), {"label": "hole"}, headers={"If-Match": '"1"'})
    details = refused(answer, 412, "revision_mismatch")
    assert details["yours"] == {"revision": 1, "label": "hole"}
    assert details["current"]["label"] == "scratch" and details["current"]["author"] == "reviewer"
    again = as_operator.patch(url_of(drawn), {"label": "hole"}, headers={"If-Match": 'W/"2"'})
    assert again.status_code == 200


@pytest.mark.parametrize("header", ["", '"x"', "abc", '"1", "2"', '"' + "9" * 40 + '"', "-1"])
def test_an_if_match_that_names_no_version(as_operator, drawn, header):
    answer = as_operator.patch(url_of(drawn), {"x": 0.5}, headers={"If-Match": header})
    assert answer.status_code in (400, 428)
    assert set(answer.json()) == {"error", "code", "details"}


def test_a_removed_box_is_kept_by_the_history(as_operator, image, drawn, refused):
    assert as_operator.delete(url_of(drawn), headers={"If-Match": '"1"'}).status_code == 204
    refused(as_operator.get(url_of(drawn)), 404, "not_found")
    history = as_operator.get(f"/api/v1/images/{image.key}/history/").json()["results"]
    assert [row["verb"] for row in history] == ["added", "deleted"]
    assert history[1]["before"]["label"] == "dent" and history[1]["after"] is None
    assert history[0]["tag"] == drawn["key"] and history[0]["at"].endswith("Z")


def test_the_whole_list_is_replaced_from_the_version_of_the_picture(
    as_operator, image, drawn, tags_url, refused
):
    body = {"tags": [BOX, {**BOX, "label": "hole"}]}
    refused(as_operator.put(tags_url, body), 428, "precondition_required")
    answer = as_operator.get(tags_url)
    replaced = as_operator.put(tags_url, body, headers={"If-Match": answer["ETag"]})
    assert replaced.status_code == 200
    assert [tag["label"] for tag in replaced.json()] == ["dent", "hole"]
    assert replaced.json()[0]["key"] == drawn["key"]  # what stays the same keeps its key
    details = refused(
        as_operator.put(tags_url, body, headers={"If-Match": answer["ETag"]}), 412, "revision_mismatch"
    )
    assert len(details["current"]["tags"]) == 2 and details["yours"]["tags"]
    emptied = as_operator.put(tags_url, {"tags": []}, headers={"If-Match": replaced["ETag"]})
    assert emptied.json() == []


def test_one_bad_box_leaves_the_list_as_it_was(as_operator, image, drawn, tags_url, refused):
    body = {"tags": [{**BOX, "label": "new"}, {**BOX, "w": 2}]}
    refused(as_operator.put(tags_url, body, headers={"If-Match": "*"}), 400, "bad_tag")
    assert [tag["key"] for tag in as_operator.get(tags_url).json()] == [drawn["key"]]


@pytest.mark.parametrize("body", [{}, [], {"tags": {}}, {"tags": [5]}, {"tags": None}, {"tags": [{}]}])
def test_a_list_of_another_shape_is_refused(as_operator, tags_url, drawn, body):
    answer = as_operator.put(tags_url, body, headers={"If-Match": "*"})
    assert answer.status_code == 400 and set(answer.json()) == {"error", "code", "details"}


def test_too_many_boxes_are_refused(as_operator, tags_url, refused):
    tags = [{**BOX, "label": f"l{n}"} for n in range(1001)]
    refused(as_operator.put(tags_url, {"tags": tags}, headers={"If-Match": "*"}), 400, "too_many_tags")


def test_a_deleted_picture_takes_no_boxes(as_operator, image, tags_url, drawn, refused):
    as_operator.delete(f"/api/v1/images/{image.key}/")
    refused(as_operator.post(tags_url, BOX), 409, "image_deleted")
    refused(as_operator.delete(url_of(drawn), headers={"If-Match": "*"}), 409, "image_deleted")


def test_every_edit_is_one_row_of_history(as_operator, drawn, tags_url):
    as_operator.patch(url_of(drawn), {"label": "hole"}, headers={"If-Match": "*"})
    as_operator.put(tags_url, {"tags": []}, headers={"If-Match": "*"})
    assert list(TagChange.objects.values_list("verb", flat=True)) == ["added", "changed", "deleted"]
