"""A person who starts and stops a monitor does not wait behind the cameras of another one."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.faults.pages import Cameras, seconds_until
from tests.faults.test_restarts import open_session
from tests.site.processes import Server, running

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once, pytest.mark.alone]

LIMIT_S = 0.150
ACTS = 40
ROUNDS = 8  # the best counts: a busy machine is not the server's fault


def p95_s(server: Server) -> float:
    """Of starts and stops in turn."""
    waits = []
    for number in range(ACTS):
        begun = time.monotonic()
        answer = server.http.post(f"/api/v1/monitors/cam-2/{'stop' if number % 2 else 'start'}/")
        waits.append(time.monotonic() - begun)
        assert answer.is_success, answer.text
    return statistics.quantiles(waits, n=20)[-1]


def test_start_and_stop_beside_eight_cameras_take_less_than_150_ms(tmp_path):
    with running(Server, data_dir=tmp_path / "data") as server:
        open_session(server)
        made = server.http.post("/api/v1/monitors/", json={"slug": "cam-2", "name": "2"})
        assert made.status_code == 201, made.text
        rounds = []
        with Cameras(server) as cameras:
            seconds_until(lambda: len(cameras.acknowledged) > 30, 20, "pictures")
            while len(rounds) < ROUNDS and min(rounds, default=LIMIT_S) >= LIMIT_S:
                before = len(cameras.acknowledged)
                rounds.append(p95_s(server))
                assert len(cameras.acknowledged) > before, "the cameras did not post meanwhile"
        print(f" p95 {min(rounds) * 1000:.0f} ms", end="")  # noqa: T201 - the figure is the point
        assert min(rounds) < LIMIT_S, rounds
        assert not cameras.problems, cameras.problems[:3]
