"""What clients read: the live state, ended sessions, and the controller's mailbox."""

import base64
import io
import time

import pytest
import time_machine
from PIL import Image as Pillow

from monitoring.api.rosepetal.monitors import session_document
from monitoring.services import change_monitor
from sessions_app.models import Session

from .conftest import DENIED, image_body, picture

BASE = "/monitor/camera-production-line-1"


def test_an_idle_monitor_that_never_ran(monitor, wire):
    state = wire.get(f"{BASE}/state").json()
    assert abs(state.pop("at") / 1000 - time.time()) < 60
    assert state == {
        "status": False,
        "session": "",
        "image": {"imageData": ""},
        "totalCounter": 0,
        "flow": {"current_flow_rate": 0.0, "total_processed": 0},
        "controller": {"action": {"status": False}},
    }


def test_a_running_monitor_with_its_last_picture(running, wire):
    for shade in range(3):
        wire.post(f"{BASE}/image", image_body(picture(shade, size=(640, 480))))
    state = wire.get(f"{BASE}/state/").json()
    assert (state["status"], state["session"]) == (True, Session.objects.get().key)
    assert state["totalCounter"] == 3
    assert state["flow"] == {"current_flow_rate": 3.0, "total_processed": 3}
    thumbnail = Pillow.open(io.BytesIO(base64.b64decode(state["image"]["imageData"], validate=True)))
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (300, 225))


def test_a_stopped_monitor_keeps_its_total_and_has_no_session(running, wire):
    wire.post(f"{BASE}/image", image_body())
    wire.get(f"{BASE}/stop")
    state = wire.get(f"{BASE}/state").json()
    assert (state["status"], state["session"], state["totalCounter"]) == (False, "", 1)
    assert state["flow"]["total_processed"] == 1


def test_a_start_begins_the_count_anew(running, wire):
    wire.post(f"{BASE}/image", image_body())
    wire.get(f"{BASE}/stop")
    wire.get(f"{BASE}/start")
    assert wire.get(f"{BASE}/state").json()["totalCounter"] == 0


def test_a_session_at_its_creation_is_as_published(running):
    document = session_document(Session.objects.get(), running)
    assert document["data"] == {
        "controller": {"action": {"status": True, "request": {"command": "start_capture", "params": {}}}},
        "totalCounter": 0,
    }
    assert (document["flow"], document["stop"], document["monitor"]) == ({}, None, f"monitor/{running.slug}")


def test_ended_sessions_come_newest_first_in_epoch_milliseconds(monitor, wire):
    with time_machine.travel("2026-03-01T08:00:00Z", tick=False) as clock:
        for number in range(3):
            wire.get(f"{BASE}/start?uid=user-{number}")
            wire.post(f"{BASE}/image", image_body(picture(number)))
            clock.shift(60)
            wire.get(f"{BASE}/stop")
            clock.shift(60)
    first, second = wire.get(f"{BASE}/sessions?limit=2").json()
    assert (first["uid"], second["uid"]) == ("user-2", "user-1")
    assert (first["start"], first["stop"]) == (1772352240000, 1772352300000)
    assert first["monitor"] == f"monitor/{monitor.slug}"
    assert first["data"]["totalCounter"] == first["flow"]["total_processed"] == 1
    assert len(wire.get(f"{BASE}/sessions").json()) == 3


def test_the_running_session_is_listed_on_request(running, wire):
    assert wire.get(f"{BASE}/sessions").json() == []
    [document] = wire.get(f"{BASE}/sessions?running=1").json()
    assert (document["id"], document["stop"]) == (Session.objects.get().key, None)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "1e2", "٣", "9" * 30])
def test_a_limit_that_is_none_is_refused(limit, monitor, wire):
    answer = wire.get(f"{BASE}/sessions?limit={limit}")
    assert answer.status_code == 400
    assert answer.json()["data"]["result"] == "Error: limit must be a whole number from 1 to 100"


def test_sessions_take_a_fixed_number_of_queries(monitor, wire, django_assert_max_num_queries):
    for _ in range(8):
        wire.get(f"{BASE}/start")
        wire.get(f"{BASE}/stop")
    with django_assert_max_num_queries(6):
        assert len(wire.get(f"{BASE}/sessions").json()) == 8


def test_a_controller_finds_the_request_and_clears_it(running, wire):
    action = wire.get(f"{BASE}/state").json()["controller"]["action"]
    assert (action["status"], action["request"]["command"]) == (True, "start_capture")
    answer = wire.post(f"{BASE}/controller", {"request_id": action["request"]["id"]})
    assert answer.json() == {"data": {"result": "Acknowledged", "error": False}}
    assert wire.get(f"{BASE}/state").json()["controller"]["action"]["status"] is False
    [document] = wire.get(f"{BASE}/sessions?running=1").json()
    assert document["data"]["controller"]["action"]["status"] is False


def test_an_acknowledgement_of_an_old_request_changes_nothing(running, wire):
    old = wire.get(f"{BASE}/state").json()["controller"]["action"]["request"]["id"]
    wire.get(f"{BASE}/stop")
    answer = wire.post(f"{BASE}/controller", {"request_id": old})
    assert answer.json() == {"data": {"result": "Error: not the pending request", "error": True}}
    action = wire.get(f"{BASE}/state").json()["controller"]["action"]
    assert (action["status"], action["request"]["command"]) == (True, "stop_capture")


@pytest.mark.parametrize("body", [{}, {"request_id": 5}, [], b"{"])
def test_a_junk_acknowledgement_is_refused(body, running, wire):
    assert wire.post(f"{BASE}/controller", body).status_code == 400


def test_stopping_resets_capture_for_training(running, wire):
    change_monitor(running, by="test", capture_for_training=True)
    wire.get(f"{BASE}/stop")
    running.refresh_from_db()
    assert running.capture_for_training is False


@pytest.mark.parametrize("page", ["state", "sessions"])
def test_readers_need_to_be_of_the_organisation(page, running, wire, wire_of, foreign_wire, cookie_client):
    assert wire_of("viewer").get(f"{BASE}/{page}").status_code == 200
    assert cookie_client.get(f"{BASE}/{page}").status_code == 200
    answer = foreign_wire.get(f"{BASE}/{page}")
    assert (answer.status_code, answer.json()) == (404, DENIED)
    wire.token = None
    assert wire.get(f"{BASE}/{page}").status_code == 401
