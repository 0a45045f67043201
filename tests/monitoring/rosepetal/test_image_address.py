"""Pictures by their storage address: delete, and detection that this server does not do."""

import pytest

from monitoring.models import Image
from monitoring.services import create_monitor

from .conftest import image_body, picture

SUCCESS = {"error": False, "status": "success"}
DENIED = {"error": True, "status": "Permission denied or file not found"}
DATE = 1706184000000
UNKNOWN = "im_01kaj00000000000000000000z"


@pytest.fixture
def image(running, wire) -> Image:
    answer = wire.post(f"/monitor/{running.slug}/image", image_body(date=DATE))
    return Image.objects.get(key=answer.json()["data"]["id"])


def delete(wire, uri: str):
    return wire.get(f"/image/delete/image/{uri}")


def addresses(image: Image) -> list[str]:
    return [
        image.key,
        image.file_path,
        image.file_path.replace("/", "--"),
        image.thumbnail_path.replace("/", "--"),
        f"upload--{image.monitor.slug}--{DATE}.png",
        f"upload/{image.monitor.slug}/{DATE}.png",
    ]


@pytest.mark.parametrize("number", range(6))
def test_every_form_of_the_address_deletes_and_twice_is_the_same(number, image, wire):
    uri = addresses(image)[number]
    for _ in range(2):
        assert delete(wire, uri).json() == SUCCESS
    image.refresh_from_db()
    assert image.deleted_at is not None
    assert image.session.events.filter(kind="image_deleted").count() == 1


def test_a_slug_with_two_dashes_is_found(organisation, wire):
    create_monitor(organisation, slug="cam--7", by="test")
    wire.get("/monitor/cam--7/start")
    wire.post("/monitor/cam--7/image", image_body(date=DATE))
    assert delete(wire, f"upload--cam--7--{DATE}.png").json() == SUCCESS


def test_a_date_that_fits_two_pictures_deletes_neither(image, running, wire):
    wire.post(f"/monitor/{running.slug}/image", image_body(picture(9), date=DATE))
    answer = delete(wire, f"upload--{running.slug}--{DATE}.png")
    assert (answer.status_code, answer.json()) == (404, DENIED)
    assert Image.objects.kept().count() == 2


@pytest.mark.parametrize(
    "uri",
    ["", "x", "upload--x", "upload--camera-production-line-1--x.png", "..--..--etc--passwd", "%00", "%0A",
     "upload--camera-production-line-1--99.png", f"upload--camera-production-line-1--{'9' * 40}.png",
     "a" * 3000, UNKNOWN, f"factory--2026--01--01--{UNKNOWN}.jpg"],
)  # fmt: skip
def test_an_address_of_nothing_is_not_found(uri, image, wire):
    answer = delete(wire, uri)
    assert (answer.status_code, answer.json()) == (404, DENIED)


def test_a_path_that_is_not_the_pictures_own_is_not_found(image, wire):
    assert delete(wire, f"elsewhere--{image.key}.jpg").status_code == 404


def test_who_may_not_delete_is_told_in_the_flat_shape(image, wire, wire_of, foreign_wire, cookie_client):
    assert (foreign_wire.get(f"/image/delete/image/{image.key}").json()) == DENIED
    assert delete(wire_of("viewer"), image.key).status_code == 403
    assert delete(wire_of("viewer"), image.key).json() == DENIED
    answer = cookie_client.get(f"/image/delete/image/{image.key}")
    assert (answer.status_code, answer.json()) == (401, DENIED)
    assert Image.objects.kept().count() == 1


def test_detection_is_not_available(image, wire):
    answer = wire.get(f"/image/detect/image/{image.key}")
    assert answer.json() == {"data": {"error": True, "result": "Error: not available"}}
