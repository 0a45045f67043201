"""The page of a rig follows a simulated night, says when the connection is lost, and heals."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.steps import wait_until_live
from tests.nina.night import tonight as night_of_now
from tests.nina.simulated import simulated_nina
from tests.site.processes import manage

POINTS = "(line) => [...line.points].filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)).length"
FILL = "(bar) => getComputedStyle(bar).fill"


@pytest.fixture
def tonight():
    """The recorded night, with its sixteenth live frame happening now."""
    return night_of_now(15)


def test_the_page_follows_the_night_loses_nina_and_heals(server, people, tonight):
    with simulated_nina(tonight) as nina:
        words = ("--url", nina.url, "--site-zone", tonight.zone.key, "--name", "Big dome")
        manage("add_rig", "dome-1", *words, data_dir=server.data_dir)
        page = people.open("/rigs/dome-1/", theme="red")
        wait_until_live(page)
        expect(page.locator("#rig-link")).to_have_text("NINA connected", timeout=20_000)
        expect(page.locator("#rig-target")).to_have_text("NGC 2244")
        expect(page.locator("#rig-total")).to_have_text("36")
        expect(page.locator("#rig-chip")).to_have_text("active")
        expect(page.locator("#rig-safety")).to_contain_text("Safe since")
        expect(page.locator("#rig-elapsed")).to_have_text(re.compile(r"^5:5[678]:\d\d$"))
        page.evaluate("window.isTheSamePage = true")

        nina.happen(tonight.frames[:16])
        expect(page.locator("#rig-total")).to_have_text("39")
        expect(page.locator("#rig-events li").first).to_contain_text("STACK-UPDATED")
        row = page.locator("#frames tbody tr", has_text="NGC 2244").filter(has_text="L")
        expect(row).to_contain_text("5")
        expect_what_is_done_now(page)
        expect_curves(page, frames=41)
        expect_lanes(page)

        nina.go_away()
        expect(page.locator("#rig-lost")).to_contain_text("The connection to NINA is lost")
        expect(page.locator("#rig-lost")).to_contain_text(re.compile(r"What is shown is \d+ s old"))
        expect(page.locator("#rig-safety")).to_contain_text("Safety unknown: safe since")
        expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "unknown")
        expect(page.locator("#rig-chip")).to_have_text("was active")
        nina.happen(tonight.frames[16:24])  # nobody hears of it
        nina.come_back()
        expect(page.locator("#rig-lost")).to_be_hidden(timeout=40_000)
        expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "safe")
        expect(page.locator("#rig-chip")).to_have_text("active")
        expect(page.locator("#rig-total")).to_have_text("40")
        expect_a_hatched_gap(page)

        unsafe = [frame for frame in tonight.frames if '"IsSafe": false' in frame.text]
        nina.happen(unsafe)
        expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "unsafe")
        expect(page.locator("#notices")).to_contain_text("Big dome became unsafe")
        expect(page.locator("#rig-chip")).to_have_text("paused")
        assert page.evaluate("window.isTheSamePage")

        page.locator("#rig-session").click()
        expect(page.locator("#night-facts")).to_contain_text("autofocus failed")
        expect(page.locator("#frames tfoot")).to_contain_text("Together40")
        expect_a_hatched_gap(page)
        expect(page.locator("#pictures")).to_be_hidden()
        page.get_by_role("link", name="Report of the night").click()
        page.wait_for_url("**/report/")  # and until its scripts have run
        expect(page.get_by_role("heading", name="NGC 2244")).to_be_visible()
        for moment, theme in (("beforeprint", "light"), ("afterprint", "red")):  # dark ink on white paper
            page.evaluate(f"dispatchEvent(new Event('{moment}'))")
            expect(page.locator("html")).to_have_attribute("data-theme", theme)


def expect_what_is_done_now(page: Page) -> None:
    """After the sixteenth live frame."""
    expect(page.locator("#rig-coordinates")).to_have_text("Rosette mixed · 06h 31m 54s +04° 56' 42\"")
    expect(page.locator("#rig-activity")).to_have_text("guiding")
    expect(page.locator("#rig-filter")).to_have_text("R")
    expect(page.locator("#rig-guiding")).to_have_text("Guiding, 0.57″ RMS")
    expect(page.locator("#rig-exposure")).to_have_text("180 s, 2 h 16 min together")
    expect(page.locator("#rig-temperature")).to_have_text("-10 °C")
    last = page.locator("#rig-last")
    names = ["Type", "Exposure", "HFR", "Stars", "Guiding", "Temperature", "Saved"]
    expect(last.locator("dt")).to_have_text(names)
    saved = re.compile(r"^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d$")
    expect(last.locator("dd")).to_have_text(["LIGHT L", "180 s", "1.71 px", "4390", "0.57″", "-10 °C", saved])


def expect_curves(page: Page, frames: int) -> None:
    """Each has a point per frame, and says its newest value and its range."""
    words = {
        "rms": "Guiding RMS, arc seconds: 0.75 mean, 0.57 last, 0.5 to 1",
        "hfr": "HFR, pixels: 1.71 last, 1.64 to 2.39",
        "temperature": "Camera temperature, °C: -10 last",
    }
    for name, said in words.items():
        expect(page.locator(f"#{name}-words")).to_have_text(said)
        assert page.locator(f"#{name} polyline").evaluate(POINTS) == frames, name


def expect_lanes(page: Page) -> None:
    lanes = page.locator(".timeline")
    expect(lanes.locator(".span-flip")).to_have_count(1)
    expect(lanes.locator(".span-autofocus")).to_have_count(4)
    expect(lanes.locator(".span-autofocus.is-failed")).to_have_count(1)
    expect(lanes.locator(".span-paused")).to_have_count(1)
    paused, lane = (
        lanes.locator(name).bounding_box()["width"] for name in (".span-paused", "svg[aria-label^=Paused]")
    )
    assert 0.2 < paused / lane < 0.35  # 108 minutes of seven hours


def expect_a_hatched_gap(page: Page) -> None:
    gap = page.locator(".timeline .span-gap")
    expect(gap).to_have_count(1)
    assert gap.evaluate(FILL) == 'url("#hatch")'
    assert page.locator("pattern#hatch rect").count() == 1 and gap.bounding_box()["width"] > 0


def test_the_page_fits_a_phone(server, people, tonight):
    with simulated_nina(tonight) as nina:
        words = ("--url", nina.url, "--site-zone", tonight.zone.key, "--name", "Small dome")
        manage("add_rig", "dome-2", *words, data_dir=server.data_dir)
        page = people.open("/rigs/dome-2/", viewport=PHONE)
        expect(page.locator("#rig-target")).to_have_text("NGC 2244", timeout=20_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        expect(page.locator("#frames tbody tr")).to_have_count(8)
        table = page.locator("#frames").evaluate(
            "(table) => [table.scrollWidth, table.parentElement.clientWidth]"
        )
        assert table[0] <= table[1]  # no column is cut
