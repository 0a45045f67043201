"""A page outlives its server: it says so, heals without a reload, and loses no event."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import People, log_in
from tests.browser.line import Cameras
from tests.browser.steps import show_picture, tile, wait_until_live
from tests.site.processes import Server, running


@pytest.fixture
def place(browser, tmp_path):
    """Starts servers with the same data at the same address; gives people who are logged in there."""
    data_dir = tmp_path / "data"
    with running(Server, data_dir=data_dir) as first:
        context = browser.new_context()
        log_in(context.new_page(), first)
        people = People(browser, first.url, context.storage_state())
        context.close()
        yield first, people, lambda: running(Server, "--port", str(first.port), data_dir=data_dir)
        people.close()
        people.forgive_a_stopped_server()
        assert people.complaints == []


def test_the_page_heals_after_a_restart_without_a_reload(place):
    first, people, start_again = place
    cameras = Cameras(first)
    cameras.monitor("cam", "Camera", interval_s=600)
    cameras.send("cam", 0, boxes=False)
    wall, page = people.open("/"), people.open("/monitors/cam/")
    for each in (wall, page):
        wait_until_live(each)
        each.evaluate("window.isTheSamePage = true")
    show_picture(page)

    first.stop()
    badge = wall.locator("#link-badge .word")
    expect(badge).to_have_text(re.compile(r"^(stale|offline since \d\d:\d\d)"))
    expect(badge).to_have_text(re.compile(r"^offline since \d\d:\d\d$"), timeout=30_000)
    expect(tile(wall, "cam").locator("img")).to_be_visible()
    expect(tile(wall, "cam").locator(".shot-age")).to_contain_text("old")
    expect(tile(wall, "cam").locator(".shot")).to_have_class(re.compile("is-stale"))

    with start_again() as second:
        cameras = Cameras(second)
        cameras.send("cam", 1, boxes=False)
        for each in (wall, page):
            expect(each.locator("#link-badge .word")).to_have_text("live", timeout=40_000)
        expect(tile(wall, "cam").locator("[data-total]")).to_have_text("2")
        expect(page.locator("#film li")).to_have_count(2)
        expect(page.locator("#events")).to_contain_text("went on after a server restart")
        cameras.send("cam", 2, boxes=False)
        expect(page.locator("#total")).to_have_text("3")
        assert wall.evaluate("window.isTheSamePage") and page.evaluate("window.isTheSamePage")


def test_without_sockets_the_wall_goes_on_by_polling(place):
    server, people, _ = place
    cameras = Cameras(server)
    cameras.monitor("polled", "Polled")
    page = people.open("/login/")
    page.route_web_socket("**/ws/live/", lambda socket: socket.close(code=1000, reason="no sockets here"))
    page.goto("/")
    badge = page.locator("#link-badge .word")
    expect(badge).to_have_text(re.compile(r"^stale \d s, polling$"), timeout=20_000)
    cameras.send("polled", 0, boxes=False)
    cameras.stop("polled")
    expect(tile(page, "polled").locator("[data-total]")).to_have_text("1", timeout=15_000)
    expect(tile(page, "polled").locator(".chip")).to_have_text("idle")


def test_a_logout_elsewhere_leads_to_the_login(place):
    server, people, _ = place
    page = people.open("/")
    wait_until_live(page)
    other = page.context.new_page()
    other.goto("/sessions/")
    other.locator(".user-menu summary").click()
    other.get_by_role("button", name="Log out").click()
    other.wait_for_url("**/login/")
    page.wait_for_url("**/login/?next=%2F", timeout=15_000)
