"""What the page of a rig says when its server is gone, or when nobody listens to NINA any more."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from monitoring.nina.link import HEARD_FOR
from tests.browser.conftest import People, log_in
from tests.browser.steps import wait_until_live
from tests.nina.night import tonight as night_of_now
from tests.nina.silence import last_heard
from tests.nina.simulated import simulated_nina
from tests.site.processes import Process, Server, manage, running

HEARD_FOR_S = HEARD_FOR.total_seconds()


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def open_rig(stack: ExitStack, browser, server: Server) -> tuple[Page, People]:
    """The page of a rig that is heard while its night goes on, in a browser that is logged in."""
    nina = stack.enter_context(simulated_nina(night_of_now()))
    words = ("--url", nina.url, "--site-zone", nina.nina.script.zone.key, "--name", "Big dome")
    manage("add_rig", "dome-1", *words, data_dir=server.data_dir)
    context = browser.new_context()
    log_in(context.new_page(), server)
    people = People(browser, server.url, context.storage_state())
    stack.callback(people.close)
    context.close()
    page = people.open("/rigs/dome-1/")
    wait_until_live(page)
    expect_heard(page)
    page.evaluate("window.isTheSamePage = true")
    return page, people


def expect_heard(page: Page) -> None:
    expect(page.locator("#rig-link")).to_have_text("NINA connected", timeout=60_000)
    expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "safe")
    expect(page.locator("#rig-safety")).to_contain_text(re.compile(r"^Safe since \S+( \S+)?$"))
    expect(page.locator("#rig-chip")).to_have_text("active")
    expect(page.locator("#rig-lost")).to_be_hidden()


def test_without_its_server_the_page_calls_nothing_safe_and_heals(stack, browser, tmp_path):
    data_dir = tmp_path / "data"
    first = stack.enter_context(running(Server, data_dir=data_dir))
    page, people = open_rig(stack, browser, first)

    first.end()  # without a word
    expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "unknown")
    expect(page.locator("#rig-safety")).to_contain_text(
        re.compile(r"^Safety unknown: safe since .* when the server was last reached$")
    )
    expect(page.locator("#rig-link")).to_have_text("server not reached")
    expect(page.locator("#rig-chip")).to_have_text("was active")
    lost = page.locator("#rig-lost")
    expect(lost).to_contain_text(
        re.compile(r"^This page does not reach its server\. What is shown is \d+ s old")
    )
    expect(page.locator("#link-badge .word")).to_have_text(re.compile("^offline since"), timeout=30_000)
    expect(lost).to_contain_text(re.compile(r"What is shown is (1[2-9]|[2-9]\d) s old"))
    expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "unknown")

    stack.enter_context(running(Server, "--port", str(first.port), data_dir=data_dir))
    expect(page.locator("#link-badge .word")).to_have_text("live", timeout=40_000)
    expect_heard(page)
    assert page.evaluate("window.isTheSamePage")
    people.forgive_a_stopped_server()
    assert people.complaints == []


def test_the_page_finds_by_itself_that_nobody_listens_any_more_and_heals(stack, browser, tmp_path):
    data_dir = tmp_path / "data"
    server = stack.enter_context(running(Server, data_dir=data_dir, BACKGROUND_LOOPS="0"))
    worker = stack.enter_context(running(Process, "worker", data_dir=data_dir))
    page, people = open_rig(stack, browser, server)

    worker.child.kill()
    worker.child.wait(10)
    last_heard(data_dir, ago_s=HEARD_FOR_S - 10)  # from now on nobody tells the page anything
    expect(page.locator("#rig-safety")).to_have_attribute("data-safety", "unknown", timeout=30_000)
    expect(page.locator("#link-badge .word")).to_have_text("live")
    expect(page.locator("#rig-link")).to_have_text("NINA disconnected")
    expect(page.locator("#rig-chip")).to_have_text("was active")
    lost = page.locator("#rig-lost")
    expect(lost).to_contain_text("is lost (the listener of this server gives no sign of life)")
    expect(lost).to_contain_text("What is shown is 1 min old.")
    expect(page.locator(".timeline .span-gap")).to_have_count(1)

    stack.enter_context(running(Process, "worker", data_dir=data_dir))
    expect_heard(page)
    expect(page.locator(".timeline .span-gap")).to_have_count(1)
    assert page.evaluate("window.isTheSamePage")
    assert people.complaints == []
