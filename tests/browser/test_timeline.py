"""The timeline of a session: brushed, scrubbed, followed, marked; by mouse, by touch and by keys alone."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.past import past_session
from tests.browser.steps import wait_until_live
from tests.browser.test_keyboard import tab_to
from tests.waiting import wait_until

# Two an hour's quarter, none in the second one: pictures of 06:00-07:00, a gap from 06:14 to 06:31.
OFFSETS = [30.0, 300.0, 600.0, 840.0, 1860.0, 2200.0, 2600.0, 3000.0, 3500.0]


@pytest.fixture(scope="module")
def past(server, cameras) -> str:
    """An ended session of an hour, a picture every some minutes, with one long gap."""
    return past_session(server, cameras, "hour", OFFSETS, interval_s=400)


def open_past(people, past: str, query: str = "", **options) -> Page:
    page = people.open(f"/sessions/{past}/{query}", timezone_id="UTC", **options)
    wait_until_live(page)
    expect(page.locator(".tl-bars")).to_be_visible()
    return page


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def point(page: Page, fraction: float) -> tuple[float, float]:
    """A place on the timeline, from its begin (0) to its end (1)."""
    box = page.locator(".tl-plot").bounding_box()
    return box["x"] + fraction * box["width"], box["y"] + 60


def brush(page: Page, start: float, end: float) -> None:
    page.locator(".tl-plot").scroll_into_view_if_needed()
    page.mouse.move(*point(page, start))
    page.mouse.down()
    page.mouse.move(*point(page, (start + end) / 2))
    page.mouse.move(*point(page, end))
    page.mouse.up()


def test_a_brushed_range_filters_the_pictures_and_is_in_the_address(people, past):
    page = open_past(people, past)
    expect(page.locator("#grid li")).to_have_count(len(OFFSETS))
    brush(page, 0.0, 0.3)
    expect(page.locator("#grid li")).to_have_count(4)
    expect(page.locator("[data-timeline-words]")).to_contain_text("4 pictures")
    assert re.fullmatch(r"2026-03-02T06:00:00.000Z~2026-03-02T06:1\d:00.000Z", asked(page)["sel"])

    other = people.open(page.url, timezone_id="UTC")
    expect(other.locator("#grid li")).to_have_count(4)
    expect(other.locator("[data-timeline-words]")).to_contain_text("4 pictures")
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator("#grid li")).to_have_count(len(OFFSETS))
    page.go_back()
    expect(page.locator("#grid li")).to_have_count(len(OFFSETS))


def test_the_gap_is_hatched_and_told(people, past):
    page = open_past(people, past)
    expect(page.locator(".tl-gap")).to_have_count(1)
    expect(page.locator("[data-timeline-summary]")).to_contain_text("one gap")
    page.keyboard.press("]")
    assert asked(page)["sel"].startswith("2026-03-02T06:14:00.000Z~2026-03-02T06:31")
    expect(page.locator("#no-images")).to_be_hidden()
    page.keyboard.press("]")  # there is no further one
    assert asked(page)["sel"].startswith("2026-03-02T06:14:00.000Z")


def test_a_click_scrubs_to_what_was_there_by_then(people, past):
    page = open_past(people, past)
    page.mouse.click(*point(page, 0.2))
    expect(page.locator("#grid li")).to_have_count(3)
    expect(page.locator("[data-timeline-words]")).to_contain_text("2026-03-02 06:1")
    assert asked(page)["at"].startswith("2026-03-02T06:1")
    page.keyboard.press("Escape")
    expect(page.locator("#grid li")).to_have_count(len(OFFSETS))
    expect(page.get_by_role("button", name="Clear", exact=True)).to_be_disabled()


def test_everything_is_reached_by_keys(people, past):
    page = open_past(people, past)
    plot = page.locator(".tl-plot")
    page.keyboard.press("t")
    expect(plot).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("[data-timeline-words]")).to_contain_text("2026-03-02 06:00")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("[data-timeline-words]")).to_contain_text("picture")
    first = asked(page)["sel"]
    page.keyboard.press("Shift+ArrowLeft")
    assert asked(page)["sel"] != first
    expect(plot).to_have_attribute("aria-valuetext", re.compile("06:00"))
    page.keyboard.press("Enter")
    assert {"from", "to"} <= asked(page).keys()
    page.keyboard.press("-")
    page.keyboard.press("Escape")
    assert "sel" not in asked(page)
    tab_to(page, page.get_by_role("button", name="Whole session"))
    page.keyboard.press("Enter")
    assert "from" not in asked(page)


def test_a_picture_is_chosen_and_stands_in_the_address(people, past):
    page = open_past(people, past)
    page.locator("#grid li").nth(1).click()
    chosen = page.locator("#grid li.is-chosen")
    expect(chosen).to_have_count(1)
    key = chosen.get_attribute("data-key")
    assert asked(page)["picture"] == key
    expect(page.locator("#shown img")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("#grid li").nth(2)).to_have_class(re.compile("is-chosen"))
    page.keyboard.press("k")
    expect(page.locator("#grid li").nth(1)).to_have_class(re.compile("is-chosen"))
    other = people.open(page.url)
    expect(other.locator("#shown a", has_text="Open the picture")).to_have_attribute(
        "href", f"/images/{key}/"
    )


def test_a_label_narrows_the_pictures(people, past):
    page = open_past(people, past)
    chip = page.locator("#label-filter button").first
    label = chip.inner_text()
    chip.click()
    assert asked(page)["label"] == label
    csv = page.get_by_role("link", name="pictures", exact=True)
    assert f"label={label}" in csv.get_attribute("href")
    expect(page.get_by_role("link", name="COCO")).to_have_attribute("href", re.compile(f"label={label}"))
    words = page.locator("#grid .cell-words b")
    expect(words.filter(has_not_text=label)).to_have_count(0)
    expect(words.filter(has_text=label).first).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#grid li")).to_have_count(len(OFFSETS))


def test_a_range_becomes_an_event_that_everybody_sees(people, past):
    page, other = open_past(people, past), open_past(people, past)
    brush(page, 0.5, 0.7)
    page.keyboard.press("e")
    page.get_by_label("What happened").fill("belt torn")
    page.get_by_label("Severity").select_option("error")
    page.get_by_role("button", name="Mark", exact=True).click()
    for each in (page, other):
        expect(each.locator("#journal li", has_text="mark: belt torn by admin").first).to_be_visible()
    page.reload()
    shape = page.locator(".tl-event-error").first
    expect(shape.locator("rect")).to_have_count(1)
    page.mouse.click(*_middle(shape.locator("path")))
    expect(page.locator("#journal li.is-target")).to_contain_text("belt torn")


def _middle(locator) -> tuple[float, float]:
    box = wait_until(locator.bounding_box, what="a shape that is drawn anew")
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_mark_without_words_is_asked_for_them(people, past):
    page = open_past(people, past)
    page.get_by_role("button", name="Mark event…").click()
    page.get_by_role("button", name="Mark", exact=True).click()
    expect(page.locator("#mark-sheet .problem")).to_have_text("Say in some words what happened")
    people.forgive("400")


def test_a_running_session_follows_the_edge_until_one_scrubs(people, cameras):
    cameras.monitor("edge", "Edge")
    cameras.send("edge", 0, boxes=False)
    key = cameras.state("edge")["session"]["key"]
    page = people.open(f"/sessions/{key}/")
    wait_until_live(page)
    live = page.get_by_role("button", name="Live", exact=True)
    expect(live).to_have_attribute("aria-pressed", "true")
    cameras.send("edge", 1, boxes=False)
    expect(page.locator("#grid li")).to_have_count(2)

    expect(page.locator(".tl-bars")).to_be_visible()
    page.mouse.click(*point(page, 0.9))
    expect(live).to_have_attribute("aria-pressed", "false")
    newest = cameras.send("edge", 2, boxes=False)
    expect(page.locator("#total")).to_have_text("3")
    expect(page.locator(f'#grid [data-key="{newest}"]')).to_have_count(0)
    page.keyboard.press("l")
    expect(live).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#grid li")).to_have_count(3)
    assert asked(page) == {}


def test_a_finger_brushes_and_taps(people, past):
    page = open_past(people, past, viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator(".tl-plot").scroll_into_view_if_needed()
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, fraction: float | None = None) -> None:
        points = [] if fraction is None else [dict(zip("xy", point(page, fraction), strict=True))]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.02)
    for fraction in (0.1, 0.2, 0.3):
        touch("touchMove", fraction)
    touch("touchEnd")
    expect(page.locator("[data-timeline-words]")).to_contain_text("picture")
    assert "sel" in asked(page)
    x, y = point(page, 0.8)
    page.touchscreen.tap(x, y)
    expect(page.locator("[data-timeline-words]")).to_contain_text("2026-03-02 06:4")
    assert "sel" not in asked(page) and "at" in asked(page)


def test_times_follow_the_zone(people, past):
    page = open_past(people, past, "?at=2026-03-02T06:10:00Z")
    page.locator("#zone-switch").click()
    expect(page.locator("[data-timeline-words]")).to_contain_text("06:10:00 UTC")


@pytest.mark.parametrize(
    "query", ["?sel=junk&from=x&to=y&at=never&picture=../x&last=-4", "?label=nothing%20like%20it"]
)
def test_an_address_that_makes_no_sense_shows_the_whole_session(people, past, query):
    page = open_past(people, past, query)
    expect(page.locator("[data-timeline-words]")).to_have_text("The whole session")


def test_the_arithmetic_of_the_scale(people):
    page = people.open("/login/")

    def call(expression: str):
        module = "/static/monitoring/js/timescale.js"
        return page.evaluate(f"async () => {{ const m = await import('{module}'); return {expression}; }}")

    assert call("m.bucketsBetween(1400, 200, 0, 500)") == {"from": 0, "to": 1500}
    assert call("m.bucketsBetween(90, 110, 0, 500)") == {"from": 0, "to": 500}
    assert call("m.zoomed({from: 0, to: 100000}, 0.5, 100000, {from: 0, to: 100000})") == {
        "from": 50000, "to": 100000,
    }  # fmt: skip
    assert call("m.zoomed({from: 0, to: 2000}, 0.1, 0, {from: 0, to: 100000})") == {"from": 0, "to": 1000}
    assert call("m.countIn([1, 2, 3], 0, 10, {from: 10, to: 30})") == {"sum": 5, "isExact": True}
    assert call("m.countIn([1, 2, 3], 0, 10, {from: 5, to: 30})") == {"sum": 5, "isExact": False}
    assert call("m.ticks({from: 0, to: 3600000}, 6).found") == [600000 * n for n in range(7)]
