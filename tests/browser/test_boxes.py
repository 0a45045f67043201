"""Boxes with the mouse, with two people at once, and when the server refuses."""

import pytest
from playwright.sync_api import expect

from tests.browser.steps import drag_over_picture, show_picture


@pytest.fixture(scope="module")
def bench(cameras):
    return cameras.monitor("bench", "Bench")


@pytest.fixture
def picture(cameras, bench, request) -> str:
    """The key of a picture with one box, `dent`."""
    number = 100 + sum(map(ord, request.node.name)) % 1000
    key = cameras.send(bench, number, boxes=False)
    cameras.tag(key, "dent", (0.1, 0.1, 0.3, 0.3))
    return key


@pytest.fixture
def page(people, picture):
    page = people.open(f"/images/{picture}/")
    show_picture(page)
    return page


def boxes(cameras, picture: str) -> list[dict]:
    return cameras.call("GET", f"images/{picture}/")["tags"]


def test_a_drag_draws_a_box_only_after_the_button(page, cameras, picture):
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    page.get_by_role("button", name="Draw a box").click()
    drag_over_picture(page, (0.8, 0.9), (0.5, 0.5))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert len(boxes(cameras, picture)) == 2
    assert [boxes(cameras, picture)[1][side] for side in "xywh"] == pytest.approx(
        [0.5, 0.5, 0.3, 0.4], abs=0.01
    )


def test_a_box_is_drawn_in_the_right_place_while_zoomed(page, cameras, picture):
    page.locator("[data-viewer]").hover(position={"x": 200, "y": 150})
    page.mouse.wheel(0, -300)
    page.mouse.wheel(0, -300)
    frame = page.locator(".viewer-stage").bounding_box()
    view = page.locator("[data-viewer]").bounding_box()
    middle = [(view["x"] + view["width"] * share - frame["x"]) / frame["width"] for share in (0.4, 0.6)]
    level = (view["y"] + view["height"] * 0.5 - frame["y"]) / frame["height"]
    page.keyboard.press("b")
    drag_over_picture(page, (middle[0], level - 0.05), (middle[1], level + 0.05))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    drawn = boxes(cameras, picture)[1]
    assert drawn["x"] == pytest.approx(middle[0], abs=0.01)
    assert drawn["w"] == pytest.approx(middle[1] - middle[0], abs=0.01)
    page.keyboard.press("0")
    expect(page.locator("[data-viewer]")).not_to_have_class("is-zoomed")


def test_the_server_can_refuse_and_the_box_goes_back(page, people, cameras, picture):
    page.route(
        "**/api/v1/tags/**",
        lambda route: route.fulfill(
            status=403, json={"error": "You may not do this.", "code": "not_allowed", "details": {}}
        ),
    )
    page.locator("[data-boxes]").get_by_role("button", name="Delete the box dent").click()
    expect(page.locator("[data-saved]")).to_have_text("Refused: You may not do this.")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(1)
    people.forgive("403")


def test_a_server_that_cannot_be_reached_is_named(page, people, picture):
    page.route("**/api/v1/images/*/tags/", lambda route: route.abort())
    page.get_by_role("button", name="Draw a box").click()
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-saved]")).to_have_text("Refused: The server cannot be reached")
    people.forgive("ERR_FAILED")


@pytest.mark.parametrize(("choice", "label"), [("Keep theirs", "theirs"), ("Save yours over it", "mine")])
def test_two_changes_of_one_box_show_both_sides(page, people, cameras, picture, choice, label):
    [box] = boxes(cameras, picture)
    # The news of the other change does not reach this page before its own change leaves it.
    page.route(f"**/api/v1/images/{picture}/", lambda route: route.abort())
    page.locator("[data-boxes] button").first.click()
    cameras.call(
        "PATCH", f"tags/{box['key']}/", json={"label": "theirs"}, headers={"If-Match": f'"{box["revision"]}"'}
    )
    page.get_by_label("New label").fill("mine")
    page.get_by_label("New label").press("Enter")
    sheet = page.get_by_role("dialog", name="Somebody else changed this box")
    expect(sheet).to_contain_text("mine")
    expect(sheet).to_contain_text("theirs")
    expect(sheet).to_contain_text("cameras")
    page.unroute(f"**/api/v1/images/{picture}/")
    sheet.get_by_role("button", name=choice).click()
    expect(page.locator("[data-saved]")).to_have_text(
        {"mine": "Saved"}.get(label, "The other change was kept")
    )
    expect(page.locator("[data-boxes]")).to_contain_text(label)
    assert [tag["label"] for tag in boxes(cameras, picture)] == [label]
    people.forgive("412", "ERR_FAILED")


def test_a_viewer_sees_boxes_and_no_tools(browser, server, cameras, picture, people):
    from tests.site.processes import manage

    code = (
        "from sessionsite.accounts.models import Organisation, User;"
        "from sessionsite.accounts.services import set_role;"
        "user = User.objects.create_user('watcher', password='pass word');"
        "set_role(user, Organisation.objects.get(slug='default'), 'viewer', by='test')"
    )
    manage("shell", "-c", code, data_dir=server.data_dir)
    page = people.open("/login/")
    page.context.clear_cookies()
    page.goto("/login/")
    page.get_by_label("Name").fill("watcher")
    page.get_by_label("Password").fill("pass word")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.get_by_role("button", name="Stop Bench")).to_have_count(0)
    page.goto(f"/images/{picture}/")
    show_picture(page)
    expect(page.locator("[data-boxes]")).to_contain_text("dent")
    expect(page.get_by_role("button", name="Draw a box")).to_have_count(0)
    expect(page.get_by_label("New label")).to_have_count(0)
    page.keyboard.press("b")
    expect(page.locator("[data-viewer]")).not_to_have_class("is-drawing")
