"""No error leaves in a foreign shape: not from Django, not from the REST framework, not from a bug."""

import pytest

from monitoring import services
from sessionsite.common.dialects import refusal
from sessionsite.common.errors import TooLarge

from .conftest import DENIED

BASE = "/monitor/camera-production-line-1"
POSTS = [f"{BASE}/image", "/monitor/updateTags", f"{BASE}/controller", "/dataset/dataset-abc123/downloadZip"]


def is_failure(body: dict) -> bool:
    """In one of the four shapes."""
    if "data" in body:
        return body["data"]["error"] is True and isinstance(body["data"]["result"], str)
    if "result" in body:
        return body["result"] == {"error": True} and isinstance(body["status"], str)
    return bool(body["error"]) and isinstance(body.get("details") or body["status"], str)


@pytest.mark.parametrize(
    "path",
    ["/monitor", "/monitor/", "/monitor/x", f"{BASE}/unknown", f"{BASE}/start/x", f"{BASE}//start",
     "/monitor/a%0Ab/start", "/monitor/%00/start", "/monitor/%ff/image/"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_there_below_monitor_has_the_one_text(path, method, monitor, wire):
    answer = wire.send(method, path)
    assert answer.status_code in (404, 405)
    assert answer.status_code == 405 or answer.json() == DENIED


@pytest.mark.parametrize(
    "path", ["/image", "/image/x", "/image/delete", "/image/detect", "/dataset", "/dataset/", "/dataset/x/y"]
)
def test_what_is_not_there_below_the_other_prefixes_is_json(path, monitor, wire):
    answer = wire.get(path)
    assert answer.status_code == 404
    assert is_failure(answer.json())


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "GET"])
@pytest.mark.parametrize("path", POSTS)
def test_a_method_that_is_not_taken_is_405_in_the_address_own_shape(method, path, monitor, wire):
    answer = wire.send(method, path)
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"
    assert is_failure(answer.json())


@pytest.mark.parametrize("path", POSTS)
def test_a_body_of_unknown_length_is_411(path, monitor, dataset, wire):
    answer = wire.post(path, **{"Transfer-Encoding": "chunked"})
    assert answer.status_code == 411
    assert is_failure(answer.json())


@pytest.mark.parametrize("path", POSTS)
def test_a_body_over_the_limit_is_413(path, monitor, dataset, wire, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = wire.post(path, b" " * 1001)
    assert answer.status_code == 413
    assert is_failure(answer.json())


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"[" * 5000, b"\xff\xfe", b'{"a":1e999}']
)
def test_a_body_that_is_no_json_object_is_400(path, body, monitor, dataset, wire):
    answer = wire.post(path, body)
    assert answer.status_code == 400
    assert is_failure(answer.json())


@pytest.mark.parametrize("path", POSTS)
def test_a_multipart_form_of_a_cookie_is_refused_in_shape(path, monitor, dataset, cookie_client):
    answer = cookie_client.post(path, {"csrfmiddlewaretoken": "x" * 64})
    assert answer.status_code == 403
    assert is_failure(answer.json())


@pytest.mark.parametrize("accept", ["text/html", "image/png", "nonsense"])
def test_json_is_sent_whatever_is_accepted(accept, monitor, wire):
    assert wire.get(f"{BASE}/state?format=html", Accept=accept)["Content-Type"] == "application/json"


def test_a_bug_is_500_in_the_envelope_and_in_the_log(monitor, wire, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr(services, "start_monitor", fail)
    answer = wire.get(f"{BASE}/start")
    assert answer.status_code == 500
    assert answer.json() == {"data": {"result": "Error: internal error", "error": True}}
    assert "a bug" in caplog.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/monitor/updateTags", {"error": "Failed to update tags", "details": "over"}),
        (f"{BASE}/image", {"data": {"error": True, "result": "Error: over"}}),
        ("/dataset/d/downloadZip", {"error": True, "status": "over"}),
        ("/image/delete/image/x", {"error": True, "status": "over"}),
    ],
)
def test_refusals_from_before_any_view_have_the_shape_of_the_address(path, body):
    found = refusal(path, TooLarge("over"))
    assert (found.status, found.body) == (413, body)
