"""The page of a session, the events and the tokens."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.steps import hold, wait_until_live


@pytest.fixture
def session(cameras, request) -> dict:
    slug = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    cameras.monitor(slug, "Hall")
    cameras.send(slug, 0, boxes=False)
    return {"slug": slug, "key": cameras.state(slug)["session"]["key"]}


def test_a_running_session_grows_on_its_page(people, cameras, session):
    page = people.open(f"/sessions/{session['key']}/")
    wait_until_live(page)
    expect(page.locator("#grid li")).to_have_count(1)
    cameras.send(session["slug"], 1, boxes=False)
    expect(page.locator("#grid li")).to_have_count(2)
    expect(page.locator("#total")).to_have_text("2")
    cameras.call("POST", f"sessions/{session['key']}/events/", json={"label": "belt cleaned"})
    expect(page.locator("#journal li").first).to_contain_text("mark: belt cleaned by cameras")
    cameras.stop(session["slug"])
    expect(page.locator("#session-chip")).to_have_text("ended")
    expect(page.locator("#journal li").first).to_contain_text("stopped by cameras at 2 pictures")
    expect(page.locator("#stopped time")).to_be_visible()


def test_name_and_notes_are_kept(people, cameras, session):
    page = people.open(f"/sessions/{session['key']}/")
    wait_until_live(page)
    page.get_by_role("button", name="Rename").click()
    page.locator("#rename-name").fill("Night shift")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Night shift")
    page.get_by_label("Notes").fill("Lamp 2 flickers")
    expect(page.locator("[data-notes-state]")).to_have_text("Saved")
    kept = cameras.call("GET", f"sessions/{session['key']}/")
    assert (kept["name"], kept["notes"]) == ("Night shift", "Lamp 2 flickers")


def test_notes_that_somebody_types_are_not_overwritten_by_another(people, cameras, session):
    page = people.open(f"/sessions/{session['key']}/")
    wait_until_live(page)
    page.route(
        "**/api/v1/sessions/*/notes/",
        lambda route: route.abort() if route.request.method == "PUT" else route.continue_(),
    )
    page.get_by_label("Notes").fill("half a sent")
    cameras.call("PATCH", f"sessions/{session['key']}/", json={"notes": "theirs", "name": "Renamed"})
    expect(page.get_by_role("heading", level=1)).to_have_text("Renamed")
    expect(page.get_by_label("Notes")).to_have_value("half a sent")
    told = re.compile("Not saved: The server cannot be reached|cameras changed the notes meanwhile")
    expect(page.locator("[data-notes-state]")).to_have_text(told)
    people.forgive("ERR_FAILED")


def test_a_link_to_an_event_leads_to_its_line(people, cameras, session):
    for number in range(3):
        cameras.call("POST", f"sessions/{session['key']}/events/", json={"label": f"mark {number}"})
    page = people.open("/events/")
    page.get_by_role("link", name="mark: mark 1").first.click()
    page.wait_for_url(re.compile(rf"/sessions/{session['key']}/#event-\d+"))
    expect(page.locator("li.is-target")).to_contain_text("mark: mark 1")


def test_what_a_page_missed_is_said_until_dismissed(people, cameras, session):
    page = people.open("/login/")
    sockets = []

    def between(socket):
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket("**/ws/live/", between)
    page.goto(f"/sessions/{session['key']}/")
    wait_until_live(page)
    topic = f"session:{session['key']}"
    sockets[-1].send(f'{{"type": "gap", "topic": "{topic}", "after": 900, "upto": 941, "missed": 41}}')
    notice = page.locator(".gap", has_text="missed 41 events")
    expect(notice).to_be_visible()
    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)


def test_an_event_arrives_on_the_page_of_all_events(people, cameras):
    page = people.open("/events/")
    wait_until_live(page)
    cameras.monitor("told", "Told")
    expect(page.locator("#events li").first).to_contain_text("Told started by cameras")


def test_a_token_is_shown_once_and_revoked_by_holding(people, server):
    page = people.open("/tokens/")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill("camera of line 9")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#secret")).to_be_focused()
    secret = page.locator("#secret code").inner_text()
    headers = {"Authorization": f"Bearer {secret}"}
    assert server.http.get("/api/v1/monitors/", headers=headers).status_code == 200
    page.reload()
    expect(page.locator("#secret")).to_be_hidden()
    row = page.locator("tbody tr", has_text="camera of line 9")
    hold(page, row.get_by_role("button", name="Revoke camera of line 9"))
    expect(row).to_contain_text("revoked")
    assert server.http.get("/api/v1/monitors/", headers=headers).status_code == 401


def test_the_health_page_tells_every_part(people):
    page = people.open("/health/")
    parts = ("Disk", "Database", "Channel layer", "Live readers", "Compiled helpers", "Background loops")
    for heading in parts:
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator("#overall")).to_have_text(re.compile("ok|degraded"))


@pytest.mark.parametrize("width", [320, 390])
def test_the_tables_of_the_health_page_are_cards_on_a_phone(people, width):
    page = people.open("/health/", viewport={**PHONE, "width": width})
    loop = page.get_by_role("region", name="here").locator("tr", has_text="watch disk")
    expect(loop.locator("[data-word='interval']")).to_have_text("10 s")
    for box in page.locator(".cards").all():
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
