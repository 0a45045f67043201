"""Redis and PostgreSQL end and come back under load: nothing acknowledged is lost, live pages heal in 3 s."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import psycopg
import pytest

from benchmarks.lib.databases import cluster_url, fresh_database
from tests.faults.pages import ADDRESS, Cameras, Page, SocketPage, StreamPage, seconds_until
from tests.pictures import picture
from tests.services import own_postgresql, own_redis
from tests.site.processes import Server, running

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once, pytest.mark.alone]

HEAL_WITHIN_S = 3.0
WORK_WITHIN_S = 20.0  # of a busy machine
PICTURES_BEFORE = 30


def open_session(server: Server) -> str:
    """cam-1 runs; returns the key of its session."""
    server.http.headers["Authorization"] = f"Bearer {server.token()}"
    made = server.http.post("/api/v1/monitors/", json={"slug": "cam-1", "name": "1"})
    assert made.status_code == 201, made.text
    return server.http.post("/api/v1/monitors/cam-1/start/").json()["key"]


@contextlib.contextmanager
def opened(pages: list[Page]) -> Iterator[list[Page]]:
    for page in pages:
        page.start()
    try:
        yield pages
    finally:
        for page in pages:
            page.stopping.set()
        for page in pages:
            page.join(10)


def layer_of(server: Server) -> str:
    return server.http.get("/readyz").json()["checks"]["layer"]


def healed_s(server: Server, pages: list[Page]) -> float:
    """How long it takes from now until a picture that is posted now is on every page."""
    answer = server.http.post(ADDRESS, content=picture(77), headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 201, answer.text
    total = server.http.get("/api/v1/monitors/cam-1/state/").json()["total_counter"]
    return seconds_until(
        lambda: all(page.total >= total for page in pages),
        HEAL_WITHIN_S,
        f"{total} on {[(page.name, page.total) for page in pages]}",
    )


def test_redis_ends_and_comes_back(tmp_path):
    data = tmp_path / "data"
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(own_redis(tmp_path))
        more = {"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0", "HANDLER_THREADS": "4"}
        server = stack.enter_context(running(Server, data_dir=data, **more))
        session = open_session(server)
        other = stack.enter_context(running(Server, data_dir=data, **more))
        other.http.headers["Authorization"] = server.http.headers["Authorization"]
        pages = [kind(each, session) for each in (server, other) for kind in (SocketPage, StreamPage)]
        stack.enter_context(opened(pages))
        with Cameras(server) as cameras:
            seconds_until(lambda: len(cameras.acknowledged) > PICTURES_BEFORE, WORK_WITHIN_S, "pictures")
            redis.kill()
            without_s = healed_s(server, pages)  # by this process itself, and by the look of each second
            assert layer_of(server) == layer_of(other) == "degraded"
            assert server.http.get("/readyz").status_code == 200
            assert "Redis does not answer" in server.http.get("/api/v1/health/").json()["layer"]["reason"]
            redis.start()
            again_s = healed_s(server, pages)
            seconds_until(lambda: layer_of(server) == layer_of(other) == "ok", HEAL_WITHIN_S, "the layer")
        print(f" without Redis {without_s:.2f} s, with it again {again_s:.2f} s", end="")  # noqa: T201
        assert not cameras.problems, cameras.problems[:3]
        assert cameras.statuses.keys() == {201}
        state = server.http.get(f"/api/v1/sessions/{session}/").json()
        assert state["total_counter"] == len(cameras.acknowledged) + 2
        seconds_until(
            lambda: all(page.last_seq >= state["last_seq"] for page in pages), HEAL_WITHIN_S, "the last event"
        )
        for page in pages:
            page.check(state["last_seq"])
            assert page.connections == 1, "Redis is no reason to lose a page"


def test_postgresql_ends_and_comes_back(tmp_path):
    data = tmp_path / "data"
    with contextlib.ExitStack() as stack:
        postgresql = stack.enter_context(own_postgresql())
        url = stack.enter_context(fresh_database(cluster_url(postgresql)))
        server = stack.enter_context(running(Server, data_dir=data, DATABASE_URL=url))
        session = open_session(server)
        pages = [SocketPage(server, session), StreamPage(server, session)]
        stack.enter_context(opened(pages))
        with Cameras(server) as cameras:
            seconds_until(lambda: len(cameras.acknowledged) > PICTURES_BEFORE, WORK_WITHIN_S, "pictures")
            # At once, as a crash would: its next start recovers.
            postgresql.process.send_signal(signal.SIGQUIT)
            postgresql.process.wait(10)
            seconds_until(lambda: cameras.statuses[503] >= cameras.clients, WORK_WITHIN_S, "refusals")
            assert server.http.get("/readyz").status_code == 503
            assert server.http.get("/healthz").status_code == 200
            postgresql.start()
            before = len(cameras.acknowledged)
            accepted_s = seconds_until(
                lambda: len(cameras.acknowledged) > before, HEAL_WITHIN_S, "a picture after the restart"
            )
            again_s = healed_s(server, pages)
            assert accepted_s + again_s < HEAL_WITHIN_S
        print(f" pictures after {accepted_s:.2f} s, pages {again_s:.2f} s later", end="")  # noqa: T201
        assert not cameras.problems, cameras.problems[:3]
        assert cameras.statuses.keys() == {201, 503}
        state = server.http.get(f"/api/v1/sessions/{session}/").json()
        seconds_until(
            lambda: all(page.last_seq >= state["last_seq"] for page in pages), HEAL_WITHIN_S, "the last event"
        )
        for page in pages:
            page.check(state["last_seq"])
        assert server.stop()[0] == 0, server.output
        # What was undecided while nobody could ask the database is decided at the next start.
        with running(Server, data_dir=data, DATABASE_URL=url):
            check_rows_and_files(url, data, cameras.acknowledged)


def check_rows_and_files(url: str, data, acknowledged: set[str]) -> None:
    with psycopg.connect(url) as database:
        rows = database.execute("SELECT key, file_path, thumbnail_path FROM monitoring_image").fetchall()
        [counted] = database.execute("SELECT sum(total_counter) FROM sessions_app_session").fetchone()
    assert acknowledged <= {key for key, _, _ in rows}
    assert counted == len(rows)
    media = data / "media"
    kept = {str(path.relative_to(media)) for path in media.rglob("im_*") if path.is_file()}
    assert kept == {path for _, *paths in rows for path in paths}
