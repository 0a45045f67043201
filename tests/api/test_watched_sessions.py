"""Annotation sessions over the native REST interface."""

from __future__ import annotations

import pytest


def test_it_starts_with_the_time_of_the_setting(as_operator, settings):
    settings.SESSION_IDLE_TTL_S = 45
    answer = as_operator.post("/api/v1/sessions/", {"kind": "annotation", "name": "call 7"})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["kind"], body["state"], body["name"]) == ("annotation", "active", "call 7")
    assert (body["idle_ttl_s"], body["subscriber_count"], body["last_subscriber_left_at"]) == (45, 0, None)
    assert body["started_by"] == "operator"


@pytest.mark.parametrize("ttl_s", [3, None])
def test_its_time_can_be_chosen(as_operator, ttl_s):
    body = {"kind": "annotation", "idle_ttl_s": ttl_s}
    assert as_operator.post("/api/v1/sessions/", body).json()["idle_ttl_s"] == ttl_s


@pytest.mark.parametrize(
    "body",
    [{}, {"kind": "monitor"}, {"kind": "annotation", "idle_ttl_s": 0}, {"kind": "annotation", "ttl": 3}],
)
def test_other_bodies_are_refused(as_operator, refused, body):
    refused(as_operator.post("/api/v1/sessions/", body), 400, "invalid")


def test_a_viewer_may_not_start_one(as_viewer, refused):
    refused(as_viewer.post("/api/v1/sessions/", {"kind": "annotation"}), 403, "not_allowed")


def test_it_is_ended_like_any_other(as_operator):
    key = as_operator.post("/api/v1/sessions/", {"kind": "annotation"}).json()["key"]
    answer = as_operator.post(f"/api/v1/sessions/{key}/end/", {})
    assert answer.json()["state"] == "completed"
    assert as_operator.get(f"/api/v1/sessions/{key}/").json()["state"] == "completed"
