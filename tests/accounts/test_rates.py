"""Rate limits: exact over threads and processes, per token, and said in the caller's own dialect."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.test import Client

from sessionsite.accounts import rates
from sessionsite.accounts.rates.gathered import Gathered
from sessionsite.accounts.rates.stores import FileStore, RedisStore, RowStore, Taken, Wanted
from tests.site.settings_of import ROOT


def pytest_generate_tests(metafunc):
    if "store" in metafunc.fixturenames:
        metafunc.parametrize("store", ["file", "row", "redis"], indirect=True)


@pytest.fixture
def store(request, tmp_path, settings):
    """Each of the three, where its server is there."""
    if request.param == "file":
        found = FileStore(tmp_path / "rates.sqlite3")
    elif request.param == "row":
        if connection.vendor != "postgresql":
            pytest.skip("needs PostgreSQL")
        request.getfixturevalue("transactional_db")
        found = RowStore()
    else:
        if not settings.REDIS_URL:
            pytest.skip("needs Redis")
        found = RedisStore(settings.REDIS_URL, f"{settings.CHANNEL_PREFIX}-test")
    found.forget()
    yield found
    found.forget()


@pytest.fixture
def limited(settings, transactional_db):
    """Three requests in a minute, two exports, two uploads."""
    settings.RATE_LIMIT_PER_MIN = 3
    settings.RATE_LIMIT_EXPORTS_PER_MIN = settings.RATE_LIMIT_INGEST_PER_MIN = 2
    rates.forget()
    yield
    rates.forget()


def bearer(secret: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {secret}"})


# --- the counter ----------------------------------------------------------------------------------


def test_a_minute_holds_exactly_its_limit_however_many_ask_at_once(store):
    def ask(number: int) -> int:
        try:
            return store.take([Wanted("one", 1 + number % 3, 100)])[0].granted
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        granted = sum(threads.map(ask, range(200)))
    assert granted == 100


def test_what_does_not_fit_whole_is_granted_in_part_with_the_time_to_wait(store):
    assert store.take([Wanted("one", 4, 6)])[0].granted == 4
    second = store.take([Wanted("one", 4, 6)])[0]
    assert second.granted == 2
    third = store.take([Wanted("one", 1, 6)])[0]
    assert third.granted == 0 and 50 < third.wait_s <= 60


def test_several_names_are_answered_in_their_order(store):
    store.take([Wanted("b", 2, 2)])
    answers = store.take([Wanted("b", 1, 2), Wanted("a", 1, 2), Wanted("c", 3, 2)])
    assert [each.granted for each in answers] == [0, 1, 2]


def test_processes_share_one_file(tmp_path):
    path = tmp_path / "rates.sqlite3"
    code = (
        "import sys, pathlib; from sessionsite.accounts.rates.stores import FileStore, Wanted;"
        "store = FileStore(pathlib.Path(sys.argv[1]));"
        "print(sum(store.take([Wanted('one', 1, 500)])[0].granted for _ in range(400)))"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", f"import django; django.setup(); {code}", str(path)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "sessionsite.settings"},
        )
        for _ in range(3)
    ]  # fmt: skip
    assert sum(int(child.communicate(timeout=60)[0]) for child in children) == 500


def test_the_next_minute_begins_anew(tmp_path, time_machine):
    store = FileStore(tmp_path / "rates.sqlite3")
    time_machine.move_to("2026-01-01T12:00:00Z", tick=False)
    assert store.take([Wanted("one", 9, 5)])[0].granted == 5
    time_machine.shift(59.9)
    assert store.take([Wanted("one", 1, 5)])[0].granted == 0
    time_machine.shift(0.2)
    assert store.take([Wanted("one", 1, 5)])[0].granted == 1


def test_a_clock_that_was_put_back_keeps_nobody_out(tmp_path, time_machine):
    store = FileStore(tmp_path / "rates.sqlite3")
    time_machine.move_to("2026-01-01T12:00:00Z", tick=False)
    store.take([Wanted("one", 5, 5)])
    time_machine.move_to("2026-01-01T11:00:00Z", tick=False)
    assert store.take([Wanted("one", 1, 5)])[0].granted == 1


def test_a_file_that_a_power_cut_broke_is_begun_anew(tmp_path):
    path = tmp_path / "rates.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    store = FileStore(path)
    assert [store.take([Wanted("one", 1, 2)])[0].granted for _ in range(3)] == [1, 1, 0]


def test_a_file_that_stays_locked_refuses_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr("sessionsite.accounts.rates.stores.ANSWER_WITHIN_S", 0.01)
    path = tmp_path / "rates.sqlite3"
    store = FileStore(path)
    store.take([Wanted("one", 1, 1)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store._let_go(is_broken=False)
    assert store.take([Wanted("one", 1, 1)])[0].granted == 1
    other.close()


def test_while_redis_is_away_nobody_is_refused():
    store = RedisStore("redis://127.0.0.1:1/0", "test")
    assert [store.take([Wanted("one", 1, 1)])[0].granted for _ in range(3)] == [1, 1, 1]


class Counter:
    """A store that grants, and notes what it is asked; a slow one waits for `may_answer`."""

    def __init__(self, *, is_quick: bool) -> None:
        self.is_quick = is_quick
        self.asked: list[list[tuple[str, int]]] = []
        self.may_answer = threading.Event()

    def take(self, wanted):
        self.asked.append([(each.name, each.count) for each in wanted])
        assert self.is_quick or self.may_answer.wait(30)
        return [Taken(min(each.count, each.limit), 9.0) for each in wanted]


@pytest.mark.django_db(transaction=True)
async def test_those_who_come_while_a_slow_counter_is_asked_share_the_next_question():
    counter = Counter(is_quick=False)
    gathered = Gathered(lambda: counter)
    first = asyncio.create_task(gathered.take("a", 5))
    while not counter.asked:
        assert not first.done()
        await asyncio.sleep(0)
    others = [asyncio.create_task(gathered.take("a", 5)) for _ in range(7)]
    others.append(asyncio.create_task(gathered.take("b", 5)))
    await asyncio.sleep(0)
    counter.may_answer.set()
    assert (await first).granted == 1
    assert [taken.granted for taken in await asyncio.gather(*others)] == [1] * 5 + [0, 0] + [1]
    assert counter.asked == [[("a", 1)], [("a", 7), ("b", 1)]]


async def test_those_who_come_in_one_turn_of_the_loop_share_a_question_to_a_quick_counter():
    counter = Counter(is_quick=True)
    gathered = Gathered(lambda: counter)
    taken = await asyncio.gather(*[gathered.take("a", 5) for _ in range(7)], gathered.take("b", 5))
    assert [each.granted for each in taken] == [1] * 5 + [0, 0] + [1]
    assert (await gathered.take("a", 5)).granted == 1
    assert counter.asked == [[("a", 7), ("b", 1)], [("a", 1)]]


async def test_an_asker_that_is_gone_leaves_the_others_their_answer():
    counter = Counter(is_quick=True)
    gathered = Gathered(lambda: counter)
    gone, stays = (asyncio.create_task(gathered.take("a", 5)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).granted == 1
    assert gone.cancelled() and counter.asked == [[("a", 2)]]


async def test_a_counter_that_breaks_is_an_error_of_each_who_asked_and_of_nobody_after():
    class Broken(Counter):
        def take(self, wanted):
            super().take(wanted)
            if len(self.asked) == 1:
                raise OSError("broken")
            return [Taken(each.count) for each in wanted]

    counter = Broken(is_quick=True)
    gathered = Gathered(lambda: counter)
    found = await asyncio.gather(*[gathered.take("a", 5) for _ in range(2)], return_exceptions=True)
    assert [type(each) for each in found] == [OSError, OSError]
    assert (await gathered.take("a", 5)).granted == 1


# --- the requests ---------------------------------------------------------------------------------


def test_one_request_too_many_is_429_with_the_limit_and_the_wait(limited, token, viewer_token, monitor):
    line, display = bearer(token), bearer(viewer_token)
    assert [line.get("/api/v1/monitors/").status_code for _ in range(3)] == [200] * 3
    refused = line.get("/api/v1/monitors/")
    assert refused.status_code == 429
    body = refused.json()
    assert body["code"] == "rate_limited" and "3 requests in a minute" in body["error"]
    assert body["details"]["limit"] == "ordinary" and body["details"]["limit_per_min"] == 3
    assert 0 < int(refused["Retry-After"]) <= 60
    assert display.get("/api/v1/monitors/").status_code == 200


def test_what_is_refused_for_want_of_a_right_counts_as_well(limited, viewer_token, monitor):
    display = bearer(viewer_token)
    statuses = [display.post("/api/v1/monitors/cam-1/start/").status_code for _ in range(4)]
    assert statuses == [403, 403, 403, 429]


def test_uploads_have_a_limit_of_their_own(limited, token, session, jpeg):
    line = bearer(token)
    route = "/api/v1/monitors/cam-1/images/"
    answers = [line.post(route, jpeg, content_type="image/jpeg") for _ in range(3)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert line.get("/api/v1/monitors/").status_code == 200


def test_the_rosepetal_wire_says_it_in_its_envelope(limited, token, monitor):
    line = bearer(token)
    answers = [line.get("/monitor/cam-1/state") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    data = answers[-1].json()["data"]
    assert data["error"] is True and "The limit is 3 requests in a minute" in data["result"]
    assert int(answers[-1]["Retry-After"]) > 0


def test_the_linnet_wire_says_it_as_a_detail(limited, token, organisation):
    phone = bearer(token)
    answers = [phone.get("/session/se_unknown") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    assert "The limit is 3 requests in a minute" in answers[-1].json()["detail"]
    assert int(answers[-1]["Retry-After"]) > 0


def test_the_rig_s_routes_say_it_too(limited, token, organisation):
    panel = bearer(token)
    answers = [panel.get("/api/nina/session-state") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_people_at_pages_are_counted_for_exports_alone(limited, operator, monitor):
    from sessionsite.accounts.callers import caller_of_user
    from sessionsite.common.errors import RateLimited

    caller = caller_of_user(operator)
    for _ in range(5):
        rates.admit(caller)
    for _ in range(2):
        rates.admit(caller, "exports")
    with pytest.raises(RateLimited, match="2 exports in a minute"):
        rates.admit(caller, "exports")


@pytest.fixture
async def site(limited, settings):
    from sessionsite.common import hub
    from sessionsite.lanes import Site

    settings.ALLOWED_HOSTS = ["testserver"]
    yield Site()
    await hub.shutdown()


async def ask(site, method: str, path: str, secret: str, body: bytes = b"") -> tuple[int, dict, bytes]:
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "client": ("127.0.0.1", 1),
        "headers": [
            (b"host", b"testserver"), (b"authorization", f"Bearer {secret}".encode()),
            (b"content-type", b"image/jpeg"), (b"content-length", str(len(body)).encode()),
        ],
    }  # fmt: skip
    wire = ApplicationCommunicator(site, scope)
    await wire.send_input({"type": "http.request", "body": body})
    start = await wire.receive_output(10)
    first = await wire.receive_output(10)
    await wire.send_input({"type": "http.disconnect"})
    await wire.wait(10)
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, first.get("body", b"")


@pytest.mark.parametrize("path", ["/api/v1/monitors/cam-1/state/", "/monitor/cam-1/state"])
async def test_the_lane_of_states_counts_as_the_views_do(site, token, monitor, path):
    answers = [await ask(site, "GET", path, token) for _ in range(4)]
    assert [status for status, *_ in answers] == [200, 200, 200, 429]
    assert int(answers[-1][1]["retry-after"]) > 0
    assert b"The limit is 3 requests in a minute" in answers[-1][2]


@pytest.mark.parametrize("path", ["/api/v1/monitors/cam-1/images/", "/monitor/cam-1/image"])
async def test_the_lane_of_pictures_counts_uploads(site, token, session, jpeg, path):
    answers = [await ask(site, "POST", path, token, jpeg) for _ in range(3)]
    assert [status == 429 for status, *_ in answers] == [False, False, True]
    assert b"The limit is 2 uploads in a minute" in answers[-1][2]
    assert int(answers[-1][1]["retry-after"]) > 0


async def test_opening_a_stream_is_a_request(site, token, monitor):
    statuses = [(await ask(site, "GET", "/stream/monitor:nowhere", token))[0] for _ in range(4)]
    assert statuses == [404, 404, 404, 429]
