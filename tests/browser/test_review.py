"""The queue of review: by keys alone, many at once, and its counts on the wall."""

from itertools import count

import pytest
from playwright.sync_api import expect

from tests.browser.steps import show_picture, tile, wait_until_live

NUMBERS = count(1)


@pytest.fixture
def line(cameras):
    """A running monitor with four pictures; (slug, keys), the newest first."""
    slug = f"queue-{next(NUMBERS)}"
    cameras.monitor(slug, slug.title())
    keys = [cameras.send(slug, number, boxes=False) for number in range(4)]
    yield slug, keys[::-1]
    cameras.stop(slug)
    cameras.call("DELETE", f"monitors/{slug}/")


def reviews(cameras, keys: list[str]) -> list[str]:
    return [cameras.call("GET", f"images/{key}/")["review"] for key in keys]


def test_a_queue_is_worked_through_with_keys_alone(people, cameras, line):
    slug, keys = line
    page = people.open("/")
    wait_until_live(page)
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/review/")
    page.goto(f"/review/?monitor={slug}")
    show_picture(page)
    expect(page.locator("#place")).to_have_text("1 of 4")
    for at, key in enumerate(("a", "x", "d"), start=2):
        page.keyboard.press(key)
        expect(page.locator("#place")).to_have_text(f"{at} of 4")
    expect(page.locator("#film .is-done")).to_have_count(3)
    page.keyboard.press("z")
    expect(page.locator("#place")).to_have_text("3 of 4")
    expect(page.locator("#film .is-done")).to_have_count(2)
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert reviews(cameras, keys) == ["accepted", "rejected", "unreviewed", "unreviewed"]
    page.keyboard.press("j")
    expect(page.locator("#place")).to_have_text("4 of 4")
    # Answered before the page is left: a request that is cut off is sent again by the next page, and refused.
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        page.keyboard.press("d")
    expect(page.locator("#film .is-done")).to_have_count(3)
    page.goto(f"/review/?monitor={slug}&review=doubtful")
    expect(page.locator("#film li")).to_have_count(1)


def test_a_mark_is_taken_back_though_what_was_read_meanwhile_is_older(people, cameras, line):
    slug, keys = line
    page = people.open(f"/review/?monitor={slug}")
    show_picture(page)
    held = {"PATCH": [], "GET": []}
    page.route(f"**/api/v1/images/{keys[0]}/", lambda route: held[route.request.method].append(route))
    page.keyboard.press("a")
    expect(page.locator("#place")).to_have_text("2 of 4")
    with page.expect_request(f"**/api/v1/images/{keys[0]}/"):
        page.keyboard.press("z")
    expect(page.locator("#place")).to_have_text("2 of 4")
    [read], [mark] = held["GET"], held["PATCH"]
    older = read.fetch()
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        mark.continue_()
    read.fulfill(response=older)
    expect(page.locator("#place")).to_have_text("1 of 4")
    expect(page.locator("#film .is-done")).to_have_count(0)
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert reviews(cameras, keys) == ["unreviewed"] * 4


def test_many_are_marked_after_a_preview_and_taken_back(people, cameras, line):
    slug, keys = line
    page = people.open(f"/review/?monitor={slug}")
    show_picture(page)
    page.get_by_role("button", name="Reject…").click()
    sheet = page.get_by_role("dialog", name="Mark as rejected")
    expect(sheet).to_contain_text("4 pictures will be rejected")
    expect(sheet).to_contain_text("unreviewed")
    expect(sheet).to_contain_text(slug)
    late = cameras.send(slug, 9, boxes=False)
    sheet.get_by_label("Comment for all of them").fill("bad light")
    sheet.get_by_role("button", name="Mark 4 pictures").click()
    expect(page.locator("#notices")).to_contain_text("4 pictures marked rejected")
    assert reviews(cameras, [late, *keys]) == ["unreviewed", *["rejected"] * 4]
    page.locator("#notices").get_by_role("button", name="Undo").click()
    expect(page.locator("#notices")).to_contain_text("Taken back for 4 pictures")
    assert reviews(cameras, keys) == ["unreviewed"] * 4


def test_selected_pictures_alone_are_marked(people, cameras, line):
    slug, keys = line
    page = people.open(f"/review/?monitor={slug}")
    show_picture(page)
    page.keyboard.press("s")
    page.keyboard.press("j")
    expect(page.locator("#place")).to_have_text("2 of 4")
    page.keyboard.press("s")
    expect(page.locator("#bulk-words")).to_have_text("2 pictures selected.")
    page.get_by_role("button", name="Doubtful…").click()
    page.get_by_role("dialog").get_by_role("button", name="Mark 2 pictures").click()
    expect(page.locator("#notices")).to_contain_text("2 pictures marked doubtful")
    assert reviews(cameras, keys) == ["doubtful", "doubtful", "unreviewed", "unreviewed"]


def test_the_wall_counts_what_waits_and_leads_there(people, cameras, line):
    slug, keys = line
    page = people.open("/")
    own = tile(page, slug)
    expect(own.locator("[data-reviews]")).to_have_text("4 unreviewed")
    cameras.call("PATCH", f"images/{keys[0]}/", json={"review": "doubtful"})
    expect(own.locator("[data-reviews]")).to_have_text("1 doubtful, 3 unreviewed")
    expect(page.locator("#doubtful")).to_contain_text("doubtful")
    own.locator("[data-reviews]").click()
    page.wait_for_url(f"**/review/?review=doubtful&monitor={slug}")
    expect(page.locator("#film li")).to_have_count(1)


def test_an_empty_queue_says_what_emptied_it(people, line):
    slug, _ = line
    page = people.open(f"/review/?monitor={slug}&label=nothing-like-it")
    expect(page.get_by_role("heading", name="Nothing is unreviewed here")).to_be_visible()
    page.get_by_role("link", name="Drop “picture label nothing-like-it”").click()
    expect(page.locator("#film li")).to_have_count(4)
