"""Probes, the health report and metrics: what they say when all is well and when something is gone."""

import pytest
from django.db import DatabaseError, OperationalError

from monitoring.services import create_monitor, start_monitor
from sessions_app.models import Lease
from sessionsite import background, health
from sessionsite.accounts.models import Organisation
from sessionsite.common import native
from tests.services import need

pytestmark = pytest.mark.django_db

FULL = {"free_bytes": 1, "total_bytes": 100, "reserve_bytes": 50, "days_left": 0.0, "status": "full"}


@pytest.fixture
def no_redis(settings):
    settings.REDIS_URL = ""


@pytest.fixture
def dead_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    health._redis.cache_clear()
    yield
    health._redis.cache_clear()


@pytest.fixture
def dead_database(monkeypatch):
    def refuse(*args, **kwargs):
        raise OperationalError("connection to server at 10.0.0.5 failed: secret detail")

    monkeypatch.setattr(Organisation.objects, "exists", refuse, raising=False)
    monkeypatch.setattr(health, "disk_state", refuse)
    monkeypatch.setattr(health, "_leases", refuse)


def test_healthz_needs_nothing(client, django_db_blocker):
    with django_db_blocker.block():
        answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert "no-store" in answer["Cache-Control"]


def test_readyz_names_each_check(client, no_redis):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"database": "ok", "layer": "ok", "disk": "ok"}}


def test_readyz_is_503_without_a_database(client, no_redis, dead_database):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "failing"
    assert "10.0.0.5" not in answer.content.decode()


def test_readyz_is_503_when_the_data_folder_is_read_only(client, no_redis, monkeypatch):
    monkeypatch.setattr(health.os, "access", lambda *args: False)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["disk"] == "failing"


def test_without_redis_the_server_is_degraded_and_works(client, dead_redis):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "degraded",
        "checks": {"database": "ok", "layer": "degraded", "disk": "ok"},
    }


def test_a_full_disk_is_degraded_and_says_what_still_works(client, no_redis, monkeypatch):
    monkeypatch.setattr(health, "disk_state", lambda: dict(FULL))
    assert client.get("/readyz").status_code == 200
    disk = health.health_report()["disk"]
    assert (disk["status"], disk["room"], disk["free_bytes"]) == ("degraded", "full", 1)
    assert "uploads are refused" in disk["reason"]


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_probes_refuse_to_be_written_to(client, address):
    assert client.post(address).status_code == 405


def test_the_report_knows_disk_readers_version_and_loops(no_redis):
    report = health.health_report()
    assert report["disk"]["total_bytes"] > report["disk"]["free_bytes"] > 0
    assert {"readers", "topics"} <= set(report["live"])
    assert report["version"]
    assert report["database"]["vendor"] in ("sqlite", "postgresql")


def test_the_report_says_which_helpers_are_used(no_redis, settings):
    need("the helpers in C", native.is_used("files") and native.is_used("jpeg"))
    assert health.health_report()["native"] == {"status": "ok", "files": True, "jpeg": True}
    settings.NATIVE = False
    assert health.health_report()["native"] == {"status": "ok", "files": False, "jpeg": False}


def test_loops_that_nobody_runs_are_noticed(no_redis):
    assert health.health_report()["loops"]["status"] == "degraded"
    Lease.objects.create(name="loop:x", holder="worker:1", expires_at="2100-01-01T00:00:00Z")
    loops = health.health_report()["loops"]
    assert loops["status"] == "ok"
    assert loops["leases"] == [
        {
            "name": "x",
            "holder": "worker:1",
            "expires_at": "2100-01-01T00:00:00.000Z",
            "is_held": True,
        }
    ]


def test_a_failing_loop_is_named(no_redis, monkeypatch):
    failed = background.LoopReport("tick", 1.0, leased=True, failures=1, last_error="ValueError: x")
    monkeypatch.setattr(background, "loop_reports", lambda: [failed])
    loops = health.health_report()["loops"]
    assert loops["status"] == "degraded"
    assert "tick" in loops["reason"]


def test_the_report_survives_a_dead_database(no_redis, dead_database):
    report = health.health_report()
    assert report["status"] == "failing"
    with pytest.raises(DatabaseError):
        health._leases()


# -- metrics -------------------------------------------------------------------------------------------------


def test_metrics_count_what_is_there(client):
    organisation = Organisation.objects.create(slug="o", name="O")
    start_monitor(create_monitor(organisation, slug="cam-1", by="test"), by="test")
    text = client.get("/metrics").content.decode()
    assert 'sessionsite_sessions{state="active"} 1.0' in text
    assert "sessionsite_disk_free_bytes " in text
    assert "sessionsite_live_readers " in text
    assert "process_resident_memory_bytes " in text


def test_metrics_are_not_for_other_machines(client):
    answer = client.get("/metrics", REMOTE_ADDR="192.0.2.7")
    assert answer.status_code == 403
    assert answer.json()["code"] == "metrics_refused"


def test_a_request_that_a_proxy_passed_on_is_not_local(client, settings):
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 403
    settings.TRUST_PROXY = True
    assert client.get("/metrics").status_code == 403


@pytest.mark.parametrize("given, status", [("right-token", 200), ("wrong-token", 403), ("", 403)])
def test_the_metrics_token_opens_metrics_from_anywhere(client, settings, given, status):
    settings.METRICS_TOKEN = "right-token"
    headers = {"Authorization": f"Bearer {given}"}
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7", headers=headers).status_code == status


async def test_requests_are_counted_by_kind_and_status():
    from sessionsite.metrics import REQUESTS, measured

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def drop(message):
        return None

    counter = REQUESTS.labels("POST", "ingest", 418)
    before = counter._value.get()
    await measured(application)({"type": "http", "method": "POST", "path": "/monitor/x/image"}, None, drop)
    assert counter._value.get() == before + 1
