"""Boxes and review with a finger."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.steps import show_picture


@pytest.fixture
def phone(people, cameras):
    """A picture with one box on a phone: (page, key, finger)."""
    if not any(monitor["slug"] == "touched" for monitor in cameras.call("GET", "monitors/")["results"]):
        cameras.monitor("touched", "Touched")
    key = cameras.send("touched", 7, boxes=False)
    cameras.tag(key, "dent", (0.1, 0.1, 0.3, 0.3))
    page = people.open(f"/images/{key}/", viewport=PHONE, has_touch=True, is_mobile=True)
    show_picture(page)
    yield page, key, Finger(page)
    cameras.call("DELETE", f"images/{key}/")


class Finger:
    """Touches as the browser itself makes them, in fractions of the picture."""

    def __init__(self, page) -> None:
        self.page = page
        self.wire = page.context.new_cdp_session(page)

    def send(self, kind: str, *places: tuple[float, float]) -> None:
        frame = self.page.locator(".viewer-stage").bounding_box()
        points = [
            {"x": frame["x"] + x * frame["width"], "y": frame["y"] + y * frame["height"], "id": number}
            for number, (x, y) in enumerate(places)
        ]
        self.wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.send("touchStart", start)
        for part in (0.3, 0.6, 1.0):
            place = tuple(one + part * (other - one) for one, other in zip(start, end, strict=True))
            self.send("touchMove", place)
        self.send("touchEnd")


def boxes(cameras, key: str) -> list[dict]:
    return cameras.call("GET", f"images/{key}/")["tags"]


def sides(box: dict) -> list[float]:
    return [box[side] for side in "xywh"]


def test_a_finger_draws_moves_and_sizes_a_box(phone, cameras):
    page, key, finger = phone
    page.get_by_role("button", name="Draw a box").tap()
    finger.drag((0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert sides(boxes(cameras, key)[1]) == pytest.approx([0.5, 0.5, 0.3, 0.4], abs=0.02)
    finger.drag((0.25, 0.25), (0.35, 0.35))
    expect(page.locator("[data-boxes]")).to_contain_text("v2")
    assert sides(boxes(cameras, key)[0]) == pytest.approx([0.2, 0.2, 0.3, 0.3], abs=0.02)
    finger.drag((0.2, 0.2), (0.1, 0.05))  # its upper left corner
    expect(page.locator("[data-boxes]")).to_contain_text("v3")
    assert sides(boxes(cameras, key)[0]) == pytest.approx([0.1, 0.05, 0.4, 0.45], abs=0.02)


def test_two_fingers_zoom_and_leave_the_boxes_alone(phone, cameras):
    page, key, finger = phone
    before = page.locator(".viewer-stage").bounding_box()["width"]
    finger.send("touchStart", (0.25, 0.25))
    finger.send("touchStart", (0.25, 0.25), (0.6, 0.6))
    finger.send("touchMove", (0.15, 0.15), (0.6, 0.6))
    finger.send("touchMove", (0.1, 0.1), (0.7, 0.7))
    finger.send("touchEnd")
    expect(page.locator("[data-viewer]")).to_have_class("viewer is-zoomed")
    assert page.locator(".viewer-stage").bounding_box()["width"] > 1.2 * before
    assert sides(boxes(cameras, key)[0]) == [0.1, 0.1, 0.3, 0.3]


def test_a_picture_is_reviewed_and_taken_back_with_the_thumb(phone, cameras):
    page, key, _ = phone
    page.get_by_role("button", name="Accept").tap()
    expect(page.locator("[data-ended]")).to_be_visible()
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert cameras.call("GET", f"images/{key}/")["review"] == "accepted"
    page.get_by_role("button", name="Undo").tap()
    expect(page.locator("[data-ended]")).to_be_hidden()
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert cameras.call("GET", f"images/{key}/")["review"] == "unreviewed"
