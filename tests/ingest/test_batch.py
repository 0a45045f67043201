"""Several pictures in one form: each is judged by itself."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from monitoring.models import Image
from tests.pictures import picture

BATCH = "/api/v1/monitors/cam-1/images/batch/"


@pytest.fixture
def client(token):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def files(*contents: bytes) -> list:
    return [SimpleUploadedFile(f"{n}.jpg", data, "image/jpeg") for n, data in enumerate(contents)]


def send(client, form: dict):
    return client.post(BATCH, form, format="multipart")


def test_good_pictures_are_kept_and_a_bad_one_says_why(client, session):
    sent = files(picture(1), b"junk", picture(2), picture(1)[:-100])
    answer = send(client, {"images": sent})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["accepted"], body["refused"]) == (2, 2)
    assert [result["status"] for result in body["results"]] == [201, 400, 201, 400]
    assert body["results"][1]["code"] == "not_a_picture"
    kept = [Image.objects.get(key=body["results"][n]["key"]).name for n in (0, 2)]
    assert kept == ["0.jpg", "2.jpg"]
    session.refresh_from_db()
    assert (session.total_counter, session.image_count, session.last_seq) == (2, 2, 2)


def test_what_is_said_of_each_picture_goes_with_it(client, session):
    about = [{"label": "OK", "name": "a"}, {"label": "DEFECT", "taken_at": "2026-01-02T03:04:05Z"}]
    answer = send(client, {"images": files(picture(1), picture(2)), "about": json.dumps(about)})
    assert answer.json()["accepted"] == 2, answer.content
    assert set(Image.objects.values_list("name", "label")) == {("a", "OK"), ("1.jpg", "DEFECT")}


def test_a_repeated_batch_is_counted_once(client, session):
    about = json.dumps([{"idempotency_key": "k1"}, {"idempotency_key": "k2"}])
    for repeated in (False, True):
        answer = send(client, {"images": files(picture(1), picture(2)), "about": about})
        assert [result["repeated"] for result in answer.json()["results"]] == [repeated] * 2
    assert Image.objects.count() == 2


def test_two_lists_of_what_is_said_are_refused(client, session):
    answer = send(client, {"images": files(picture(1)), "about": ["[{}]", '[{"label": "OK"}]']})
    assert answer.status_code == 400 and "about" in answer.json()["details"]["fields"]
    assert not Image.objects.exists()


@pytest.mark.parametrize("about", ["{", "[]", "[1]", '[{"colour": "red"}]', '[{"taken_at": "today"}]'])
def test_a_field_that_cannot_be_read_refuses_the_whole_request(client, session, about):
    answer = send(client, {"images": files(picture(1)), "about": about})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert Image.objects.count() == 0


def test_no_file_and_too_many_are_refused(client, session):
    assert send(client, {"about": "[]"}).status_code == 400
    many = send(client, {"images": files(*[b"x"] * 101)})
    assert (many.status_code, many.json()["code"]) == (400, "invalid")


def test_on_a_stopped_monitor_every_picture_is_refused(client, monitor):
    body = send(client, {"images": files(picture(1), picture(2))}).json()
    assert [result["code"] for result in body["results"]] == ["not_started"] * 2


def test_a_viewer_may_not(viewer_token, session):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {viewer_token}")
    assert send(client, {"images": files(picture(1))}).status_code == 403
