"""Annotation sessions over the native REST interface."""

from __future__ import annotations

import pytest

from sessions_app import presence


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


def test_it_tells_how_many_look_and_since_when_nobody_does(as_operator):
    key = as_operator.post("/api/v1/sessions/", {"kind": "annotation"}).json()["key"]
    seen = []
    for holder, count in [("one", 2), ("two", 1), ("one", 0), ("two", 0)]:
        presence.hold(key, holder, count)
        body = as_operator.get(f"/api/v1/sessions/{key}/").json()
        seen.append((body["subscriber_count"], body["last_subscriber_left_at"] is not None))
    assert seen == [(2, False), (3, False), (1, False), (0, True)]
    listed = as_operator.get("/api/v1/sessions/?kind=annotation").json()["results"]
    assert [session["last_subscriber_left_at"] for session in listed] == [body["last_subscriber_left_at"]]


def test_it_is_ended_like_any_other(as_operator):
    key = as_operator.post("/api/v1/sessions/", {"kind": "annotation"}).json()["key"]
    answer = as_operator.post(f"/api/v1/sessions/{key}/end/", {})
    assert answer.json()["state"] == "completed"
    assert as_operator.get(f"/api/v1/sessions/{key}/").json()["state"] == "completed"
