"""The Linnet wire over HTTP: literal bodies, and the same rules as everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessions_app.models import Session
from sessions_app.services import add_frames, end_session, interrupt, open_session
from sessions_app.services.frames import Frame
from sessions_app.states import Kind
from tests.sessions_app.linnet.conftest import Wire, reap

EXCHANGES = json.loads((Path(__file__).parents[2] / "payloads" / "linnet" / "exchanges.json").read_text())
OVER = [("GET", ""), ("GET", "/history"), ("GET", "/export"), ("DELETE", "/end")]
FRAMES = [
    Frame("calm", 0.9, speaker_id="s1", affect="warm"),
    Frame("urgent", 0.6, speaker_id="s2", shift_magnitude=0.7, shift_direction="up"),
    Frame("quiet", 0.2),
]


def json_of(answer) -> dict:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer["Content-Type"] == "application/json"
    return json.loads(content)


def test_a_client_of_the_published_wire_gets_the_published_answers(wire):
    """One conversation in order; <id> is the session that the first start made."""
    key = ""
    for each in EXCHANGES:
        answer = wire.call(each["method"], each["path"].replace("<id>", key), each["body"])
        told = json_of(answer)
        expected = json.loads(json.dumps(each["answer"]).replace("<id>", key))
        if expected.get("session_id") == "<new>":
            key = key or told["session_id"]
            expected["session_id"] = told["session_id"]
        assert (answer.status_code, told) == (each["status"], expected), each["name"]
        assert list(told) == list(expected), each["name"]


def test_a_session_that_starts_outside_is_an_annotation_session(wire, settings):
    settings.SESSION_IDLE_TTL_S = 33
    key = json_of(wire.call("POST", "/session/start"))["session_id"]
    session = Session.objects.get(key=key)
    assert (session.kind, session.state, session.idle_ttl_s, session.started_by) == (
        "annotation", "active", 33, "line 1",
    )  # fmt: skip


def test_the_history_has_the_newest_frames_in_their_order(wire, annotation):
    add_frames(annotation, FRAMES, by="p")
    told = json_of(wire.call("GET", f"/session/{annotation.key}/history"))
    assert told["count"] == 2
    first, second = told["events"]
    assert list(first) == [
        "label", "confidence", "speaker_id", "shift_magnitude", "timestamp", "subtext", "affect",
    ]  # fmt: skip
    assert (first["label"], first["confidence"], first["affect"], first["subtext"]) == (
        "calm",
        0.9,
        "warm",
        None,
    )
    assert (second["label"], second["speaker_id"], second["shift_magnitude"]) == ("urgent", "s2", 0.7)
    assert 0 <= first["timestamp"] < 60
    by_query = [
        [event["label"] for event in json_of(wire.call("GET", path))["events"]]
        for path in (
            f"/session/{annotation.key}/history?min_confidence=0.8",
            f"/session/{annotation.key}/history?limit=1",
        )
    ]
    assert by_query == [["calm"], ["urgent"]]


def test_the_export_is_a_file_with_every_frame(wire, annotation, monkeypatch):
    monkeypatch.setattr("sessions_app.api.linnet.views.EXPORT_ROWS", 2)
    add_frames(annotation, [Frame("calm", 0.5 + number / 100) for number in range(5)], by="p")
    answer = wire.call("GET", f"/session/{annotation.key}/export")
    assert answer["Content-Disposition"] == f'attachment; filename="linnet-session-{annotation.key}.json"'
    told = json_of(answer)
    assert [event["confidence"] for event in told["events"]] == [0.5, 0.51, 0.52, 0.53, 0.54]
    assert told["events"][0]["shift_direction"] == "steady"


def test_elcor_adds_its_subtext(wire):
    key = json_of(wire.call("POST", "/session/start", {"elcor": True}))["session_id"]
    own = Frame("calm", 0.9, subtext="As they say:")
    add_frames(Session.objects.get(key=key), [Frame("urgent", 0.9), Frame("odd", 0.9), own], by="p")
    events = json_of(wire.call("GET", f"/session/{key}/history"))["events"]
    assert [event["subtext"] for event in events] == ["With great urgency:", "With odd:", "As they say:"]


@pytest.mark.parametrize(
    "end, state", [(end_session, "completed"), (reap, "expired"), (interrupt, "interrupted")]
)
@pytest.mark.parametrize("method, route", OVER)
def test_a_session_that_is_over_is_unknown_outside_and_told_inside(
    wire, annotation, client, operator, end, state, method, route
):
    end(annotation, by="ann", reason="done")
    answer = wire.call(method, f"/session/{annotation.key}{route}")
    assert (answer.status_code, json_of(answer)) == (404, {"detail": f"Session {annotation.key} not found"})
    client.force_login(operator)
    inside = client.get(f"/api/v1/sessions/{annotation.key}/")
    assert (inside.status_code, inside.json()["state"]) == (200, state)


@pytest.mark.parametrize("method, route", OVER)
def test_a_foreign_session_looks_unknown(other_wire, annotation, method, route):
    answer = other_wire.call(method, f"/session/{annotation.key}{route}")
    assert (answer.status_code, json_of(answer)) == (404, {"detail": f"Session {annotation.key} not found"})


def test_sessions_of_other_kinds_are_unknown_here(wire, organisation):
    session = open_session(organisation, kind=Kind.RECORDING)
    assert wire.call("GET", f"/session/{session.key}").status_code == 404


def test_without_a_credential_nothing_is_told(annotation):
    for method, path in [("POST", "/session/start"), ("GET", f"/session/{annotation.key}")]:
        answer = Wire().call(method, path)
        assert (answer.status_code, json_of(answer)) == (401, {"detail": "Not authenticated"})
        assert "Bearer" in answer["WWW-Authenticate"]


def test_a_viewer_may_read_and_not_end(viewer_token, annotation):
    wire = Wire(viewer_token)
    assert wire.call("GET", f"/session/{annotation.key}").status_code == 200
    assert wire.call("DELETE", f"/session/{annotation.key}/end").status_code == 403
    assert wire.call("POST", "/session/start").status_code == 403


def test_a_login_works_with_its_csrf_token_only(operator):
    from django.test import Client

    careful = Client(enforce_csrf_checks=True)
    careful.force_login(operator)
    refused = careful.post("/session/start")
    assert (refused.status_code, list(refused.json())) == (403, ["detail"])
    careful.get("/login/")
    csrf = careful.cookies["csrftoken"].value
    headers = {"X-CSRFToken": csrf}
    answer = careful.post("/session/start", {}, content_type="application/json", headers=headers)
    assert answer.status_code == 200
    form = careful.post("/session/start", {"elcor": "true"}, headers=headers)
    assert form.status_code == 422


@pytest.mark.parametrize(
    "path", ["/session/%00", "/session/" + "x" * 500, "/session/a%0Ab", "/session/%F0%9F"]
)
def test_any_id_is_an_answer(wire, path):
    answer = wire.call("GET", path)
    assert answer.status_code == 404 and set(json_of(answer)) == {"detail"}
