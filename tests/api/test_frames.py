"""Frames over REST: what is kept, what is below the threshold, what is refused."""

from __future__ import annotations

import pytest

from sessions_app.models import Session, SessionEvent
from sessions_app.services import end_session, open_session, start_annotation
from sessions_app.states import Kind


@pytest.fixture
def annotation(organisation) -> Session:
    return start_annotation(organisation, by="ann", idle_ttl_s=90)


def path(session) -> str:
    return f"/api/v1/sessions/{session.key}/frames/"


def labels(session) -> list[str]:
    entries = SessionEvent.objects.filter(session=session, kind="frame").order_by("seq")
    return [entry.detail["label"] for entry in entries]


def test_a_single_frame_is_one_entry(as_device, annotation):
    answer = as_device.post(path(annotation), {"label": "calm", "confidence": 0.8})
    assert answer.status_code == 201
    assert answer.json() == {"accepted": 1, "below_threshold": 0, "last_seq": 2}
    entry = SessionEvent.objects.get(session=annotation, seq=2)
    assert entry.detail | {"t_s": 0} == {
        "label": "calm", "confidence": 0.8, "speaker_id": "", "shift_magnitude": 0.0,
        "shift_direction": "steady", "affect": "", "subtext": "", "prosody_flags": [], "t_s": 0,
        "by": "line 1",
    }  # fmt: skip


def test_a_batch_keeps_its_order_and_frames_below_the_threshold_make_no_event(
    as_device, annotation, settings
):
    settings.FRAME_MIN_CONFIDENCE = 0.6
    frames = [{"label": f"l{number}", "confidence": number / 10} for number in range(11)]
    answer = as_device.post(path(annotation), {"frames": frames})
    assert answer.json() == {"accepted": 5, "below_threshold": 6, "last_seq": 6}
    assert labels(annotation) == ["l6", "l7", "l8", "l9", "l10"]
    state = as_device.get(f"/api/v1/sessions/{annotation.key}/").json()
    assert (state["total_counter"], state["last_seq"]) == (5, 6)


def test_frames_are_no_news_of_the_wall(as_device, as_viewer, annotation):
    as_device.post(path(annotation), {"label": "calm", "confidence": 0.8})
    kinds = [event["kind"] for event in as_viewer.get("/api/v1/events/").json()["results"]]
    assert kinds == ["started"]


def test_the_same_key_changes_nothing_more(as_device, annotation, refused):
    frames = {"frames": [{"label": "a", "confidence": 0.9}, {"label": "b", "confidence": 0.9}]}
    answers = [as_device.post(path(annotation), frames, headers={"Idempotency-Key": "k1"}) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert [answer.json() for answer in answers] == [{"accepted": 2, "below_threshold": 0, "last_seq": 3}] * 3
    assert labels(annotation) == ["a", "b"]
    other = {"label": "c", "confidence": 0.9}
    answer = as_device.post(path(annotation), other, headers={"Idempotency-Key": "k1"})
    refused(answer, 422, "idempotency_mismatch")
    annotation.refresh_from_db()
    assert (annotation.last_seq, annotation.total_counter) == (3, 2)


@pytest.mark.parametrize("keys", [("night:1", "night"), ("Cam", "cam")])
def test_keys_that_look_alike_are_two_keys(as_device, annotation, keys):
    for number, key in enumerate(keys):
        frame = {"label": f"l{number}", "confidence": 0.9}
        answer = as_device.post(path(annotation), frame, headers={"Idempotency-Key": key})
        assert answer.status_code == 201, answer.content
    assert labels(annotation) == ["l0", "l1"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"frames": []},
        {"frames": [{"label": "a"}]},
        {"label": "a", "confidence": 1.1},
        {"label": "", "confidence": 0.9},
        {"label": "a", "confidence": "0.9"},
        {"label": "a", "confidence": 0.9, "loudness": 3},
        {"frames": [{"label": "a", "confidence": 0.9}] * 101},
        [1],
    ],
)
def test_bodies_that_are_no_frames_are_refused_whole(as_device, annotation, refused, body):
    refused(as_device.post(path(annotation), body), 400, "invalid")
    assert labels(annotation) == []


def test_a_session_that_is_over_takes_none(as_device, annotation, refused):
    end_session(annotation, by="ann")
    refused(as_device.post(path(annotation), {"label": "a", "confidence": 0.9}), 409, "session_over")


def test_other_kinds_take_none(as_device, organisation, refused):
    session = open_session(organisation, kind=Kind.RECORDING)
    refused(as_device.post(path(session), {"label": "a", "confidence": 0.9}), 409, "not_annotated")


def test_the_right_to_ingest_is_needed(as_viewer, as_stranger, annotation, refused):
    body = {"label": "a", "confidence": 0.9}
    refused(as_viewer.post(path(annotation), body), 403, "not_allowed")
    refused(as_stranger.post(path(annotation), body), 404, "not_found")
