"""Start and stop: who may, by which method, and what stands in the record afterwards."""

import pytest

from monitoring.services import archive_monitor
from sessions_app.models import Session

from .conftest import DENIED

START, STOP = "/monitor/camera-production-line-1/start", "/monitor/camera-production-line-1/stop"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_both_methods_start_and_stop_with_and_without_a_slash(method, slash, monitor, wire):
    assert wire.send(method, START + slash).json() == {"data": {"result": "Started", "error": False}}
    assert wire.send(method, STOP + slash).json() == {"data": {"result": "Stopped", "error": False}}


@pytest.mark.parametrize("word", ["Bearer", "Token", "bearer"])
def test_both_words_before_the_token_are_taken(word, monitor, wire):
    answer = wire.get(START, Authorization=f"{word} {wire.token}")
    assert answer.json()["data"]["result"] == "Started"


def test_uid_stands_beside_the_caller_in_the_record(monitor, wire):
    wire.get(f"{START}?uid=user-7")
    session = Session.objects.get(monitor=monitor)
    assert (session.data["uid"], session.started_by) == ("user-7", "operator token")


def test_uid_may_come_in_the_body_of_a_post(monitor, wire):
    wire.post(START, {"uid": "user-8"})
    assert Session.objects.get(monitor=monitor).data["uid"] == "user-8"


@pytest.mark.parametrize("uid", ["x" * 201, "a%00b", "a%0Ab"])
def test_a_uid_that_cannot_be_stored_is_refused(uid, monitor, wire):
    answer = wire.get(f"{START}?uid={uid}")
    assert answer.status_code == 400
    assert answer.json()["data"]["error"] is True
    assert not Session.objects.exists()


@pytest.mark.parametrize("path", [START, STOP])
def test_a_login_cookie_cannot_change_anything_by_get(path, running, cookie_client):
    answer = cookie_client.get(path)
    assert (answer.status_code, answer.json()) == (401, DENIED)
    assert Session.objects.get().is_open


def test_a_login_cookie_starts_by_post_with_the_csrf_token_alone(monitor, operator, cookie_client):
    assert (cookie_client.post(START).status_code, Session.objects.count()) == (403, 0)
    cookie_client.cookies["csrftoken"] = secret = "s" * 32
    answer = cookie_client.post(START, headers={"X-CSRFToken": secret})
    assert answer.json() == {"data": {"result": "Started", "error": False}}
    assert Session.objects.get().started_by == "ann"


@pytest.mark.parametrize("path", [START, STOP])
def test_head_changes_nothing(path, running, wire):
    assert wire.send("HEAD", path).status_code == 405
    assert Session.objects.get().is_open


@pytest.mark.parametrize("path", [START, STOP])
@pytest.mark.parametrize(
    ("credential", "status"),
    [("none", 401), ("wrong", 401), ("viewer", 403), ("read only", 403), ("foreign", 404), ("unknown", 404)],
)
def test_every_refusal_has_the_one_text(credential, status, path, running, wire, wire_of, foreign_wire):
    client = wire
    if credential in ("none", "wrong"):
        client.token = None if credential == "none" else "wrong"
    elif credential == "viewer":
        client = wire_of("viewer")
    elif credential == "read only":
        client = wire_of("admin", scopes=["read"])
    elif credential == "foreign":
        client = foreign_wire
    else:
        path = path.replace("line-1", "line-2")
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (status, DENIED)
    assert ("WWW-Authenticate" in answer) is (status == 401)


def test_a_token_that_may_control_alone_starts(monitor, wire_of):
    assert wire_of("operator", scopes=["control"]).get(START).json()["data"]["result"] == "Started"


def test_an_archived_monitor_is_not_there(monitor, wire):
    archive_monitor(monitor, by="test")
    assert (wire.get(START).status_code, wire.get(START).json()) == (404, DENIED)
