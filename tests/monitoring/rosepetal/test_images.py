"""Pictures by POST /monitor/<id>/image: what is taken, what is refused and how it is said."""

import base64
import json

import pytest

from monitoring.models import Dataset, Image
from monitoring.services import create_monitor
from sessions_app.models import Session
from sessionsite.common.files import media_file

from .conftest import DENIED, image_body, picture

PATH = "/monitor/camera-production-line-1/image"
NOT_FOUND = {"data": {"error": True, "result": "Error: image not found"}}
DATE = 1706184000000


def added(answer) -> Image:
    assert answer.json()["data"]["result"] == "Added image"
    return Image.objects.get(key=answer.json()["data"]["id"])


def test_the_original_bytes_are_kept(running, wire):
    data = picture(7, format="PNG")
    image = added(wire.post(PATH, image_body(data)))
    assert media_file(image.file_path).read_bytes() == data
    assert image.author == "operator token"


@pytest.mark.parametrize("prefix", ["data:image/png;base64,", "DATA:image/jpeg;BASE64,"])
def test_a_data_url_is_taken(prefix, running, wire):
    assert added(wire.post(PATH + "/", {"image": prefix + base64.b64encode(picture()).decode()}))


@pytest.mark.parametrize(
    "image",
    [
        None, "", 7, [], {}, "no base64!", "aGVsbG8=", "aGVsbG8", "data:image/png;base64,", "é",
        base64.b64encode(picture()[:-40]).decode(),
        base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(),
    ],
)  # fmt: skip
def test_whatever_is_no_picture_has_the_one_text(image, running, wire):
    answer = wire.post(PATH, {"image": image, "image_data": {"date": DATE}})
    assert (answer.status_code, answer.json()) == (400, NOT_FOUND)
    assert answer["X-Error-Detail"]
    assert not Image.objects.exists()


@pytest.mark.parametrize(
    ("about", "text"),
    [
        ("text", "Error: image_data must be an object"),
        ({"date": DATE / 1000}, "Error: the time must be in milliseconds since 1970, from 2000 to 2099"),
        ({"date": "yesterday"}, "Error: the time must be a number of milliseconds since 1970"),
        ({"date": True}, "Error: the time must be a number of milliseconds since 1970"),
        ({"name": 5}, "Error: image_data.name must be text"),
        ({"tag": 5}, "Error: the label must be text"),
        ({"tag": "x" * 101}, "Error: the label has more than 100 characters"),
        ({"dataset": "x" * 101}, "Error: Dataset reference invalid"),
        ({"dataset": "a\x00b"}, "Error: Dataset reference invalid"),
        ({"dataset": {"id": "x"}}, "Error: Dataset reference invalid"),
    ],
)
def test_bad_words_about_a_picture_are_refused_with_the_reason(about, text, running, wire):
    answer = wire.post(PATH, {**image_body(), "image_data": about})
    assert (answer.status_code, answer.json()) == (400, {"data": {"error": True, "result": text}})
    assert not Image.objects.exists()


def test_a_strange_name_is_made_safe(running, wire):
    assert added(wire.post(PATH, image_body(name="../a\x00b\n/c\u202e.jpg"))).name == "c.jpg"


def test_a_picture_needs_no_words(running, wire):
    body = image_body()
    del body["image_data"]
    image = added(wire.post(PATH, body))
    assert (image.name, image.label, image.dataset) == ("", "", None)


def test_an_unknown_dataset_is_made_and_a_known_one_used(running, wire, dataset):
    assert added(wire.post(PATH, image_body(dataset=dataset.key))).dataset == dataset
    made = added(wire.post(PATH, image_body(dataset="new-one"))).dataset
    assert (made.key, made.organisation) == ("new-one", running.organisation)
    assert Dataset.objects.count() == 2


def test_a_picture_without_a_dataset_goes_into_the_monitors(organisation, dataset, wire):
    create_monitor(organisation, slug="cam-2", dataset=dataset, by="test")
    wire.get("/monitor/cam-2/start")
    assert added(wire.post("/monitor/cam-2/image", image_body(dataset=""))).dataset == dataset


def test_the_same_picture_of_the_same_date_is_counted_once(running, wire):
    first = wire.post(PATH, image_body(date=DATE, name="a.jpg"))
    again = wire.post(PATH, image_body(date=DATE, name="b.jpg"))
    assert again.content == first.content
    added(wire.post(PATH, image_body(date=DATE + 1)))
    added(wire.post(PATH, image_body(picture(9), date=DATE)))
    assert Session.objects.get().total_counter == Image.objects.count() == 3


def test_a_repeat_is_answered_after_the_stop_too(running, wire):
    first = wire.post(PATH, image_body(date=DATE))
    wire.get("/monitor/camera-production-line-1/stop")
    assert wire.post(PATH, image_body(date=DATE)).content == first.content
    fresh = wire.post(PATH, image_body(date=DATE + 1))
    assert (fresh.status_code, fresh.json()["data"]) == (200, {"error": True, "result": "Error: not started"})


def test_an_idempotency_key_gives_the_first_answer_and_refuses_another_picture(running, wire):
    key = {"Idempotency-Key": "shot-1"}
    first = wire.post(PATH, image_body(picture(1)), **key)
    assert wire.post(PATH, image_body(picture(1)), **key).content == first.content
    assert wire.post(PATH, image_body(picture(2)), **key).status_code == 422
    assert Session.objects.get().total_counter == 1


def test_a_picture_over_the_cap_is_413_in_the_envelope(running, wire, settings):
    settings.MAX_IMAGE_BYTES = 100
    answer = wire.post(PATH, image_body())
    assert answer.status_code == 413
    assert answer.json()["data"] == {"error": True, "result": "Error: the picture has more than 100 bytes"}


def test_a_full_disk_is_507_in_the_envelope(running, wire, settings):
    settings.DISK_RESERVE_BYTES = 1 << 60
    answer = wire.post(PATH, image_body())
    assert (answer.status_code, answer.json()["data"]["error"]) == (507, True)
    assert wire.get("/monitor/camera-production-line-1/stop").json()["data"]["result"] == "Stopped"


@pytest.mark.parametrize(("role", "scopes", "status"), [
    ("viewer", None, 403), ("operator", ["read", "control"], 403), ("operator", ["ingest"], 200),
])  # fmt: skip
def test_the_right_to_ingest_is_needed(role, scopes, status, running, wire_of):
    answer = wire_of(role, scopes=scopes).post(PATH, image_body())
    assert answer.status_code == status
    assert status == 200 or answer.json() == DENIED


def test_a_body_of_any_declared_type_is_read_as_json(running, wire):
    body = json.dumps(image_body()).encode()
    answer = wire.client.generic(
        "POST", PATH, body, content_type="text/plain", headers={"Authorization": f"Bearer {wire.token}"}
    )
    assert added(answer)
