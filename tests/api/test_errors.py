"""Whatever goes wrong, REST answers JSON of one shape; no page, no traceback, no 5xx for bad input."""

import pytest
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.test import APIClient

from sessionsite.common.api.errors import exception_handler
from sessionsite.common.errors import Busy, PreconditionRequired

MONITORS = "/api/v1/monitors/"


def post(client, body: bytes, url: str = MONITORS, content_type: str = "application/json"):
    return client.generic("POST", url, body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"NaN",
        b'{"slug": NaN}',
        b'{"slug": Infinity}',
        b'{"a": 1e999}',
        b'"\\ud800"',
        b'{"a": "\\udc00"}',
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b"[" * 3000 + b"]" * 3000,
        b"{'a': 1}",
        b"01",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_json_is_400(as_admin, organisation, body, refused):
    refused(post(as_admin, body), 400, "parse_error")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"slug": "a\\u0000b"}', "bad_text"),
        (b'{"a\\u0000": 1}', "bad_text"),
        (b'{"quota_bytes": 9223372036854775808}', "bad_number"),
        (b'{"quota_bytes": 123456789012345678901234567890}', "bad_number"),
        (b'{"quota_bytes": -9223372036854775809}', "bad_number"),
        (b"[" * 40 + b"]" * 40, "too_deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "too_deep"),
    ],
)
def test_json_that_no_database_could_hold_is_400(as_admin, organisation, body, code, refused):
    refused(post(as_admin, body), 400, code)


def test_thirty_two_levels_are_not_too_deep(as_admin, organisation, refused):
    refused(post(as_admin, b"[" * 32 + b"]" * 32), 400, "invalid")


def test_json_over_a_mebibyte_is_413(as_admin, organisation, refused):
    details = refused(post(as_admin, b'"' + b"x" * 1024 * 1024 + b'"'), 413, "body_too_large")
    assert details["limit_bytes"] == 1024 * 1024


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null", b"true"])
def test_json_that_is_no_object_is_400(as_admin, organisation, body, refused):
    refused(post(as_admin, body), 400, "invalid")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_another_content_type_is_415(as_admin, organisation, content_type, refused):
    refused(post(as_admin, b"slug=x", content_type=content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(("method", "url"), [("PUT", MONITORS), ("DELETE", MONITORS), ("OPTIONS", MONITORS),
                                             ("TRACE", MONITORS), ("BREW", MONITORS),
                                             ("GET", f"{MONITORS}cam-1/start/")])  # fmt: skip
def test_another_method_is_405_and_says_which_are_allowed(as_admin, monitor, method, url, refused):
    answer = as_admin.generic(method, url)
    refused(answer, 405, "method_not_allowed")
    assert answer["Allow"]


def test_a_client_that_accepts_no_json_is_told_in_json(as_admin, organisation, refused):
    refused(as_admin.get(MONITORS, headers={"Accept": "text/html"}), 406, "not_acceptable")


@pytest.mark.parametrize(
    "url",
    [
        "/api/",
        "/api/v1/",
        "/api/v1/nothing/",
        "/api/v1/monitors",
        "/api/v1/monitors/UPPER/",
        "/api/v1/images/im_1/",
        "/api/v1/monitors/a%00b/",
        "/api/v1/monitors/%F0%9F%98%80/",
        "/api/v1/monitors//",
        "/api/v2/monitors/",
        "/api/v1/monitors/cam-1/nothing/",
        "/api/v1/monitors/a%0Ab/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_does_not_exist_is_404_without_a_redirect(organisation, url, method, refused):
    anybody = APIClient(enforce_csrf_checks=True)
    refused(anybody.generic(method, url), 404, "not_found")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.0", "", "1e2", "٣", "9" * 30])
def test_a_limit_that_cannot_be_meant_is_400(as_viewer, organisation, limit, refused):
    refused(as_viewer.get(MONITORS, {"limit": limit}), 400, "bad_limit")


@pytest.mark.parametrize(
    "cursor",
    ["x", "!!!", "W10", "WyJhZnRlciIsMV0", "x" * 601, "bnVsbA", "WyJhZnRlciIsbnVsbCxudWxsXQ", "é",
     "WyJhZnRlciIse30sMV0", "WyJhZnRlciIsImEiLDkyMjMzNzIwMzY4NTQ3NzU4MDhd", "WyJhZnRlciIsImFcdTAwMDAiLDFd"],
)  # fmt: skip
def test_a_cursor_that_we_did_not_write_is_400(as_viewer, organisation, cursor, refused):
    refused(as_viewer.get(MONITORS, {"cursor": cursor}), 400, "bad_cursor")


@pytest.mark.parametrize(
    "position",
    [
        ["x", 1],
        ["2026-01-01T00:00:00", 1],
        [5, 1],
        ["2026-01-01T00:00:00Z", "x"],
        ["2026-01-01T00:00:00Z", True],
        ["9999-12-31T23:59:59-23:00", 1],
    ],
)
def test_a_cursor_with_values_of_another_kind_is_400(as_viewer, organisation, position, refused):
    from sessionsite.common.api.pagination import encode_cursor

    refused(
        as_viewer.get("/api/v1/sessions/", {"cursor": encode_cursor("after", position)}), 400, "bad_cursor"
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (IntegrityError("UNIQUE"), 409, "conflict"),
        (DataError("out of range"), 400, "invalid"),
        (OperationalError("server closed"), 503, "busy"),
        (Http404("x"), 404, "not_found"),
        (exceptions.Throttled(wait=3.2), 429, "too_many_requests"),
        (exceptions.NotFound(), 404, "not_found"),
        (Busy("later", retry_after_s=7), 503, "busy"),
        (PreconditionRequired("which?"), 428, "precondition_required"),
    ],
)
def test_errors_from_below_have_a_status_of_their_own(error, status, code):
    answer = exception_handler(error, {})
    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert set(answer.data) == {"error", "code", "details"}


def test_whoever_shall_come_again_is_told_when():
    assert exception_handler(exceptions.Throttled(wait=3.2), {})["Retry-After"] == "4"
    assert exception_handler(Busy("later", retry_after_s=7), {})["Retry-After"] == "7"


def test_a_bug_stays_a_bug_but_is_json_below_api(as_admin, organisation, monkeypatch, refused):
    from monitoring.api.views import monitors

    assert exception_handler(RuntimeError("bug"), {}) is None
    monkeypatch.setattr(monitors, "monitor_state", lambda monitor: 1 / 0)
    from monitoring.services import create_monitor

    create_monitor(organisation, slug="cam-1", by="test")
    as_admin.raise_request_exception = False
    refused(as_admin.get("/api/v1/monitors/cam-1/state/"), 500, "server_error")


def test_a_wrong_host_is_json_below_api(as_admin, organisation, refused):
    refused(as_admin.get(MONITORS, headers={"Host": "evil.example"}), 400, "invalid")
