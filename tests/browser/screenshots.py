"""Pictures of every screen at three widths in three themes, for a person to look at.

    python -m tests.browser.screenshots FOLDER [--only wall-20 login] [--widths 390 1280] [--themes dark]

Starts a server of its own, fills it step by step, and ends. Takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, log_in
from tests.browser.line import Cameras
from tests.browser.nightscreens import rigs
from tests.site.processes import Process, Server, manage, running

WIDTHS = {390: 844, 1280: 800, 1920: 1080}
THEMES = ("light", "dark", "red")
KINDS = ("plate", "bottle", "bolt")
NAMES = (
    "Press 1; Press 2; Filler; Capper; Labeller; Line 3, entry; Line 3, exit; Oven; Paint booth; Weld cell A;"
    "Weld cell B; Sorter; Packer 1; Packer 2; Palletiser; Dock north; Dock south; Gauge room; Rework; Lab"
)


@dataclass
class Stage:
    """What the screens stand on."""

    server: Server
    cameras: Cameras
    browser: Browser
    folder: Path
    only: list[str]
    widths: list[int]
    themes: list[str]
    credentials: dict | None = None

    def shoot(
        self,
        name: str,
        path: str,
        *,
        is_logged_in: bool = True,
        is_whole: bool = False,
        before: Callable | None = None,
    ) -> None:
        """`<name>-<width>-<theme>.png` of the page at `path`; before(page) may do something on it.

        is_whole: down to its end, not as it is first seen.
        """
        if self.only and name not in self.only:
            return
        for width in self.widths:
            for theme in self.themes:
                with self._page(width, theme, is_logged_in) as page:
                    page.goto(path)
                    settle(page)
                    if before:
                        before(page)
                    page.screenshot(path=self.folder / f"{name}-{width}-{theme}.png", full_page=is_whole)

    @contextmanager
    def _page(self, width: int, theme: str, is_logged_in: bool) -> Iterator[Page]:
        context = self.browser.new_context(
            base_url=self.server.url,
            viewport={"width": width, "height": WIDTHS[width]},
            storage_state=self.credentials if is_logged_in else None,
            has_touch=width < 768,
        )
        context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        yield context.new_page()
        context.close()


def settle(page: Page) -> None:
    """The page is live and its pictures are there."""
    if page.locator("#link-badge").count():
        page.wait_for_function("() => document.querySelector('#link-badge .word').textContent === 'live'")
    page.wait_for_function(
        "() => [...document.images].every("
        "(image) => image.hidden || image.complete || image.loading === 'lazy')"
    )
    page.wait_for_timeout(600)  # fades


def fill(stage: Stage, slug: str, pictures: int, kind: str) -> None:
    for number in range(pictures):
        stage.cameras.send(slug, number, kind=kind)


def twenty(stage: Stage) -> None:
    """Twenty monitors: most run, some are late, lost, idle, one never started, one in error."""
    for number, name in enumerate(NAMES.split(";")):
        slug = f"station-{number + 1}"
        state = {3: "lost", 7: "idle", 10: "late", 13: "idle", 16: "new", 18: "error"}.get(number, "running")
        interval_s = {"lost": 0.5, "late": 9.0}.get(state, 3600)
        stage.cameras.monitor(slug, name.strip(), interval_s=interval_s, start=state != "new")
        if state != "new":
            fill(stage, slug, 2 + number % 4, KINDS[number % 3])
        if state == "idle":
            stage.cameras.stop(slug)
        if state == "error":
            break_session(stage, slug)


def break_session(stage: Stage, slug: str) -> None:
    code = (
        "from sessions_app.models import Session; from sessions_app.services.lifecycle import move;"
        f"move(Session.objects.get(monitor__slug='{slug}'), 'error', by='test', reason='camera fault')"
    )
    manage("shell", "-c", code, data_dir=stage.server.data_dir)


@contextmanager
def simulated(stage: Stage, *slugs: str) -> Iterator[None]:
    """Cameras that feed `slugs` twice a second meanwhile."""
    words = [
        "simulate_cameras",
        "--url",
        stage.server.url,
        "--monitors",
        ",".join(slugs),
        "--interval",
        "0.5",
    ]
    secret = {"SESSIONSITE_TOKEN": stage.cameras.token}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Process, *words, "--defect-rate", "0.35", data_dir=Path(folder), **secret),
    ):
        yield


def take_all(stage: Stage) -> None:
    cameras = stage.cameras
    stage.shoot("login", "/login/", is_logged_in=False)
    stage.shoot("error-404", "/no-such-page/")
    stage.shoot("wall-empty", "/")
    stage.shoot("history-none", "/sessions/")
    stage.shoot("add-monitor", "/monitors/new/")

    cameras.monitor("line-1", "Line 1", interval_s=0.5)
    fill(stage, "line-1", 3, "plate")
    with simulated(stage, "line-1"):
        wait_for_pictures(stage, "line-1", 40)
        stage.shoot("wall-1", "/")
        stage.shoot("monitor-running", "/monitors/line-1/")
        stage.shoot("monitor-drawing", "/monitors/line-1/", before=lambda page: page.keyboard.press("b"))
        stage.shoot("keys", "/monitors/line-1/", before=lambda page: page.keyboard.press("?"))
        stage.shoot("command-box", "/", before=lambda page: page.keyboard.press("/"))
    for number, name in enumerate(("Line 2", "Filler", "Oven")):
        cameras.monitor(f"other-{number}", name, interval_s=0.5, start=number != 2)
    with simulated(stage, "line-1", "other-0", "other-1"):
        wait_for_pictures(stage, "other-1", 20)
        stage.shoot("wall-4", "/")
    stage.shoot("monitor-lost", "/monitors/line-1/")
    key = cameras.state("line-1")["session"]["key"]
    image = next(
        image["key"]
        for image in cameras.call("GET", "monitors/line-1/images/", params={"limit": 60})["results"]
        if image["tags"]
    )
    stage.shoot("picture", f"/images/{image}/")
    stage.shoot("picture-box", f"/images/{image}/", before=choose_box)
    stage.shoot("review", "/review/?monitor=line-1")
    stage.shoot("review-none", "/review/?review=rejected&monitor=line-1")
    stage.shoot("review-many", "/review/?monitor=line-1", before=ask_for_many)
    cameras.call("PATCH", f"images/{image}/", json={"review": "accepted", "review_comment": "A clear dent."})
    stage.shoot("picture-accepted", f"/images/{image}/")
    twenty(stage)
    stage.shoot("wall-20", "/")
    stage.shoot("wall-mode", "/", before=lambda page: (page.keyboard.press("w"), page.wait_for_timeout(700)))
    stage.shoot("events", "/events/")
    stage.shoot("history", "/sessions/")
    stage.shoot("history-no-match", "/sessions/?monitor=line-1&state=expired")
    cameras.stop("line-1")
    stage.shoot("session", f"/sessions/{key}/")
    stage.shoot("report", f"/sessions/{key}/report/")
    other = cameras.call("GET", "sessions/", params={"limit": 3})["results"]
    stage.shoot("compare", "/compare/?" + "&".join(f"s={row['key']}" for row in other))
    stage.shoot("health", "/health/")
    people(stage)
    stage.shoot("storage", "/storage/")
    stage.shoot("storage-rule", "/storage/", before=preview_a_rule)
    datasets(stage)
    annotations(stage)
    rigs(stage)


def datasets(stage: Stage) -> None:
    """A dataset that a camera fills, what was exported of it, and none of both."""
    cameras = stage.cameras
    stage.shoot("datasets-none", "/datasets/")
    stage.shoot("exports-none", "/exports/")
    cameras.call(
        "POST", "datasets/", json={"key": "bottles", "name": "Bottles of line 4", "organisation": "default"}
    )
    cameras.monitor("line-4", "Line 4")
    cameras.call("PATCH", "monitors/line-4/", json={"dataset": "bottles"})
    for number in range(24):
        cameras.send("line-4", 700 + number, kind="bottle")
    stage.shoot("datasets", "/datasets/")
    stage.shoot("dataset", "/datasets/bottles/")
    cameras.call("POST", "datasets/bottles/export/", json={"format": "coco"})
    stage.shoot("exports", "/exports/")


def people(stage: Stage) -> None:
    """Members, tokens, the audit trail, a new password, an invitation."""
    code = (
        "from sessionsite.accounts.models import Organisation, User;"
        "from sessionsite.accounts.services import create_token, set_role;"
        "ours = Organisation.objects.get(slug='default');"
        "people = {'ann': 'operator', 'bob': 'reviewer', 'christine.with-a-long-name': 'viewer'};"
        "[set_role(User.objects.get_or_create(username=name)[0], ours, role, by='admin')"
        " for name, role in people.items()];"
        "admin = User.objects.get(username='admin');"
        "create_token(ours, name='my scripts', role='viewer', scopes=['read'], owner=admin, by='admin')"
    )
    manage("shell", "-c", code, data_dir=stage.server.data_dir)
    stage.shoot("tokens", "/tokens/")
    asked = {"role": "operator", "note": "Dora, late shift"}
    link = stage.cameras.call("POST", "organisations/default/invites/", json=asked)["link"]
    stage.shoot("members", "/members/")
    stage.shoot("audit", "/audit/")
    stage.shoot(
        "audit-open",
        "/audit/?verb=set_role",
        before=lambda page: page.locator(".audit summary").first.click(),
    )
    stage.shoot("password", "/password/")
    stage.shoot("invite", link.removeprefix(stage.server.url), is_logged_in=False)
    stage.shoot("invite-member", link.removeprefix(stage.server.url))
    stage.shoot("invite-over", "/invite/", is_logged_in=False)


def annotations(stage: Stage) -> None:
    """A watched session: the list, nothing heard yet, a lively one, its end."""
    stage.shoot("annotate-none", "/annotate/")
    body = {"kind": "annotation", "idle_ttl_s": None, "elcor": True}
    key = stage.cameras.call("POST", "sessions/", json={**body, "name": "Call 7, line to the dispatcher"})[
        "key"
    ]
    page = f"/annotate/{key}/"
    stage.shoot("annotate-list", "/annotate/")
    stage.shoot("annotate-empty", page)
    begun = datetime.now(UTC) - timedelta(seconds=12)
    labels = ("calm", "calm", "raised", "calm", "urgent", "raised", "calm", "quiet")
    frames = [
        {
            "label": labels[number % 8],
            "confidence": 0.55 + number * 7 % 40 / 100,
            "at": (begun + timedelta(seconds=0.4 * number)).isoformat(),
        }
        for number in range(30)
    ]
    stage.cameras.call("POST", f"sessions/{key}/frames/", json={"frames": frames})
    stage.cameras.call("POST", f"sessions/{key}/events/", json={"label": "question"})
    stage.shoot("annotate-live", page)
    stage.cameras.call("POST", f"sessions/{key}/end/", json={})
    stage.shoot("annotate-ended", page)


def preview_a_rule(page: Page) -> None:
    page.get_by_role("button", name="Change the rule of All monitors together").click()
    page.get_by_label("Keep for days").fill("30")
    page.get_by_role("button", name="Preview").click()
    page.locator("#trial:not(:empty)").wait_for()


def choose_box(page: Page) -> None:
    page.keyboard.press("n")
    page.locator("#edit-history summary").click()
    page.wait_for_timeout(500)


def ask_for_many(page: Page) -> None:
    page.get_by_role("button", name="Accept…").click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_timeout(300)


def wait_for_pictures(stage: Stage, slug: str, count: int) -> None:
    from tests.waiting import wait_until

    wait_until(
        lambda: stage.cameras.state(slug)["total_counter"] >= count, 120, f"{count} pictures of {slug}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--widths", nargs="*", type=int, default=list(WIDTHS), choices=list(WIDTHS))
    parser.add_argument("--themes", nargs="*", default=list(THEMES), choices=THEMES)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        os.environ["DATA_DIR"] = data  # a first database is made there
        take_with_a_server(Path(data) / "data", asked)


def take_with_a_server(data_dir: Path, asked: argparse.Namespace) -> None:
    with running(Server, data_dir=data_dir) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        stage = Stage(server, Cameras(server), browser, asked.folder, asked.only, asked.widths, asked.themes)
        context = browser.new_context()
        log_in(context.new_page(), server)
        stage.credentials = context.storage_state()
        context.close()
        take_all(stage)
        browser.close()


if __name__ == "__main__":
    main()
