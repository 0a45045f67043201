"""Two workers and one rig: one of them listens, and the other one goes on when it stands still or dies."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from websockets.sync.client import connect

from benchmarks.lib.databases import cluster_url, fresh_database
from monitoring.nina.intake import read_history
from monitoring.nina.link import HEARD_FOR
from monitoring.nina.script import Script
from tests.nina.night import ZONE
from tests.nina.night import script as recorded_night
from tests.nina.silence import last_heard
from tests.nina.simulated import simulated_nina
from tests.services import own_postgresql, own_redis
from tests.site.processes import Process, Server, manage, running
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once, pytest.mark.timeout(240)]
WITHIN_S = 30.0


def holder_of(data_dir) -> int | None:
    """The process that holds the rig's lease."""
    with closing(sqlite3.connect(f"file:{data_dir / 'db.sqlite3'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT holder FROM sessions_app_lease WHERE name LIKE 'rig:%'").fetchall()
    return int(rows[0][0].split(":")[1]) if rows else None


def listener_after(nina, data_dir, before: int, connections: int) -> float:
    """How long it takes until another process than `before` listens."""
    begun = time.monotonic()
    wait_until(
        lambda: nina.nina.connections > connections and holder_of(data_dir) != before,
        within_s=60,
        what="another process listens",
    )
    return time.monotonic() - begun


def stand_still(pid: int, data_dir) -> None:
    """The process stands still, and not in the middle of writing: that would stop everybody on SQLite."""
    file = data_dir / "db.sqlite3"

    def is_still() -> bool:
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: has_stopped(pid), within_s=20, what="every thread has stopped")
        try:
            with closing(sqlite3.connect(file, timeout=1, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            return False
        return True

    wait_until(is_still, within_s=20, what="a moment without a write")


def has_stopped(pid: int) -> bool:
    """The signal only asks: a thread that runs meanwhile may still begin to write."""
    try:
        stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:  # a thread has just ended
        return False
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def stored(server: Server) -> list[dict]:
    found, address = [], "/api/v1/rigs/dome-1/events/?after=0&limit=200"
    while address:
        page = server.http.get(address).json()
        found, address = found + page["results"], page["next"]
    return found


def test_a_rig_is_followed_by_one_process_through_a_standstill_and_a_death(tmp_path):
    """At 20 times speed, so that something happens all the while: every nine seconds a frame is taken."""
    data_dir, tonight = tmp_path / "data", recorded_night()
    tonight = tonight.shifted(datetime.now(UTC) - tonight.frames[0].at)
    with (
        simulated_nina(tonight, speed=20) as nina,
        running(Server, data_dir=data_dir, BACKGROUND_LOOPS="0") as server,
        running(Process, "worker", data_dir=data_dir) as one,
        running(Process, "worker", data_dir=data_dir) as two,
    ):
        manage("add_rig", "dome-1", "--url", nina.url, "--public", data_dir=data_dir)
        wait_until(lambda: nina.nina.connections == 1 and len(stored(server)) == 280, within_s=40)
        server.http.headers["Authorization"] = f"Bearer {server.token()}"
        workers = {process.child.pid: process for process in (one, two)}
        first = holder_of(data_dir)
        assert first in workers, "the process without loops listens"
        (second,) = set(workers) - {first}
        with nina.playing():
            wait_until(lambda: nina.nina.sent > 5, within_s=40)
            stand_still(first, data_dir)
            assert listener_after(nina, data_dir, first, 1) < WITHIN_S
            os.kill(first, signal.SIGCONT)  # what it read before it stood still is refused
            wait_until(lambda: len(nina.nina.sockets) == 1, within_s=20, what="the first one lets go")
            sent = nina.nina.sent
            wait_until(lambda: nina.nina.sent > sent + 5, within_s=40)
            assert holder_of(data_dir) == second
            connections = nina.nina.connections
            os.kill(second, signal.SIGKILL)
            assert listener_after(nina, data_dir, second, connections) < WITHIN_S
            sent = nina.nina.sent
            wait_until(lambda: nina.nina.sent > sent + 5, within_s=40)

        wait_until(lambda: what_differs(server, nina) == {}, within_s=15)
        rows = stored(server)
        assert [event["seq"] for event in rows] == list(range(1, len(rows) + 1))
        assert sum(event["is_live"] for event in rows) > 3  # the rest came with a rebuild


def test_on_postgresql_and_redis_a_dead_worker_is_replaced_and_the_panel_of_a_web_process_follows(tmp_path):
    tonight = recorded_night()
    tonight = tonight.shifted(datetime.now(UTC) - tonight.frames[0].at)
    with ExitStack() as stack:
        redis, postgresql = stack.enter_context(own_redis(tmp_path)), stack.enter_context(own_postgresql())
        url = stack.enter_context(fresh_database(cluster_url(postgresql)))
        more = {"DATABASE_URL": url, "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}
        more |= {"data_dir": tmp_path / "data"}
        nina = stack.enter_context(simulated_nina(tonight))
        server = stack.enter_context(running(Server, **more, BACKGROUND_LOOPS="0"))
        workers = [stack.enter_context(running(Process, "worker", **more)) for _ in range(2)]
        manage("add_rig", "dome-1", "--url", nina.url, "--public", **more)
        wait_until(lambda: nina.nina.connections == 1 and len(stored(server)) == 280, within_s=40)
        panel = stack.enter_context(connect(f"ws://127.0.0.1:{server.port}/ws/unified", proxy=None))
        nina.happen(tonight.frames[:1])
        assert next_event(panel) == "FILTERWHEEL-CHANGED"
        before, holder = last_rebuild(server), holder_on_postgresql(url)
        dies = next(worker for worker in workers if worker.child.pid == holder)
        dies.child.kill()
        begun = time.monotonic()
        wait_until(lambda: last_rebuild(server) != before, within_s=60, what="the other worker listens")
        assert time.monotonic() - begun < WITHIN_S
        nina.happen(tonight.frames[1:3])
        assert [next_event(panel), next_event(panel)] == ["IMAGE-PREPARED", "IMAGE-SAVE"]
        rows = stored(server)
        assert [event["seq"] for event in rows] == list(range(1, 284))


def health(server: Server) -> dict:
    return server.http.get("/api/nina/dome-1/health").json()


def test_a_process_without_listeners_tells_that_the_only_listener_was_killed(tmp_path):
    data_dir = tmp_path / "data"
    with (
        simulated_nina(Script([], [], [], ZONE)) as nina,
        running(Server, data_dir=data_dir, BACKGROUND_LOOPS="0") as server,
        running(Process, "worker", data_dir=data_dir) as worker,
    ):
        manage("add_rig", "dome-1", "--url", nina.url, "--public", data_dir=data_dir)
        wait_until(lambda: health(server)["status"] == "healthy", within_s=40)
        with connect(f"ws://127.0.0.1:{server.port}/ws/unified", proxy=None) as panel:
            assert next_state(panel)["connectionStatus"] == "connected"
            worker.child.kill()
            worker.child.wait(10)
            assert health(server)["backend"]["ninaConnected"], "nobody could write that it ended"
            last_heard(data_dir, ago_s=HEARD_FOR.total_seconds() - 5)
            wait_until(lambda: health(server)["status"] == "degraded", within_s=HEARD_FOR.total_seconds())
            told = health(server)
            assert told["backend"]["ninaConnected"] is False
            assert told["connection"]["error"] == "the listener of this server gives no sign of life"
            while (state := next_state(panel))["connectionStatus"] == "connected":
                continue
            assert state["wsStatus"]["isConnected"] is False


def next_state(panel) -> dict:
    while (message := json.loads(panel.recv(timeout=20)))["type"] != "unifiedSession":
        continue
    return message["data"]


def last_rebuild(server: Server) -> str:
    return health(server)["connection"]["lastRebuild"]


def next_event(panel) -> str:
    """The type of the next event of NINA on the panel."""
    while (message := json.loads(panel.recv(timeout=20)))["type"] != "nina-event":
        continue
    return message["data"]["Type"]


def holder_on_postgresql(url: str) -> int:
    with psycopg.connect(url) as database:
        (holder,) = database.execute(
            "SELECT holder FROM sessions_app_lease WHERE name LIKE 'rig:%'"
        ).fetchone()
    return int(holder.split(":")[1])


def what_differs(server: Server, nina) -> dict:
    """{type: more stored than in NINA's history} after a refresh."""
    server.http.post("/api/nina/session-state/refresh").raise_for_status()
    told = Counter(event["type"] for event in stored(server) if not event["is_repeat"])
    happened = Counter(event.type for event in read_history(nina.nina.history, [], ZONE).events)
    del told["IMAGE-PREPARED"]  # in no history: lost while nobody listens
    return {name: told[name] - happened[name] for name in told | happened if told[name] != happened[name]}
