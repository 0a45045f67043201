"""axe-core finds nothing serious on any page, in three themes, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.access.table import ROWS
from tests.browser.conftest import DESKTOP, PHONE
from tests.site.processes import manage

AXE = (Path(__file__).parent / "vendor" / "axe" / "axe.min.js").read_text()
FAULTS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map((at) => `${id}: ${at.target.join(" ")}: ${at.failureSummary}`))"""
OUTSIDE = ["login/", "invite/", "no-such-page/"]
SETUP = """
from monitoring.nina.verbs import add_rig
from sessions_app.services import open_session, start_annotation
from sessions_app.states import Kind
from sessionsite.accounts.models import Organisation
ours = Organisation.objects.get(slug="default")
rig = add_rig(ours, slug="axe-rig", name="Dome", by="test")
night = open_session(ours, kind=Kind.RIG, monitor=rig.monitor, name="A night", by="test")
watched = start_annotation(ours, by="test", idle_ttl_s=3600)
print("NAMES", watched.key, night.key)
"""


@pytest.fixture(scope="module")
def names(server, cameras) -> dict[str, str]:
    """One of everything that a page may be about."""
    cameras.monitor("axe", "Line 3, exit", interval_s=1)
    dataset = cameras.call("POST", "datasets/", json={"organisation": "default", "name": "Plates"})["key"]
    image = cameras.send("axe", 0)
    session = cameras.state("axe")["session"]["key"]
    annotation, night = re.search(
        r"NAMES (\S+) (\S+)", manage("shell", "-c", SETUP, data_dir=server.data_dir)
    ).groups()
    return {
        "monitor": "axe", "session": session, "image": image, "dataset": dataset, "annotation": annotation,
        "rig": "axe-rig", "night": night,
    }  # fmt: skip


def pages(names: dict[str, str]) -> list[str]:
    """The address of every page: the table of who gets in where has a row for each, or another test fails."""
    templates = sorted({row.path for row in ROWS if row.kind == "page" and row.method == "GET"})
    assert len(templates) > 15
    unknown = {name for path in templates for name in re.findall(r"<(\w+)>", path)} - set(names)
    assert not unknown, f"the fixture `names` makes none of these: {unknown}"
    return ["/" + re.sub(r"<(\w+)>", lambda found: names[found[1]], path) for path in [*templates, *OUTSIDE]]


def faults_of(page) -> list[str]:
    page.evaluate(AXE)
    return page.evaluate(FAULTS)


@pytest.mark.parametrize(
    ("theme", "viewport"),
    [("light", DESKTOP), ("dark", DESKTOP), ("red", DESKTOP), ("light", PHONE)],
    ids=["light", "dark", "red", "phone"],
)
def test_no_page_has_a_serious_fault(people, names, theme, viewport):
    page = people.open("/", viewport=viewport, theme=theme)
    found = {}
    for path in pages(names):
        page.goto(path)
        page.wait_for_load_state("load")
        page.wait_for_timeout(400)  # what scripts add, and fades
        if faults := faults_of(page):
            found[path] = faults
    people.forgive("404", "410")
    assert not found, "\n".join(f"{path} {fault}" for path, faults in found.items() for fault in faults)


def press(key: str) -> Callable:
    return lambda page: page.keyboard.press(key)


@pytest.mark.parametrize("theme", ["light", "dark", "red"])
@pytest.mark.parametrize(
    ("path", "open_it"),
    [
        ("/", press("?")),
        ("/", press("/")),
        ("/", lambda page: page.locator(".user-menu summary").click()),
        ("/monitors/axe/", press("b")),
        ("/monitors/new/", lambda page: page.get_by_role("button", name="Add and start").click()),
        ("/tokens/", lambda page: page.get_by_role("button", name="Create").click()),
    ],
    ids=["keys", "command box", "menu", "drawing", "a form refused", "a token refused"],
)
def test_what_opens_on_a_page_has_no_serious_fault(people, names, theme, path, open_it):
    page = people.open(path, theme=theme)
    page.wait_for_timeout(400)
    open_it(page)
    page.wait_for_timeout(200)
    assert faults_of(page) == []


def test_axe_finds_a_fault_that_is_there(people):
    page = people.open("/")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any(fault.startswith("button-name") for fault in faults_of(page))
