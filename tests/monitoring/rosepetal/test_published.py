"""The published exchanges, sent to the real addresses and compared byte for byte."""

import base64
import json

import pytest

from monitoring.models import Image, Tag

from .conftest import PAYLOADS, picture

IDLE = ["start", "stop_idle", "image_idle", "monitor_unknown"]
RUNNING = ["start_running", "stop", "image_missing"]
WITH_PICTURE = [
    "update_tags",
    "update_tags_bad_dataset",
    "image_delete",
    "image_delete_unknown",
    "dataset_csv",
]


def play(wire, exchange: dict, **values: str):
    """Send the exchange with its placeholders filled and compare the answer literally."""

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    body = filled(json.dumps(exchange["body"])).encode() if "body" in exchange else None
    answer = wire.send(exchange["method"], exchange["path"], body)
    assert (answer.status_code, answer.content.decode()) == (exchange["status"], filled(exchange["answer"]))
    assert answer["Content-Type"] == "application/json"


def base64_picture() -> str:
    return base64.b64encode(picture()).decode()


@pytest.mark.parametrize("name", IDLE)
def test_exchange_with_an_idle_monitor(name, monitor, wire, exchange):
    play(wire, exchange(name), base64=base64_picture())


@pytest.mark.parametrize("name", RUNNING)
def test_exchange_with_a_running_monitor(name, running, wire, exchange):
    play(wire, exchange(name), base64=base64_picture())


@pytest.fixture
def added(running, wire, exchange) -> Image:
    body = json.dumps(exchange("image")["body"]).replace("{base64}", base64_picture())
    answer = wire.post("/monitor/camera-production-line-1/image", body.encode())
    return Image.objects.get(key=answer.json()["data"]["id"])


def test_a_picture_is_added_with_everything_that_was_said_of_it(added):
    assert (added.name, added.label, added.dataset.key) == ("product_001.jpg", "defect", "dataset-abc123")
    assert added.taken_at.isoformat() == "2024-01-25T12:00:00+00:00"


def test_the_answer_to_a_picture_is_literal_and_the_same_for_a_repeat(added, wire, exchange):
    play(wire, exchange("image"), base64=base64_picture(), id=added.key)
    added.session.refresh_from_db()
    assert added.session.total_counter == 1


@pytest.mark.parametrize("name", WITH_PICTURE)
def test_exchange_about_a_picture(name, added, wire, exchange):
    play(wire, exchange(name), id=added.key)


def test_published_boxes_are_stored_unrounded_as_the_devices_own(added, wire, exchange):
    play(wire, exchange("update_tags"), id=added.key)
    tags = Tag.objects.filter(image=added).order_by("pk")
    assert [(tag.label, tag.x_frac, tag.y_frac, tag.w_frac, tag.h_frac) for tag in tags] == [
        ("scratch", 0.25, 0.3, 0.1, 0.15),
        ("dent", 0.6, 0.45, 0.08, 0.12),
    ]
    assert {(tag.source, tag.author) for tag in tags} == {("device", "operator token")}


def test_every_published_exchange_is_played():
    assert {path.stem for path in PAYLOADS.glob("*.json")} == {*IDLE, *RUNNING, *WITH_PICTURE, "image"}
