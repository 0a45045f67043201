"""The page of a rig follows a simulated night, says when the connection is lost, and heals."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.steps import wait_until_live
from tests.nina.night import script as recorded_night
from tests.nina.simulated import simulated_nina
from tests.site.processes import manage

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def tonight():
    """The recorded night, with its first live frame happening now."""
    script = recorded_night()
    return script.shifted(datetime.now(UTC) - script.frames[0].at)


def test_the_page_follows_the_night_loses_nina_and_heals(server, people, tonight):
    with simulated_nina(tonight) as nina:
        words = ("--url", nina.url, "--site-zone", "Europe/Madrid", "--name", "Big dome")
        manage("add_rig", "dome-1", *words, data_dir=server.data_dir)
        page = people.open("/rigs/dome-1/", theme="red")
        wait_until_live(page)
        expect(page.locator("#rig-link")).to_have_text("NINA connected", timeout=20_000)
        expect(page.locator("#rig-target")).to_have_text("NGC 2244")
        expect(page.locator("#rig-total")).to_have_text("36")
        expect(page.locator("#rig-chip")).to_have_text("active")
        expect(page.locator("#rig-safety")).to_contain_text("Safe since")
        expect(page.locator("#rig-elapsed")).to_have_text(re.compile(r"^5:46:\d\d$"))
        page.evaluate("window.isTheSamePage = true")

        nina.happen(tonight.frames[:16])
        expect(page.locator("#rig-total")).to_have_text("39")
        expect(page.locator("#rig-events li").first).to_contain_text("STACK-UPDATED")
        row = page.locator("#frames tbody tr", has_text="NGC 2244").filter(has_text="L")
        expect(row).to_contain_text("5")
        assert page.locator("#rms polyline").count() == 1
        expect(page.locator(".timeline .span-flip")).to_have_count(1)

        nina.go_away()
        expect(page.locator("#rig-lost")).to_contain_text("The connection to NINA is lost")
        expect(page.locator("#rig-lost")).to_contain_text(re.compile(r"What is shown is \d+ s old"))
        expect(page.locator("#rig-safety")).to_contain_text("Safety unknown: safe since")
        expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "unknown")
        nina.happen(tonight.frames[16:24])  # nobody hears of it
        nina.come_back()
        expect(page.locator("#rig-lost")).to_be_hidden(timeout=40_000)
        expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "safe")
        expect(page.locator("#rig-total")).to_have_text("40")
        expect(page.locator(".timeline .span-gap")).to_have_count(1)

        unsafe = [frame for frame in tonight.frames if '"IsSafe": false' in frame.text]
        nina.happen(unsafe)
        expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "unsafe")
        expect(page.locator("#notices")).to_contain_text("Big dome became unsafe")
        expect(page.locator("#rig-chip")).to_have_text("paused")
        assert page.evaluate("window.isTheSamePage")

        page.locator("#rig-session").click()
        expect(page.locator("#night-facts")).to_contain_text("autofocus failed")
        expect(page.locator("#frames tfoot")).to_contain_text("Together40")
        expect(page.locator(".timeline .span-gap")).to_have_count(1)
        expect(page.locator("#pictures")).to_be_hidden()
        page.get_by_role("link", name="Report of the night").click()
        page.wait_for_url("**/report/")  # and until its scripts have run
        expect(page.get_by_role("heading", name="NGC 2244")).to_be_visible()
        for moment, theme in (("beforeprint", "light"), ("afterprint", "red")):  # dark ink on white paper
            page.evaluate(f"dispatchEvent(new Event('{moment}'))")
            expect(page.locator("html")).to_have_attribute("data-theme", theme)


def test_the_page_fits_a_phone(server, people, tonight):
    with simulated_nina(tonight.shifted(timedelta())) as nina:
        manage("add_rig", "dome-2", "--url", nina.url, "--name", "Small dome", data_dir=server.data_dir)
        page = people.open("/rigs/dome-2/", viewport=PHONE)
        expect(page.locator("#rig-target")).to_have_text("NGC 2244", timeout=20_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        expect(page.locator("#frames tbody tr")).to_have_count(8)
        table = page.locator("#frames").evaluate(
            "(table) => [table.scrollWidth, table.parentElement.clientWidth]"
        )
        assert table[0] <= table[1]  # no column is cut
