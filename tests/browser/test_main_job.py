"""The main job from start to stop, as an operator sees it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import log_in
from tests.browser.steps import drag_over_picture, hold, show_picture, tile, wait_until_live
from tests.site.processes import Process, running


@pytest.fixture
def simulator(cameras, server, tmp_path):
    """A simulated camera that feeds `line-1`."""
    cameras.monitor("line-1", "Line 1", interval_s=1, start=False)
    token = tmp_path / "token"
    token.write_text(cameras.token)
    words = ["--url", server.url, "--token-file", str(token), "--monitors", "line-1", "--interval", "0.5"]
    with running(Process, "simulate_cameras", *words, data_dir=tmp_path) as process:
        yield process


def test_from_login_to_the_session_in_the_history(people, server, cameras, simulator):
    page = people.open("/login/")
    page.context.clear_cookies()
    log_in(page, server)
    wait_until_live(page)
    own = tile(page, "line-1")
    expect(own).to_contain_text("Never started")

    own.get_by_role("button", name="Start Line 1").click()
    expect(own.locator(".chip")).to_have_text("running")
    expect(own.locator("[data-total]")).to_have_text(re.compile(r"^([3-9]|\d{2,})$"))
    expect(own.locator(".shot img")).to_be_visible()

    own.get_by_role("link", name="Line 1", exact=True).click()
    show_picture(page)
    page.keyboard.press("b")
    expect(page.get_by_text("Following the newest picture")).to_be_hidden()
    drag_over_picture(page, (0.2, 0.3), (0.5, 0.6))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    shown = page.locator("#open-image").get_attribute("href")
    key = shown.split("/")[2]
    [box] = [tag for tag in cameras.call("GET", f"images/{key}/")["tags"] if tag["source"] == "operator"]
    assert box["author"] == "admin"
    assert [box[side] for side in "xywh"] == pytest.approx([0.2, 0.3, 0.3, 0.3], abs=0.01)

    other = people.open(shown)
    show_picture(other)
    expect(other.locator(f'[data-tag="{box["key"]}"]')).to_be_visible()
    expect(other.locator("[data-boxes]")).to_contain_text("admin")

    page.goto("/")
    wait_until_live(page)
    hold(page, tile(page, "line-1").get_by_role("button", name="Stop Line 1"))
    expect(tile(page, "line-1").locator(".chip")).to_have_text("idle")
    total = cameras.state("line-1")["last_session"]["total_counter"]

    page.goto("/sessions/?monitor=line-1")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("ended")
    expect(row).to_contain_text(f"{total:,}")
    row.get_by_role("link", name="Line 1").click()
    expect(page.locator("#total")).to_have_text(f"{total:,}")
    expect(page.locator(f'#grid [data-key="{key}"] .has-boxes, #grid [data-key="{key}"] a')).to_be_visible()
    expect(page.locator("#journal")).to_contain_text("stopped by admin")


def test_a_change_by_one_person_is_seen_by_another_without_a_reload(people, cameras):
    cameras.monitor("two-people", "Two people")
    image = cameras.send("two-people", boxes=False)
    ann, bob = people.open(f"/images/{image}/"), people.open(f"/images/{image}/")
    show_picture(ann)
    show_picture(bob)
    wait_until_live(bob)
    cameras.tag(image, "dent", (0.1, 0.1, 0.2, 0.2))
    for page in (ann, bob):
        expect(page.locator("[data-boxes] .box-row")).to_have_count(1)
    ann.locator("[data-boxes]").get_by_role("button", name="Delete the box dent").click()
    expect(bob.locator("[data-boxes] .box-row")).to_have_count(0)


def test_two_people_start_and_the_second_one_is_told(people, cameras):
    cameras.monitor("raced", "Raced", start=False)
    page = people.open("/")
    button = tile(page, "raced").get_by_role("button", name="Start Raced")
    expect(button).to_be_visible()
    page.route("**/raced/start/", lambda route: (cameras.start("raced"), route.continue_()))
    button.click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("already", re.IGNORECASE))
    expect(tile(page, "raced").locator(".chip")).to_have_text("running")
    people.forgive("409")
