"""The storage page previews a rule before it saves it; sessions are pinned on their pages."""

import re

import pytest
from playwright.sync_api import Route, expect

from monitoring.services.retention import DAYS_MAX
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


DAYS, SIZE = "Keep for days", "Keep at most, in GB"
WRONG = [(DAYS, typed, "Whole days, 1 to 36,500, or empty") for typed in ("0", "36501", "1.5", "1e")]
WRONG += [(SIZE, typed, "0 to 9,000,000,000 GB, or empty") for typed in ("-1", "9000000001", "e5")]


@pytest.mark.parametrize(("name", "typed", "words"), WRONG)
def test_a_number_that_no_rule_takes_is_explained_beside_its_field(people, ended, name, typed, words):
    page = people.open("/storage/")
    page.get_by_role("button", name="Change the rule of Kept camera").click()
    field = page.get_by_label(name)
    field.press_sequentially(typed)
    page.get_by_role("button", name="Preview").click()
    problem = page.locator(".field", has=field).locator(".problem")
    expect(problem).to_have_text(words)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#trial")).to_have_text("")

    field.fill("5")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#trial")).to_have_text(re.compile(".+"))
    expect(problem).to_have_count(0)


def test_a_problem_does_not_stay_for_the_next_monitor(people, ended):
    page = people.open("/storage/")
    page.get_by_role("button", name="Change the rule of Kept camera").click()
    page.get_by_label(DAYS).fill("0")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".problem")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Change the rule of All monitors together").click()
    expect(page.locator("#rule-title")).to_be_visible()
    expect(page.locator(".problem")).to_have_count(0)


def test_the_page_and_the_server_take_the_same_numbers(people, ended):
    page = people.open("/storage/")
    page.get_by_role("button", name="Change the rule of Kept camera").click()
    days, size = (page.get_by_label(name).get_attribute("max") for name in (DAYS, SIZE))
    assert int(days) == DAYS_MAX and 0.95 < int(size) * 1e9 / 2**63 < 1


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
