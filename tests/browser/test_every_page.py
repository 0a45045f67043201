"""What holds on every page: no complaint, nothing cut off on a phone, one hue at night, no jumps."""

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.steps import show_picture, wait_until_live
from tests.waiting import wait_until

LIVE = ["/", "/events/", "/sessions/", "/sessions/?kind=rig", "/health/", "/monitors/new/", "/tokens/"]
LIVE += ["/review/", "/members/", "/audit/", "/password/", "/datasets/", "/exports/", "/storage/"]


@pytest.fixture(scope="module")
def paths(cameras) -> list[str]:
    """Every page, with something on it."""
    cameras.monitor("seen", "A monitor with a rather long name that has to fit somewhere", interval_s=1)
    key = cameras.send("seen", 0)
    session = cameras.state("seen")["session"]["key"]
    cameras.monitor("other", "Another")
    second = cameras.state("other")["session"]["key"]
    more = [f"/sessions/{session}/report/", f"/compare/?s={session}&s={second}", "/compare/"]
    return [*LIVE, *more, "/monitors/seen/", f"/sessions/{session}/", f"/images/{key}/"]


def test_no_page_complains_and_each_becomes_live(people, paths):
    page = people.open("/")
    for path in paths:
        page.goto(path)
        wait_until_live(page)
        assert page.locator("h1").count() == 1, path
        for landmark in ("banner", "main"):
            assert page.get_by_role(landmark).count() == 1, (path, landmark)
        unnamed = page.locator(
            "img:not([alt]), button:not([aria-label]):empty:visible, a:not([aria-label]):empty:visible"
        )
        assert unnamed.count() == 0, path


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(people, paths, width):
    page = people.open("/", viewport={**PHONE, "width": width}, has_touch=True)
    for path in [*paths, "/login/", "/no-such-page/"]:
        page.goto(path)
        page.wait_for_load_state("networkidle") if path == "/login/" else page.wait_for_timeout(300)
        # A busy machine may still be laying it out.
        wait_until(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"), what=path)
    people.forgive("404")


def test_targets_on_a_phone_fit_a_thumb(people, paths):
    page = people.open("/", viewport=PHONE, has_touch=True, is_mobile=True)
    for path in paths:
        page.goto(path)
        page.wait_for_timeout(300)
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, summary, select, .bottom-bar a, .input")]
              .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height > 0)
              .filter((node) => node.getBoundingClientRect().height < 44)
              .map((node) => `${node.tagName} ${node.className} ${node.textContent.trim()}`)"""
        )
        assert small == [], path


def test_the_bottom_bar_reaches_every_place_by_thumb(people, paths):
    page = people.open("/", viewport=PHONE, has_touch=True, is_mobile=True)
    bar = page.get_by_role("navigation", name="Pages, for the thumb")
    for name, path in (("Events", "/events/"), ("Sessions", "/sessions/"), ("Wall", "/")):
        bar.get_by_role("link", name=name).tap()
        page.wait_for_url(f"**{path}")
    bar.get_by_role("button", name="More").tap()
    sheet = page.locator("#more-sheet")
    expect(sheet.get_by_role("link", name="Health")).to_be_visible()
    sheet.get_by_role("button", name="red").tap()
    assert page.evaluate("document.documentElement.dataset.theme") == "red"


def test_the_theme_follows_the_system_until_one_is_chosen(people):
    page = people.open("/", color_scheme="dark")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"() => {theme} === 'light'")
    page.locator("#theme-menu summary").click()
    page.get_by_role("button", name="red").click()
    assert page.evaluate(theme) == "red"
    page.reload()
    assert page.evaluate(theme) == "red"
    page.locator("#theme-menu summary").click()
    page.get_by_role("button", name="auto").click()
    assert page.evaluate(theme) == "light"


def pixels_that_are_not_red(png: bytes) -> int:
    """Pixels with more than a trace of green or blue beside their red."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return sum(
        count
        for count, (r, g, b) in image.getcolors(image.width * image.height)
        if max(g, b) > 8 and max(g, b) > 0.34 * r
    )


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_at_night_no_pixel_is_white_or_blue(people, paths, viewport):
    page = people.open("/", viewport=viewport, theme="red")
    for path in [*paths, "/login/", "/no-such-page/"]:
        page.goto(path)
        if path.startswith(("/monitors/seen", "/images/")):
            show_picture(page)
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.wait_for_timeout(300)
        assert pixels_that_are_not_red(page.screenshot()) == 0, path
    people.forgive("404")


def test_the_focus_and_a_touched_picture_stay_red_at_night(people, paths):
    page = people.open("/monitors/seen/", theme="red")
    show_picture(page)
    page.locator("[data-viewer]").hover()
    page.keyboard.press("b")
    page.locator("#notes-text").focus()
    page.wait_for_timeout(200)
    assert pixels_that_are_not_red(page.screenshot()) == 0


def test_times_switch_between_utc_and_local_with_the_zone_s_name(people, paths):
    page = people.open(paths[-2], timezone_id="America/St_Johns")
    start = page.locator("dd time").first
    local = start.inner_text()
    assert local.endswith(("GMT-3:30", "GMT-2:30", "NST", "NDT"))
    page.locator("#zone-switch").click()
    expect(start).not_to_have_text(local)
    assert start.inner_text().endswith("UTC")
    assert "(UTC)" in start.get_attribute("title")
    page.reload()
    assert start.inner_text().endswith("UTC")


@pytest.mark.parametrize("path", ["/", "/monitors/seen/"])
def test_nothing_jumps_while_pictures_arrive(people, paths, cameras, path):
    page = people.open("/login/")
    page.context.add_init_script(
        """window.shifts = 0;
        const add = (list) => list.getEntries().forEach((each) => { window.shifts += each.value; });
        new PerformanceObserver(add)
          .observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto(path)
    wait_until_live(page)
    for number in range(1, 4):
        cameras.send("seen", number)
    total = "#total" if path != "/" else '[data-slug="seen"] [data-total]'
    expect(page.locator(total)).to_have_text(str(cameras.state("seen")["total_counter"]))
    page.wait_for_timeout(500)
    # The filmstrip moves on by one picture each time, and nothing else does.
    assert page.evaluate("window.shifts") < 0.05


def test_less_motion_when_the_system_asks_for_it(people):
    page = people.open("/", reduced_motion="reduce")
    durations = page.evaluate(
        "[...document.querySelectorAll('.button, .rail, img')]"
        ".map((node) => getComputedStyle(node).transitionDuration)"
    )
    assert set(durations) <= {"0s"}
