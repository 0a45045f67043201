"""`serve --legacy-port`: the same site on a second port."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from monitoring.nina.script import Script
from tests.nina.night import ZONE, script
from tests.nina.simulated import simulated_nina
from tests.site.processes import Server, manage, running

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
def test_a_panel_finds_the_site_on_the_port_that_it_insists_on(tmp_path, kind):
    legacy = free_port()
    with running(
        Server, "--legacy-port", str(legacy), "--server", kind, data_dir=tmp_path / "data"
    ) as server:
        manage("add_rig", "rig-1", "--public", data_dir=server.data_dir)
        server.wait_for_line(f":{legacy}/")
        for port in (server.port, legacy):
            answer = httpx.get(f"http://127.0.0.1:{port}/api/nina/session-state", trust_env=False)
            assert answer.status_code == 200 and answer.json()["session_state"] == "idle"
        code, seconds = server.stop()
        assert code == 0 and seconds < 10


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
def test_a_panel_follows_the_rig_on_both_ports_until_the_server_goes_away(tmp_path, kind):
    legacy, change = free_port(), script().frames[0]
    with ExitStack() as stack:
        nina = stack.enter_context(simulated_nina(Script([], [], [], ZONE)))
        words = ("--legacy-port", str(legacy), "--server", kind)
        server = stack.enter_context(running(Server, *words, data_dir=tmp_path / "data"))
        manage("add_rig", "rig-1", "--public", "--url", nina.url, data_dir=server.data_dir)
        server.wait_for_line(f":{legacy}/")
        panels = [stack.enter_context(panel_at(port)) for port in (server.port, legacy)]
        for panel in panels:
            assert following(panel, "connection")["rig"] == "rig-1"
            while following(panel, "unifiedSession")["connectionStatus"] != "connected":
                continue
        nina.happen([change])
        for panel in panels:
            assert following(panel, "nina-event")["Type"] == "FILTERWHEEL-CHANGED"
            assert following(panel, "sessionUpdate")["current_filter"] == "L"
        server.stop()
        for panel in panels:
            with pytest.raises(ConnectionClosed) as closed:
                following(panel, "nothing more")
            assert closed.value.rcvd.code == 4012


def panel_at(port: int):
    """A panel of a page that another host serves."""
    return connect(f"ws://127.0.0.1:{port}/ws/unified", proxy=None, origin="http://observatory.example:5173")


def following(panel, kind: str) -> dict:
    """The data of the next message of this kind."""
    while (message := json.loads(panel.recv(timeout=20)))["type"] != kind:
        continue
    return message["data"]
