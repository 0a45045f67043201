"""From an empty server to a first picture without reading anything but the page."""

import re
import subprocess

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, People, log_in
from tests.browser.line import shot
from tests.browser.steps import tile
from tests.site.processes import Server, running


@pytest.fixture
def empty(browser, tmp_path):
    """(server without a monitor, people who may log in there)"""
    with running(Server, data_dir=tmp_path / "data") as server:
        context = browser.new_context()
        log_in(context.new_page(), server)
        people = People(browser, server.url, context.storage_state())
        context.close()
        yield server, people
        people.close()
        assert people.complaints == []


def test_an_empty_wall_leads_to_a_first_picture(empty, tmp_path):
    server, people = empty
    page = people.open("/")
    expect(page.get_by_role("heading", name="No monitors yet")).to_be_visible()
    expect(page.get_by_text("manage.py watch_folder PATH --monitor SLUG")).to_be_visible()
    expect(page.get_by_text("manage.py serve --demo")).to_be_visible()

    page.locator("#no-monitors").get_by_role("link", name="Add a monitor").click()
    page.get_by_label("Name", exact=True).fill("Line 3, Éxit")
    expect(page.get_by_label("Name in addresses (slug)")).to_have_value("line-3-exit")
    page.get_by_role("button", name="Add and start").click()

    expect(page.get_by_role("heading", name="2. Send a picture")).to_be_focused()
    token = page.locator("#token").inner_text()
    line = page.locator("#curl-line").inner_text()
    assert token in line
    (tmp_path / "picture.jpg").write_bytes(shot(0).data)
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=20)  # noqa: S602
    assert done.returncode == 0, done.stderr

    expect(page.locator("#arrived-count")).to_have_text("1 picture has arrived")
    expect(page.locator("#first-picture img")).to_be_visible()

    (tmp_path / "second.jpg").write_bytes(shot(1).data)
    page.locator("#send-file").set_input_files(tmp_path / "second.jpg")
    expect(page.locator("#arrived-count")).to_have_text("2 pictures have arrived")
    page.get_by_role("link", name="Live wall").last.click()
    expect(tile(page, "line-3-exit").locator("[data-total]")).to_have_text("2")
    assert server.http.get("/readyz").status_code == 200


def test_a_monitor_is_added_once_and_a_phone_shows_how_to_go_on(people, cameras):
    page = people.open("/monitors/new/", viewport=PHONE)
    page.get_by_label("Name", exact=True).fill("Added by phone")
    page.get_by_role("button", name="Add and start").click()
    expect(page.get_by_role("heading", name="2. Send a picture")).to_be_focused()
    expect(page.get_by_role("button", name="Add and start")).to_be_disabled()
    assert page.locator("#step-connect h2").bounding_box()["y"] < PHONE["height"] / 2


def test_the_copy_button_copies_the_whole_line(people, cameras):
    page = people.open("/monitors/new/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Name", exact=True).fill("Copied")
    page.get_by_role("button", name="Add and start").click()
    block = page.locator(".copyable", has=page.locator("#curl-line"))
    block.get_by_role("button", name="Copy").click()
    expect(block.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#curl-line").inner_text()


@pytest.mark.parametrize(
    ("fields", "focused", "words"),
    [
        ({"name": ""}, "f-name", "Give the monitor a name"),
        ({"name": "Exit", "slug": "Line 3"}, "f-slug", "slug may use a-z, 0-9 and -"),
        ({"name": "Exit", "expected_interval_s": "often"}, "f-interval", "Seconds above 0"),
        ({"name": "New", "slug": "new"}, "f-slug", "new"),
    ],
)
def test_a_mistake_is_explained_beside_its_field_and_nothing_is_lost(people, fields, focused, words):
    page = people.open("/monitors/new/")
    page.locator("[name=dataset_name]").fill("parts")
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Add and start").click()
    field = page.locator(f"#{focused}")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field", has=field).locator(".problem")).to_contain_text(words)
    expect(page.locator("[name=dataset_name]")).to_have_value("parts")
    people.forgive("400", "409")


def test_a_name_that_is_taken_is_refused_in_words(people, cameras):
    cameras.monitor("taken", start=False)
    page = people.open("/monitors/new/")
    page.get_by_label("Name", exact=True).fill("Taken")
    page.get_by_role("button", name="Add and start").click()
    expect(page.locator("#new-monitor .problem")).to_contain_text(re.compile("taken|exists"))
    people.forgive("409", "400")
