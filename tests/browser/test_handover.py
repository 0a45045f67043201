"""Handing over: notes that two people write, the report on screen and paper, sessions side by side."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.past import past_session
from tests.browser.steps import wait_until_live
from tests.browser.test_keyboard import tab_to


@pytest.fixture(scope="module")
def pair(server, cameras) -> list[str]:
    """Two ended sessions; some pictures of the first are doubtful."""
    first = past_session(server, cameras, "press-1", [60.0 * n for n in range(12)], lasted_s=1800)
    second = past_session(server, cameras, "press-2", [30.0 * n for n in range(12)], lasted_s=900)
    for image in cameras.call("GET", "images/", params={"session": first})["results"][:3]:
        cameras.call("PATCH", f"images/{image['key']}/", json={"review": "doubtful"})
    return [first, second]


@pytest.fixture
def session(cameras, request) -> str:
    slug = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    cameras.monitor(slug, "Notes")
    return cameras.state(slug)["session"]["key"]


def test_notes_are_live_with_their_author(people, session):
    one, other = people.open(f"/sessions/{session}/"), people.open(f"/sessions/{session}/")
    for page in (one, other):
        wait_until_live(page)
    one.get_by_label("Notes").fill("Lamp 2 flickers")
    expect(one.locator("[data-notes-state]")).to_have_text("Saved")
    expect(other.get_by_label("Notes")).to_have_value("Lamp 2 flickers")
    expect(other.locator("[data-notes-saved]")).to_contain_text("last by admin at")


@pytest.mark.parametrize(
    "button, kept",
    [("Keep both", "theirs\n\nmine"), ("Save mine", "mine"), ("Keep theirs", "theirs")],
)
def test_a_clash_of_notes_shows_both_sides(people, cameras, session, button, kept):
    page = people.open(f"/sessions/{session}/")
    wait_until_live(page)
    theirs = []

    def theirs_first(route) -> None:
        if not theirs:
            theirs.append(cameras.call("PATCH", f"sessions/{session}/", json={"notes": "theirs"}))
        route.continue_()

    page.route("**/notes/", theirs_first)
    page.get_by_label("Notes").fill("mine")
    sheet = page.get_by_role("dialog", name="Somebody else changed these notes")
    expect(sheet.locator("pre")).to_have_text(["mine", "theirs"])
    sheet.get_by_role("button", name=button).click()
    expect(sheet).to_have_count(0)
    expect(page.get_by_role("textbox", name="Notes")).to_have_value(kept)
    expect(page.locator("[data-notes-state]")).to_have_text("Saved")
    assert cameras.call("GET", f"sessions/{session}/notes/")["text"] == kept
    people.forgive("412")


def test_the_report_tells_the_shift(people, pair):
    page = people.open(f"/sessions/{pair[0]}/", timezone_id="America/St_Johns")
    page.get_by_role("link", name="Report", exact=True).click()
    page.wait_for_url(f"**/sessions/{pair[0]}/report/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Press 1")
    expect(page.locator(".figures")).to_contain_text("12 pictures captured")
    expect(page.locator("#doubtful-title + ul li, #doubtful-title ~ ul li")).to_have_count(3)
    expect(page.locator("#rate .tl-bars")).to_be_visible()
    expect(page.locator("#rate .tl-gap")).to_have_count(1)
    local = page.locator("article time").first
    expect(local).to_contain_text("2026-03-02 02:30:00")  # 06:00 UTC
    expect(page.locator("#events li").first).to_contain_text("started by cameras")


def test_the_report_prints_on_a4_in_ink_that_is_dark_on_white(people, pair, tmp_path):
    page = people.open(f"/sessions/{pair[0]}/report/", theme="dark")
    expect(page.locator("#rate .tl-bars")).to_be_visible()
    file = tmp_path / "report.pdf"
    page.pdf(path=file, prefer_css_page_size=True)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"  # put back
    sizes = re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", file.read_bytes())
    assert sizes and {(round(float(w)), round(float(h))) for w, h in sizes} == {(595, 842)}  # points of A4
    page.emulate_media(media="print")
    for hidden in ("header.bar", "#print", ".bottom-bar"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.get_by_role("heading", name="Doubtful pictures")).to_be_visible()


def test_sessions_are_picked_in_the_history_and_compared(people, pair):
    page = people.open("/sessions/?q=press")
    compare = page.get_by_role("button", name="Compare", exact=True)
    expect(compare).to_be_disabled()
    page.get_by_label("Compare Press 1").check()
    page.get_by_label("Compare Press 2").check()
    expect(page.locator("#compare-words")).to_contain_text("2 of at most 4")
    assert "pick=" in page.url
    page.reload()
    expect(page.get_by_label("Compare Press 1")).to_be_checked()
    compare.click()
    page.wait_for_url("**/compare/?s=*")
    expect(page.locator("#rates .tl-plot")).to_have_count(2)
    expect(page.get_by_role("columnheader")).to_contain_text(["Press 2", "Press 1"])
    expect(page.get_by_role("row", name=re.compile("^Captured"))).to_contain_text("12")
    page.get_by_role("link", name="Choose others").click()
    expect(page.get_by_label("Compare Press 2")).to_be_checked()
    page.get_by_role("button", name="Drop the ticks").click()
    expect(compare).to_be_disabled()


def test_sessions_are_picked_by_keys_alone(people, pair):
    page = people.open("/sessions/?q=press")
    for name in ("Compare Press 2", "Compare Press 1"):
        tab_to(page, page.get_by_label(name))
        page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Compare", exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare/?s=*")


def test_compare_says_how_to_begin(people):
    page = people.open("/compare/")
    expect(page.get_by_role("heading", name="Choose two to four sessions")).to_be_visible()


@pytest.mark.parametrize("path", ["/sessions/{}/report/", "/compare/?s={}&s={}"])
def test_a_phone_shows_it_without_cutting(people, pair, path):
    page = people.open(path.format(*pair), viewport=PHONE, has_touch=True, is_mobile=True)
    wait_until_live(page)
    found = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert found[0] <= found[1]


def test_the_csv_of_the_history_is_what_is_shown(people, pair):
    page = people.open("/sessions/?q=press-1")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    text = download.value.path().read_bytes().decode()
    assert text.startswith("\ufeffkey,name,kind") and pair[0] in text and pair[1] not in text
