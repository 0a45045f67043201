"""The storage page previews a rule before it saves it; sessions are pinned on their pages."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import PHONE


@pytest.fixture(scope="module")
def ended(cameras) -> str:
    """A session that has ended, with two pictures; its key."""
    cameras.monitor("kept", "Kept camera", interval_s=3600)
    cameras.send("kept", 0)
    cameras.send("kept", 1)
    key = cameras.state("kept")["session"]["key"]
    cameras.stop("kept")
    return key


def test_a_rule_is_previewed_then_saved_and_named_sessions_go_next(people, ended):
    page = people.open("/storage/")
    expect(page.locator("#forecast")).to_contain_text("a day")
    page.get_by_role("button", name="Change the rule of Kept camera").click()
    page.get_by_label("Keep at most, in GB").fill("0")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#trial")).to_contain_text("2 pictures of 1 session")
    page.get_by_label("Keep for days").fill("9")
    expect(page.locator("#trial")).to_have_text("")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name=re.compile("Kept camera")).first
    expect(row).to_contain_text("9 days, at most 0 B")
    expect(page.locator("#due")).to_contain_text("monitor kept keeps 0 bytes")
    page.reload()
    expect(row).to_contain_text("9 days, at most 0 B")
    page.get_by_role("button", name="Change the rule of Kept camera").click()
    page.get_by_label("Keep at most, in GB").fill("")
    page.get_by_label("Keep for days").fill("")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("as all monitors")


def test_a_session_is_pinned_and_let_go_on_its_page(people, ended):
    page = people.open(f"/sessions/{ended}/")
    pin = page.locator("[data-pin]")
    pin.click()
    expect(pin).to_have_text("Pinned")
    expect(pin).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(pin).to_have_text("Pinned")
    pin.click()
    expect(pin).to_have_text("Pin")


def with_a_full_disk_in_sight(route: Route) -> None:
    answer = route.fetch()
    storage = answer.json()
    storage["forecast"]["full_at"] = "2026-12-30T23:59:00Z"
    route.fulfill(response=answer, json=storage)


def test_the_moment_of_a_full_disk_fits_a_phone(people, ended):
    page = people.open("/storage/", viewport={**PHONE, "width": 320}, timezone_id="America/St_Johns")
    page.route("**/api/v1/storage/?*", with_a_full_disk_in_sight)
    page.get_by_role("button", name="Look again").click()
    expect(page.locator("#disk-facts time")).to_contain_text("2026")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
