"""The screens of a rig: nothing heard yet, a live night, an alarm, a lost connection, the finished night."""

from __future__ import annotations

from monitoring.nina.script import Script
from tests.nina.night import ZONE
from tests.nina.night import tonight as night_of_now
from tests.nina.simulated import NinaThread, simulated_nina
from tests.site.processes import manage
from tests.waiting import wait_until


def rigs(stage) -> None:
    """Each as it is first seen, and whole (`-all`), since most of a night lies below the fold."""
    with simulated_nina(Script([], [], [], ZONE)) as nina:
        _add(stage, "dome-0", nina.url, "New dome")
        _wait(stage, "dome-0", status="connected")
        _shoot(stage, "rig-new", "/rigs/dome-0/")
    tonight = night_of_now(15)
    with simulated_nina(tonight) as nina:
        _add(stage, "dome-1", nina.url, "Big dome", tonight.zone.key)
        _wait(stage, "dome-1", status="connected")
        _happen(stage, nina, tonight.frames[:16])
        _shoot(stage, "rig", "/rigs/dome-1/")
        stage.shoot("rig-server-lost", "/rigs/dome-1/", before=_lose_the_server)
        unsafe = [frame for frame in tonight.frames if '"IsSafe": false' in frame.text]
        _happen(stage, nina, unsafe)
        _shoot(stage, "rig-unsafe", "/rigs/dome-1/")
        nina.go_away()
        _wait(stage, "dome-1", status="disconnected")
        _shoot(stage, "rig-lost", "/rigs/dome-1/")
    words = ("import_night", "tests/payloads/nina/night_history.json", "--rig", "dome-2")
    images = ("--images", "tests/payloads/nina/night_image_history.json", "--site-zone", "Europe/Madrid")
    manage(*words, *images, data_dir=stage.server.data_dir)
    _shoot(stage, "rig-imported", "/rigs/dome-2/")
    _shoot(stage, "rig-no-night", "/rigs/dome-2/?night=2025-11-20")
    night = stage.cameras.call("GET", "sessions/", params={"monitor": "dome-2"})["results"][0]["key"]
    _shoot(stage, "rig-session", f"/sessions/{night}/")
    _shoot(stage, "rig-report", f"/sessions/{night}/report/")


def _shoot(stage, name: str, path: str) -> None:
    stage.shoot(name, path)
    stage.shoot(f"{name}-all", path, is_whole=True)


def _lose_the_server(page) -> None:
    page.context.set_offline(True)
    page.evaluate("() => dispatchEvent(new Event('offline'))")
    page.wait_for_function("() => document.querySelector('#rig-link').textContent === 'server not reached'")


def _add(stage, slug: str, url: str, name: str, zone: str = ZONE.key) -> None:
    words = ("--url", url, "--site-zone", zone, "--name", name)
    manage("add_rig", slug, *words, data_dir=stage.server.data_dir)


def _happen(stage, nina: NinaThread, frames: list) -> None:
    seq = _state(stage, "dome-1")["last_seq"]
    nina.happen(frames)
    wait_until(lambda: _state(stage, "dome-1")["last_seq"] > seq, 20, "the events are stored")


def _wait(stage, slug: str, *, status: str) -> None:
    wait_until(lambda: _state(stage, slug)["link"].get("status") == status, 30, f"{slug} is {status}")


def _state(stage, slug: str) -> dict:
    return stage.cameras.call("GET", f"rigs/{slug}/state/")
