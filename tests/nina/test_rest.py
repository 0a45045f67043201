"""The outside system's REST routes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from monitoring.nina import store
from monitoring.nina.link import HEARD_FOR
from monitoring.nina.listener import SIGN_OF_LIFE_S
from monitoring.nina.models import Rig
from monitoring.nina.verbs import add_rig, change_rig
from sessionsite.common import clock
from sessionsite.common.clock import iso, parse_iso
from tests.nina.player import Player
from tests.nina.simulated import simulated_nina
from tests.nina.test_listener import BEGIN

STATE, REFRESH, HEALTH = "/api/nina/session-state", "/api/nina/session-state/refresh", "/api/config/health"


def bearer(token: str) -> dict:
    return {"headers": {"Authorization": f"Bearer {token}"}}


@pytest.fixture
def simulated(script):
    with simulated_nina(script, begins_at=BEGIN) as nina:
        yield nina


def test_the_state_is_the_object_of_the_socket(rig, script, client, viewer_token):
    Player(rig, script).rebuild()
    answer = client.get(STATE, **bearer(viewer_token))
    state = answer.json()
    assert answer.status_code == 200 and len(state) == 36
    assert state["session_id"] == "session_1763143210250" and state["isActive"] is True
    assert answer["Cache-Control"].startswith("max-age=0, no-cache")
    assert client.get("/api/nina/rig-1/session-state", **bearer(viewer_token)).json().keys() == state.keys()


def test_who_may_read(rig, client, viewer_token, foreign_token, viewer):
    assert client.get(STATE).status_code == 401
    assert client.get(STATE, **bearer("nonsense")).status_code == 401
    assert client.get(STATE, **bearer(foreign_token)).status_code == 404
    client.force_login(viewer)
    assert client.get(STATE).status_code == 200
    change_rig(rig, by="test", is_public=True)
    assert Client().get(STATE).status_code == 200
    assert Client().get(HEALTH).status_code == 200


def test_the_public_setting_opens_one_rig_for_reading_alone(organisation, rig, client, settings):
    add_rig(organisation, slug="rig-2", by="test")
    settings.NINA_PUBLIC = "rig-2"
    assert client.get(STATE).status_code == client.get(HEALTH).status_code == 200
    assert client.get(HEALTH).json()["rig"] == "rig-2"
    assert client.get("/api/nina/rig-1/session-state").status_code == 401
    assert client.post(REFRESH).status_code == 401


def test_two_private_rigs_have_to_be_named(organisation, rig, client, viewer_token):
    add_rig(organisation, slug="rig-2", by="test")
    assert client.get(STATE, **bearer(viewer_token)).status_code == 404
    assert client.get("/api/nina/rig-2/session-state", **bearer(viewer_token)).status_code == 200


def test_a_refresh_rebuilds_from_what_nina_holds(rig, client, token, simulated):
    change_rig(rig, by="test", url=simulated.url)
    answer = client.post(REFRESH, **bearer(token)).json()
    assert {name: answer[name] for name in ("Success", "Error", "StatusCode", "Type")} == {
        "Success": True,
        "Error": "",
        "StatusCode": 200,
        "Type": "API",
    }
    assert answer["Response"]["total_images"] == 36
    again = client.post(REFRESH, **bearer(token)).json()["Response"]
    assert again["total_images"] == 36
    rig.refresh_from_db()
    assert rig.last_seq == 280


def test_a_refresh_needs_the_right_to_control_also_on_a_public_rig(rig, client, viewer_token, operator):
    change_rig(rig, by="test", is_public=True, url="http://127.0.0.1:9")
    assert client.post(REFRESH).status_code == 401
    assert client.post(REFRESH, **bearer(viewer_token)).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(operator)
    assert strict.post(REFRESH).status_code == 403


def test_a_refresh_of_a_nina_that_is_away_says_so(rig, client, token):
    change_rig(rig, by="test", url="http://127.0.0.1:9")
    answer = client.post(REFRESH, **bearer(token))
    assert answer.status_code == 502 and answer.json()["code"] == "nina_unreachable"


def test_the_health_route_tells_true_values(rig, script, client, viewer_token):
    before = client.get(HEALTH, **bearer(viewer_token)).json()
    assert before["status"] == "degraded"
    assert before["backend"] == {
        "initialized": False,
        "ninaConnected": False,
        "eventCount": 0,
        "lastUpdate": None,
    }
    player = Player(rig, script)
    player.rebuild()
    player.play(97)
    heard_at = iso(clock.now())
    store.set_link(rig.pk, status="connected", heard_at=heard_at, last_refusal="not JSON")
    after = client.get(HEALTH, **bearer(viewer_token)).json()
    assert after["status"] == "healthy"
    assert after["backend"]["initialized"] and after["backend"]["ninaConnected"]
    assert after["backend"]["eventCount"] == 374
    assert after["backend"]["lastUpdate"] == "2025-11-15T04:50:53.600Z"
    assert after["ingest"] == {
        "received": 383,
        "accepted": 374,
        "duplicates": 6,
        "malformed": 2,
        "unknown_types": 2,
        "messages": 1,
        "lastRefusal": "not JSON",
    }


@pytest.fixture
def dead(rig, our_clock) -> Rig:
    """A rig whose listener died two minutes ago, while it was connected."""
    store.set_link(rig.pk, status="connected", error="", heard_at=iso(our_clock.moment))
    our_clock.move_to(our_clock.moment + timedelta(minutes=2))
    return change_rig(rig, by="test", is_public=True)


def test_a_rig_whose_listener_died_is_not_connected(dead, client):
    health = client.get(HEALTH).json()
    assert health["status"] == "degraded" and health["backend"]["ninaConnected"] is False
    told = {name: health["connection"][name] for name in ("status", "since", "error", "heardAgeSeconds")}
    assert told == {
        "status": "disconnected",
        "since": "2025-11-15T00:00:00.000Z",
        "error": "the listener of this server gives no sign of life",
        "heardAgeSeconds": 120.0,
    }
    state = client.get(STATE).json()
    assert state["connectionStatus"] == "disconnected" and state["wsStatus"]["isConnected"] is False
    followed = client.get("/api/v1/rigs/rig-1/state/").json()
    assert followed["link"]["status"] == "disconnected" and followed["link"]["heard_until"] is None
    assert followed["unified"]["connectionStatus"] == "disconnected"


def test_a_quiet_connection_stays_connected_from_one_sign_of_life_to_the_next(dead, client, our_clock):
    assert timedelta(seconds=2 * SIGN_OF_LIFE_S) <= HEARD_FOR  # one may be late
    store.set_link(dead.pk, heard_at=iso(our_clock.moment))
    until = client.get("/api/v1/rigs/rig-1/state/").json()["link"]["heard_until"]
    our_clock.move_to(parse_iso(until) - timedelta(milliseconds=1))
    assert client.get(HEALTH).json()["status"] == "healthy"
    our_clock.move_to(parse_iso(until))
    assert client.get(HEALTH).json()["status"] == "degraded"


def test_pages_of_configured_origins_may_read_and_others_may_not(rig, client, settings):
    change_rig(rig, by="test", is_public=True)
    settings.NINA_CORS_ORIGINS = ["http://localhost:5173"]
    allowed = client.get(STATE, headers={"Origin": "http://localhost:5173"})
    assert allowed["Access-Control-Allow-Origin"] == "http://localhost:5173"
    assert "Access-Control-Allow-Origin" not in client.get(STATE, headers={"Origin": "http://evil.test"})
    preflight = client.options(REFRESH, headers={"Origin": "http://localhost:5173"})
    assert preflight.status_code == 204
    assert "POST" in preflight["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(("method", "path"), [("get", REFRESH), ("post", STATE), ("delete", HEALTH)])
def test_another_method_is_refused_in_json(rig, client, token, method, path):
    answer = getattr(client, method)(path, **bearer(token))
    assert answer.status_code == 405 and answer.json()["code"] == "method_not_allowed"
