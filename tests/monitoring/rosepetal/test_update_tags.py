"""Boxes by POST /monitor/updateTags: the whole list at once, refused in the flat shape."""

import pytest

from monitoring.models import Image, Tag, TagChange
from monitoring.services import change_image, delete_image, reopen_review

from .conftest import image_body

PATH = "/monitor/updateTags"
BOX = {"tag": "dent", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}


@pytest.fixture
def image(running, wire) -> Image:
    answer = wire.post(f"/monitor/{running.slug}/image", image_body(dataset="d1"))
    return Image.objects.get(key=answer.json()["data"]["id"])


def body(image, tags, **changes) -> dict:
    return {"dataset": "d1", "imageID": image.key, "tags": tags, **changes}


def failed(details: str) -> dict:
    return {"error": "Failed to update tags", "details": details}


def test_the_list_is_replaced_and_what_stays_keeps_its_key(image, wire):
    wire.post(PATH, body(image, [BOX, {**BOX, "tag": "scratch"}]))
    before = {tag.label: tag.key for tag in Tag.objects.all()}
    assert wire.post(PATH + "/", body(image, [BOX])).json() == {"error": False, "status": "success"}
    assert [(tag.label, tag.key) for tag in Tag.objects.all()] == [("dent", before["dent"])]
    assert TagChange.objects.filter(verb="deleted").count() == 1


def test_an_empty_list_removes_every_box(image, wire):
    wire.post(PATH, body(image, [BOX]))
    assert wire.post(PATH, body(image, [])).status_code == 200
    assert not Tag.objects.exists()


def test_the_source_is_the_device_for_a_token_and_the_operator_for_a_person(image, wire, cookie_client):
    wire.post(PATH, body(image, [BOX]))
    assert Tag.objects.get().source == "device"
    cookie_client.cookies["csrftoken"] = secret = "s" * 32
    cookie_client.post(
        PATH, body(image, [{**BOX, "x": 0}]), content_type="application/json", headers={"X-CSRFToken": secret}
    )
    assert (Tag.objects.get().source, Tag.objects.get().author) == ("operator", "ann")


@pytest.mark.parametrize(
    ("box", "details"),
    [
        ({**BOX, "x": -0.1}, "x must not be negative"),
        ({**BOX, "w": 0}, "w must be greater than 0"),
        ({**BOX, "w": 0.91}, "the box leaves the picture: x+w is over 1"),
        ({**BOX, "h": "0.1"}, "h must be a number from 0 to 1"),
        ({**BOX, "tag": ""}, "the label is empty"),
        ({"x": 0, "y": 0, "w": 1, "h": 1}, "the label must be text"),
        ({"tag": "dent"}, "x must be a number from 0 to 1"),
        ("dent", "tags must be a list of objects"),
    ],
)
def test_one_bad_box_refuses_the_list(box, details, image, wire):
    answer = wire.post(PATH, body(image, [BOX, box]))
    assert (answer.status_code, answer.json()) == (400, failed(details))
    assert not Tag.objects.exists()


@pytest.mark.parametrize("tags", [None, {}, "x", 7])
def test_tags_must_be_a_list(tags, image, wire):
    assert wire.post(PATH, body(image, tags)).json() == failed("tags must be a list of objects")


@pytest.mark.parametrize("key", ["unknown", "", None, 7, "a\x00b", "a/b"])
def test_a_dataset_that_is_not_known_is_invalid(key, image, wire):
    answer = wire.post(PATH, body(image, [BOX], dataset=key))
    assert (answer.status_code, answer.json()) == (400, failed("Dataset reference invalid"))


def test_a_dataset_that_does_not_hold_the_picture_is_invalid(image, dataset, wire):
    answer = wire.post(PATH, body(image, [BOX], dataset=dataset.key))
    assert (answer.status_code, answer.json()) == (400, failed("Dataset reference invalid"))


@pytest.mark.parametrize("key", [None, 7, "", "nonsense", "im_\x00", "im_01kaj00000000000000000000z"])
def test_an_unknown_picture_is_said_to_be_unknown(key, image, wire):
    answer = wire.post(PATH, body(image, [BOX], imageID=key))
    assert (answer.status_code, answer.json()) == (404, failed("Image not found or access denied"))


def test_a_deleted_picture_takes_no_boxes(image, wire):
    delete_image(image, by="test")
    assert wire.post(PATH, body(image, [BOX])).status_code == 404


def test_who_may_not_is_told_in_the_flat_shape(image, wire, wire_of, foreign_wire):
    text = failed("Monitor not found or access denied")
    wire.token = None
    assert (wire.post(PATH, body(image, [])).status_code, wire.post(PATH, body(image, [])).json()) == (
        401,
        text,
    )
    answer = wire_of("viewer").post(PATH, body(image, []))
    assert (answer.status_code, answer.json()) == (403, text)
    answer = foreign_wire.post(PATH, body(image, []))
    assert (answer.status_code, answer.json()) == (400, failed("Dataset reference invalid"))


def test_a_picture_whose_review_has_ended_keeps_its_boxes(image, wire):
    wire.post(PATH, body(image, [BOX]))
    change_image(image, by="rita", review="accepted")
    answer = wire.post(PATH, body(image, []))
    assert answer.status_code == 409
    assert answer.json() == failed("The picture was accepted: reopen its review first.")
    assert Tag.objects.count() == 1
    answer = wire.get(f"/image/delete/image/{image.key}")
    assert (answer.status_code, answer.json()["error"]) == (409, True)
    reopen_review(image, by="rita")
    assert wire.post(PATH, body(image, [])).status_code == 200
