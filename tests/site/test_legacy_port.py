"""`serve --legacy-port`: the same site on a second port."""

from __future__ import annotations

import socket

import httpx
import pytest

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
