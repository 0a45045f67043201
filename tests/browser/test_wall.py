"""The live wall: filters, events, demo, words for those who do not see it."""

import re
from itertools import count

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, People, log_in
from tests.browser.line import Cameras
from tests.browser.steps import hold, tile, wait_until_live
from tests.site.processes import Server, running
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def pair(cameras):
    """One monitor that runs and one that does not."""
    cameras.monitor("wall-on", "Wall on")
    cameras.monitor("wall-off", "Wall off", start=False)
    return "wall-on", "wall-off"


def test_a_chip_filters_the_tiles_and_the_address(people, pair):
    page = people.open("/")
    page.locator("#counts").get_by_role("link", name="idle").click()
    page.wait_for_url("**/?state=idle")
    expect(tile(page, "wall-off")).to_be_visible()
    expect(tile(page, "wall-on")).to_be_hidden()
    page.locator("#counts").get_by_role("link", name="idle").click()
    expect(tile(page, "wall-on")).to_be_visible()


def test_an_empty_filter_says_so_and_leads_back(people, pair):
    page = people.open("/?state=error")
    expect(page.get_by_text("No monitor is error now.")).to_be_visible()
    page.get_by_role("link", name="Show all monitors").click()
    expect(tile(page, "wall-on")).to_be_visible()


def test_a_monitor_that_is_added_and_removed_elsewhere_comes_and_goes(people, cameras, pair):
    page = people.open("/")
    wait_until_live(page)
    cameras.monitor("passing", "Passing", start=False)
    expect(tile(page, "passing")).to_be_visible()
    cameras.call("DELETE", "monitors/passing/")
    expect(tile(page, "passing")).to_have_count(0)


def test_a_change_of_state_is_said_to_screen_readers(people, cameras, pair):
    cameras.monitor("spoken", "Spoken")
    page = people.open("/")
    wait_until_live(page)
    cameras.stop("spoken")
    expect(page.locator("#announcer")).to_have_text("Spoken is idle")


def test_the_rail_pauses_filters_and_goes_on(people, cameras, pair):
    cameras.monitor("railed", "Railed")
    page = people.open("/")
    wait_until_live(page)
    rail = page.locator("#rail")
    expect(rail.locator("ol")).to_contain_text("Railed started by cameras")
    rail.get_by_role("button", name="Pause").click()
    cameras.stop("railed")
    expect(rail.get_by_role("button", name="Go on (1 new)")).to_be_visible()
    expect(rail.locator("ol")).not_to_contain_text("Railed stopped")
    rail.get_by_role("button", name="Go on (1 new)").click()
    expect(rail.locator("li").first).to_contain_text("Railed stopped by cameras at 0 pictures")
    rail.get_by_role("button", name="Errors").click()
    expect(rail.locator("li").first).to_be_hidden()
    expect(rail).to_contain_text("No errors among the newest events.")


def test_the_rail_is_a_drawer_on_a_narrow_screen(people, pair):
    page = people.open("/", viewport={"width": 1000, "height": 800})
    rail = page.locator("#rail")
    expect(rail).to_be_hidden()
    page.get_by_role("button", name="Events", exact=True).click()
    expect(rail).to_be_visible()
    page.keyboard.press("Escape")
    expect(rail).to_be_hidden()


def test_a_late_camera_is_seen_and_its_picture_tells_its_age(people, cameras):
    cameras.monitor("dying", "Dying", interval_s=1)
    cameras.send("dying", 0)
    page = people.open("/")
    own = tile(page, "dying")
    expect(own.locator(".chip")).to_have_text(re.compile("late|lost"), timeout=20_000)
    expect(own.locator(".shot-age")).to_have_text(re.compile(r"\d+ s old"))
    expect(own.locator(".chip")).to_have_text("lost", timeout=30_000)
    expect(own.locator(".shot")).to_have_class(re.compile("is-stale"))
    expect(own.locator("img")).to_be_visible()
    numbers = count(1)
    wait_until(
        lambda: cameras.send("dying", next(numbers)) and own.locator(".chip").inner_text() == "running", 20
    )


@pytest.fixture
def demo(browser, tmp_path):
    with running(Server, "--demo", data_dir=tmp_path / "data") as server:
        context = browser.new_context()
        log_in(context.new_page(), server)
        people = People(browser, server.url, context.storage_state())
        context.close()
        yield people, Cameras(server)
        people.close()
        assert people.complaints == []


def test_the_demo_is_marked_counts_up_and_goes_in_one_step(demo):
    people, cameras = demo
    page = people.open("/")
    own = tile(page, "demo-cam-1")
    expect(own.get_by_text("Demo", exact=True)).to_be_visible()
    expect(own.locator("[data-total]")).to_have_text(re.compile(r"^([2-9]|\d\d+)$"), timeout=30_000)
    expect(page.locator("#demo")).to_contain_text("2 simulated cameras")
    hold(page, page.get_by_role("button", name="Remove demo"))
    expect(page.get_by_text("Removed:")).to_be_visible()
    expect(page.get_by_role("heading", name="No monitors yet")).to_be_visible()
    assert cameras.call("GET", "monitors/")["results"] == []


def test_start_and_stop_are_under_the_thumb_on_a_phone(people, cameras):
    cameras.monitor("thumb", "Thumb")
    page = people.open("/monitors/thumb/", viewport=PHONE, has_touch=True, is_mobile=True)
    wait_until_live(page)
    box = page.get_by_role("button", name="Stop Thumb").bounding_box()
    assert box["y"] > PHONE["height"] * 0.75
    assert box["x"] > PHONE["width"] * 0.5
    assert box["height"] >= 44
