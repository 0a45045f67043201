"""Everything by keyboard: start, stop, boxes, pictures, places."""

import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.steps import show_picture, tile, wait_until_live

NUMBERS = count(1)


def tab_to(page, locator, most: int = 120) -> None:
    """Presses Tab until `locator` has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if locator.evaluate("node => node === document.activeElement"):
            return
    raise AssertionError(f"not reached with {most} times Tab: {locator}")


def test_a_monitor_is_started_and_stopped_without_a_mouse(people, cameras):
    cameras.monitor("by-keys", "By keys", start=False)
    page = people.open("/")
    wait_until_live(page)
    own = tile(page, "by-keys")
    tab_to(page, own.get_by_role("button", name="Start By keys"))
    page.keyboard.press("Enter")
    expect(own.locator(".chip")).to_have_text("running")
    stop = own.get_by_role("button", name="Stop By keys")
    expect(stop).to_be_focused()

    page.keyboard.press("Enter")
    expect(stop).to_contain_text("Enter again")
    assert cameras.state("by-keys")["running"]
    page.keyboard.press("Enter")
    expect(own.locator(".chip")).to_have_text("idle")


def test_one_enter_does_not_stop_and_a_held_enter_does_not_either(people, cameras):
    cameras.monitor("once", "Once")
    page = people.open("/monitors/once/")
    wait_until_live(page)
    stop = page.get_by_role("button", name="Stop Once")
    stop.focus()
    page.keyboard.down("Enter")
    for _ in range(5):
        page.keyboard.down("Enter")  # a repeat, as from a key held down
    page.keyboard.up("Enter")
    expect(stop).to_contain_text("Enter again")
    page.locator("h1").click()
    expect(stop).to_contain_text("Stop")
    assert cameras.state("once")["running"]


def test_the_button_that_chooses_a_picture_shows_that_it_has_the_focus(people, cameras):
    page = people.open("/monitors/new/")
    page.get_by_label("Name", exact=True).fill("Ringed")
    page.get_by_role("button", name="Add and start").click()
    expect(page.get_by_role("heading", name="2. Send a picture")).to_be_focused()
    label = page.get_by_text("Choose a picture to send")
    expect(label).to_have_css("outline-style", "none")
    tab_to(page, page.locator("#send-file"))
    expect(label).to_have_css("outline-style", "solid")


def test_a_short_click_does_not_stop(people, cameras):
    cameras.monitor("short", "Short")
    page = people.open("/monitors/short/")
    wait_until_live(page)
    stop = page.get_by_role("button", name="Stop Short")
    stop.click()
    expect(stop).to_contain_text("Hold to confirm")
    assert cameras.state("short")["running"]


@dataclass(frozen=True)
class Station:
    slug: str
    keys: list[str]


@pytest.fixture
def station(cameras):
    """A running monitor with three pictures, oldest first."""
    slug = f"station-{next(NUMBERS)}"
    cameras.monitor(slug, "Station")
    yield Station(slug, [cameras.send(slug, number, boxes=False) for number in range(3)])
    cameras.stop(slug)
    cameras.call("DELETE", f"monitors/{slug}/")


def test_a_box_is_drawn_labelled_undone_and_deleted_with_keys(people, cameras, station):
    page = people.open(f"/images/{station.keys[0]}/")
    show_picture(page)
    viewer = page.locator("[data-viewer]")
    viewer.focus()
    page.keyboard.press("b")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    [box] = cameras.call("GET", f"images/{station.keys[0]}/")["tags"]
    assert [box[side] for side in "xywh"] == pytest.approx([0.39, 0.4, 0.21, 0.2])

    page.get_by_label("New label").fill("dent")  # the box that was drawn is the chosen one
    page.get_by_label("New label").press("Enter")
    expect(page.locator("[data-boxes]")).to_contain_text("dent")
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert cameras.call("GET", f"images/{station.keys[0]}/")["tags"][0]["label"] == "dent"

    viewer.focus()
    page.keyboard.press("z")
    expect(page.locator("[data-boxes]")).to_contain_text("defect")
    page.keyboard.press("Delete")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(0)
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert cameras.call("GET", f"images/{station.keys[0]}/")["tags"] == []
    page.keyboard.press("z")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(1)


def test_pictures_are_walked_and_labelled_with_keys(people, cameras, station):
    page = people.open(f"/monitors/{station.slug}/")
    show_picture(page)
    expect(page.locator("#film li")).to_have_count(3)
    expect(page.locator("#picture-name")).to_have_text(f"{station.slug}-0002.jpg")
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(page.locator("#picture-name")).to_have_text(f"{station.slug}-0001.jpg")
    expect(page.get_by_role("button", name="Return to live")).to_be_visible()

    before = cameras.call("GET", f"images/{station.keys[1]}/")["label"]
    labels = page.locator("[data-labels-list] button").all_inner_texts()
    wanted = next(at for at, words in enumerate(labels) if before not in words)
    page.keyboard.press(str(wanted + 1))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert cameras.call("GET", f"images/{station.keys[1]}/")["label"] in labels[wanted]

    cameras.send(station.slug, 3, boxes=False)
    expect(page.locator("#film li")).to_have_count(4)
    expect(page.locator("#picture-name")).to_have_text(f"{station.slug}-0001.jpg")
    page.keyboard.press("l")
    expect(page.locator("#picture-name")).to_have_text(f"{station.slug}-0003.jpg")
    expect(page.get_by_text("Following the newest picture")).to_be_visible()


def test_the_question_mark_lists_the_keys_of_the_page(people, station):
    page = people.open(f"/monitors/{station.slug}/")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    for words in ("Draw a box", "Fit the picture", "Older picture", "Go to the live wall"):
        expect(sheet).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_the_documentation_lists_the_keys_of_all_pages(people, station):
    shown = set()
    link = people.open(f"/monitors/{station.slug}/").locator("#session-link")
    expect(link).to_have_attribute("href", re.compile("/sessions/se_"))
    session = link.get_attribute("href")
    for path in ("/", "/review/", f"/monitors/{station.slug}/", f"/images/{station.keys[0]}/", session):
        page = people.open(path)
        page.keyboard.press("?")
        for keys, words in zip(
            page.locator("#key-list dt").all(), page.locator("#key-list dd").all(), strict=True
        ):
            shown.add((" ".join(keys.locator("kbd").all_inner_texts()), words.inner_text()))
    table = (Path(__file__).parents[2] / "docs/pages.md").read_text().split("## Keys")[1].split("##")[0]
    rows = re.findall(r"^\| (`.+`) \| (.+) \|$", table, re.MULTILINE)
    assert {(keys.replace("`", ""), words) for keys, words in rows} == shown


def test_the_command_box_finds_monitors_pages_and_sessions(people, station):
    page = people.open("/")
    page.keyboard.press("/")
    page.keyboard.type("stati")
    expect(page.get_by_role("option", name="Station", exact=True)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/monitors/{station.slug}/")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url("**/sessions/")
    page.keyboard.press("/")
    page.keyboard.type("night shift")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions/?q=night%20shift")
    expect(page.get_by_role("heading", name="No session fits")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/")


def test_wall_mode_fills_the_screen_and_ends_with_escape(people, station):
    page = people.open("/")
    wait_until_live(page)
    page.keyboard.press("w")
    expect(page.locator(".bar")).to_be_hidden()
    for own in page.locator(".tile").all():
        box = own.bounding_box()
        assert box["y"] + box["height"] <= 800
    page.keyboard.press("Escape")
    expect(page.locator(".bar")).to_be_visible()
