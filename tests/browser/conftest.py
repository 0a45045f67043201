"""A server process, people who are logged in, and pages that must not complain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.line import Cameras
from tests.site.processes import Server

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

expect.set_options(timeout=15_000)  # ms; the machine draws its pages without a graphics card


def pytest_collection_modifyitems(items) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="session")
def browser_type_launch_args():
    if not shutil.which(CHROMIUM):
        message = f"no Chromium at {CHROMIUM}; CHROMIUM names another place"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu"]}


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """One server for all tests that do not stop theirs."""
    server = Server(data_dir=tmp_path_factory.mktemp("server"))
    yield server
    server.end()


@pytest.fixture(scope="session")
def cameras(server) -> Cameras:
    return Cameras(server)


def log_in(page: Page, server: Server) -> None:
    """`page` is logged in as the first user, by the form."""
    page.goto(f"{server.url}/login/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill((server.data_dir / "first-password").read_text().strip())
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{server.url}/**")


@pytest.fixture(scope="session")
def credentials(browser: Browser, server) -> dict:
    """The cookies of somebody who has logged in."""
    context = browser.new_context()
    log_in(context.new_page(), server)
    state = context.storage_state()
    context.close()
    return state


class People:
    """Opens pages as separate browsers would, and remembers what any of them complained of."""

    def __init__(self, browser: Browser, url: str, credentials: dict) -> None:
        self.browser, self.url, self.credentials = browser, url, credentials
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(self, path: str = "/", *, viewport: dict = DESKTOP, theme: str = "", **options) -> Page:
        """A new browser, logged in, at `path`."""
        context = self.browser.new_context(
            base_url=self.url, storage_state=self.credentials, viewport=viewport, **options
        )
        context.set_default_timeout(15_000)
        if theme:
            context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        self.contexts.append(context)
        page = context.new_page()
        self.listen(page)
        page.goto(path)
        return page

    def listen(self, page: Page) -> None:
        """Errors in the console (the content policy's among them), uncaught exceptions and answers of 5xx."""
        page.on("console", lambda message: self._complain(message.type == "error", page, message.text))
        page.on("pageerror", lambda error: self._complain(True, page, str(error)))
        page.on("response", lambda answer: self._complain(answer.status >= 500, page, answer.url))

    def _complain(self, is_bad: bool, page: Page, text: str) -> None:
        if is_bad:
            self.complaints.append(f"{page.url}: {text}")

    def forgive(self, *parts: str) -> None:
        """Complaints that a test brought about on purpose."""
        self.complaints = [
            complaint for complaint in self.complaints if not any(part in complaint for part in parts)
        ]

    def forgive_a_stopped_server(self) -> None:
        """What Chromium says of requests and sockets to a server that a test has stopped."""
        self.forgive(
            "ERR_CONNECTION_", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED", "WebSocket connection"
        )

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def people(browser: Browser, server, credentials) -> Iterator[People]:
    people = People(browser, server.url, credentials)
    yield people
    people.close()
    assert people.complaints == []
