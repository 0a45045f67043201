"""The admin in a real browser: every page under the content policy, a list that stays true, the verbs."""

import re

import pytest
from playwright.sync_api import Page, expect

LISTS = [
    "accounts/user", "accounts/organisation", "accounts/membership", "accounts/apitoken",
    "accounts/auditentry", "devices/device", "sessions_app/session", "monitoring/monitor", "monitoring/image",
    "monitoring/dataset",
]  # fmt: skip
ADDABLE = [
    "accounts/user", "accounts/organisation", "accounts/membership", "accounts/apitoken", "devices/device",
    "monitoring/monitor", "monitoring/dataset",
]  # fmt: skip


@pytest.fixture(scope="module")
def line(cameras) -> str:
    """A running monitor with two pictures, boxes on them, and a device."""
    slug = cameras.monitor("admin-cam", "Admin camera")
    for number in range(2):
        cameras.tag(cameras.send(slug, number), "dent", (0.2, 0.3, 0.4, 0.2))
    cameras.call("POST", "devices/", json={"organisation": "default", "name": "Phone", "type": "phone"})
    cameras.call("POST", "datasets/", json={"organisation": "default", "name": "Dents"})
    return slug


def choose(page: Page, row: str, action: str) -> None:
    page.get_by_role("row", name=re.compile(row)).get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(label=action)
    page.get_by_role("button", name="Go").click()


@pytest.mark.parametrize("theme", ["light", "dark", "red"])
def test_every_page_keeps_to_the_content_policy(theme, line, people):
    page = people.open("/admin/", theme=theme)
    expect(page.get_by_role("link", name="Monitors", exact=True).first).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    for path in LISTS:
        page.goto(f"/admin/{path}/")
        expect(page.locator("#changelist")).to_be_visible()
        first = page.locator("#result_list tbody th a").first
        first.click()
        expect(page.locator("#content-main")).to_be_visible()
        page.goto(f"{page.url.split('change/')[0]}history/")
        expect(page.locator("#content-main")).to_be_visible()
    for path in ADDABLE:
        page.goto(f"/admin/{path}/add/")
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()
    page.goto("/admin/devices/device/")
    page.locator("#result_list tbody th a").first.click()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_text("Are you sure")).to_be_visible()
    page.goto("/admin/password_change/")
    expect(page.get_by_label("Old password")).to_be_visible()


def test_the_calendar_and_the_clock_of_a_form_work(line, people):
    page = people.open("/admin/accounts/apitoken/add/")
    page.get_by_role("link", name="Choose a Date").click()
    page.get_by_role("link", name="Tomorrow").last.click()
    page.get_by_role("link", name="Choose a Time").click()
    page.get_by_role("link", name="Midnight").click()
    expect(page.locator("#id_expires_at_0")).to_have_value(re.compile(r"\d{4}-\d\d-\d\d"))
    expect(page.locator("#id_expires_at_1")).to_have_value("00:00:00")


def test_the_monitors_list_stays_true_by_itself(line, cameras, people):
    page = people.open("/admin/monitoring/monitor/?q=admin-cam")
    total = page.locator(".field-total")
    page.get_by_role("row", name=re.compile("admin-cam")).get_by_role("checkbox").check()
    before = int(total.inner_text())
    cameras.send(line, 5)
    expect(total).to_have_text(str(before + 1), timeout=12_000)
    expect(page.get_by_role("row", name=re.compile("admin-cam")).get_by_role("checkbox")).to_be_checked()


def test_boxes_lie_where_they_were_drawn(line, people):
    page = people.open("/admin/monitoring/image/?q=admin-cam")
    page.locator("#result_list .field-label_or_key a").last.click()
    picture, box = page.locator(".shot img"), page.locator(".shot rect:not(.halo)").last
    expect(picture).to_have_js_property("complete", True)
    whole, drawn = picture.bounding_box(), box.bounding_box()
    assert drawn["x"] - whole["x"] == pytest.approx(0.2 * whole["width"], abs=3)
    assert drawn["y"] - whole["y"] == pytest.approx(0.3 * whole["height"], abs=3)
    assert drawn["width"] == pytest.approx(0.4 * whole["width"], abs=4)


def test_a_monitor_is_stopped_after_a_page_that_says_what_happens(cameras, people):
    slug = cameras.monitor("admin-stop", "Stop me")
    cameras.send(slug, 1)
    page = people.open("/admin/monitoring/monitor/?q=admin-stop")
    choose(page, slug, "Stop monitors")
    expect(page.get_by_text("Capture for training is switched off")).to_be_visible()
    assert cameras.state(slug)["running"]
    page.get_by_role("button", name="Stop monitors").click()
    expect(page.get_by_text("Stop monitors: done for 1.")).to_be_visible()
    assert not cameras.state(slug)["running"]


def test_a_token_is_shown_once(people, cameras):
    page = people.open("/admin/accounts/apitoken/add/")
    page.get_by_label("Name").fill("made by hand")
    page.get_by_label("Organisation").select_option(label="Default")
    page.get_by_role("button", name="Save", exact=True).click()
    secret = page.get_by_label("Secret").input_value()
    answer = cameras.http.get("/api/v1/monitors/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    page.get_by_role("link", name="I have it").click()
    expect(page.get_by_text("made by hand")).to_be_visible()
    assert secret not in page.content()
