"""Sessions over REST: found, named, ended; their journal in order and the newest events of all."""

import pytest

from monitoring.services import NewImage, add_image, create_monitor, start_monitor, stop_monitor
from tests.pictures import picture

SESSIONS = "/api/v1/sessions/"


def url_of(session, rest: str = "") -> str:
    return f"{SESSIONS}{session.key}/{rest}"


def test_a_session_is_the_object_of_its_live_topic(as_viewer, session, image):
    from sessions_app.topics import SessionTopic

    assert as_viewer.get(url_of(session)).json() == SessionTopic().snapshot(session.key).data


def test_the_history_is_newest_first_and_found_by_its_filters(as_viewer, organisation, monitor):
    other = create_monitor(organisation, slug="cam-2", name="Exit", by="test")
    first = start_monitor(monitor, by="ann")
    add_image(NewImage(data=picture(1), monitor=monitor, label="DEFECT"))
    stop_monitor(monitor, by="ann")
    second = start_monitor(other, by="bob")

    def found(query: str) -> list[str]:
        answer = as_viewer.get(f"{SESSIONS}?{query}")
        assert answer.status_code == 200, answer.content
        return [row["key"] for row in answer.json()["results"]]

    assert found("") == [second.key, first.key]
    assert found("monitor=cam-1") == [first.key]
    assert found("state=completed") == [first.key]
    assert found("state=active,completed") == [second.key, first.key]
    assert found("kind=recording") == []
    assert found("label=DEFECT") == [first.key]
    assert found("device=dv_unknown") == []
    assert found(f"started_after={first.started_at:%Y-%m-%dT%H:%M:%S}Z") == [second.key, first.key]
    assert found("started_before=2001-01-01T00:00:00Z") == []
    assert found(f"q={first.key}") == [first.key]
    assert found("q=exi") == [second.key]
    assert found("q=bo") == [second.key]
    assert found("q=cam-") == [second.key, first.key]
    assert found("organisation=elsewhere") == []


@pytest.mark.parametrize(
    "query", ["state=nice", "kind=x", "started_after=now", "stat=active", "q=" + "x" * 101]
)
def test_a_filter_that_cannot_be_meant_is_refused(as_viewer, session, query, refused):
    refused(as_viewer.get(f"{SESSIONS}?{query}"), 400, "invalid")


def test_name_and_notes_change_and_the_journal_says_so(as_operator, session):
    changed = as_operator.patch(url_of(session), {"name": "Batch 7", "notes": "two\nlines "})
    assert (changed.json()["name"], changed.json()["notes"]) == ("Batch 7", "two\nlines ")
    kinds = [event["kind"] for event in as_operator.get(url_of(session, "events/")).json()["results"]]
    assert kinds == ["started", "renamed", "notes_changed"]
    assert as_operator.patch(url_of(session), {"notes": ""}).json()["notes"] == ""


def test_a_session_is_ended_by_name_and_its_monitor_is_idle(as_operator, session, refused):
    ended = as_operator.post(url_of(session, "end/"), {"reason": "batch over"})
    assert (ended.json()["state"], ended.json()["end_reason"]) == ("completed", "batch over")
    assert as_operator.get("/api/v1/monitors/cam-1/state/").json()["status"] == "idle"
    refused(as_operator.post(url_of(session, "end/")), 409, "illegal_move")


def test_a_recording_is_begun_and_ended_within_the_session(as_operator, session, refused):
    refused(as_operator.post(url_of(session, "stop_recording/")), 409, "illegal_move")
    assert as_operator.post(url_of(session, "start_recording/")).json()["state"] == "recording"
    refused(as_operator.post(url_of(session, "start_recording/")), 409, "illegal_move")
    assert as_operator.post(url_of(session, "stop_recording/")).json()["state"] == "active"


def test_the_journal_is_read_forward_by_number(as_operator, session):
    for number in range(5):
        as_operator.post(url_of(session, "events/"), {"label": f"mark {number}"})
    first = as_operator.get(url_of(session, "events/?limit=4")).json()
    assert [event["seq"] for event in first["results"]] == [1, 2, 3, 4]
    assert first["next"] == url_of(session, "events/?after=4&limit=4") and first["previous"] is None
    second = as_operator.get(first["next"]).json()
    assert [event["seq"] for event in second["results"]] == [5, 6] and second["next"] is None
    assert as_operator.get(url_of(session, "events/?after=6")).json()["results"] == []


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "limit=0", "limit=201", f"after={2**63}", "before=3"]
)
def test_a_journal_question_that_cannot_be_meant_is_refused(as_viewer, session, query, refused):
    refused(as_viewer.get(url_of(session, f"events/?{query}")), 400, "invalid")


def test_a_marker_is_one_entry_however_often_it_is_sent(as_device, session, refused):
    url, key = url_of(session, "events/"), {"Idempotency-Key": "m-1"}
    body = {"label": "spill", "severity": "warning", "at": "2026-01-02T03:04:05Z", "detail": {"at": [1, 2]}}
    first = as_device.post(url, body, headers=key)
    assert first.status_code == 201
    event = first.json()
    assert (event["kind"], event["severity"], event["at"]) == (
        "marker",
        "warning",
        "2026-01-02T03:04:05.000Z",
    )
    assert event["detail"] == {
        "label": "spill", "severity": "warning", "detail": {"at": [1, 2]}, "by": "line 1"
    }  # fmt: skip
    assert as_device.post(url, body, headers=key).json() == event
    refused(as_device.post(url, {"label": "other"}, headers=key), 422, "idempotency_mismatch")
    assert len(as_device.get(url).json()["results"]) == 2


@pytest.mark.parametrize(
    "body",
    [{}, {"label": ""}, {"label": "x" * 201}, {"label": 5}, {"label": "a", "severity": "loud"},
     {"label": "a", "detail": []}, {"label": "a", "at": "x"}, {"label": "a", "kind": "stopped"}],
)  # fmt: skip
def test_a_marker_of_another_shape_is_refused(as_device, session, body, refused):
    refused(as_device.post(url_of(session, "events/"), body), 400, "invalid")


def test_devices_take_part_in_a_session(as_admin, session):
    device = as_admin.post("/api/v1/devices/", {"name": "Phone", "type": "phone"}).json()["key"]
    url = url_of(session, "devices/")
    revision = as_admin.get(url_of(session)).json()["revision"]
    assert as_admin.post(url, {"device": device}).status_code == 201
    state = as_admin.get(url_of(session)).json()
    assert state["devices"] == [device] and state["revision"] > revision
    assert [row["key"] for row in as_admin.get(f"{SESSIONS}?device={device}").json()["results"]] == [
        session.key
    ]
    assert as_admin.delete(f"{url}{device}/").status_code == 204
    events = as_admin.get(url_of(session, "events/")).json()["results"]
    assert [event["kind"] for event in events[1:]] == ["device_attached", "device_detached"]
    assert events[1]["device"] == device


def test_the_newest_events_of_all_sessions_without_the_pictures(as_operator, session, image):
    as_operator.post(url_of(session, "events/"), {"label": "spill", "severity": "error"})
    stop_monitor(session.monitor, by="ann")

    def kinds(query: str = "") -> list[str]:
        answer = as_operator.get(f"/api/v1/events/?{query}")
        assert answer.status_code == 200, answer.content
        return [event["kind"] for event in answer.json()["results"]]

    assert kinds() == ["stopped", "marker", "started"]
    assert kinds("kind=marker") == ["marker"]
    assert kinds("severity=error") == ["marker"]
    assert kinds("severity=info") == ["stopped", "started"]
    assert kinds("severity=info,error") == ["stopped", "marker", "started"]
    assert kinds("severity=warning") == []
    assert kinds(f"session={session.key}") == ["stopped", "marker", "started"]
    assert kinds("monitor=cam-2") == []
    assert kinds("before=2001-01-01T00:00:00Z") == []
    assert kinds("organisation=elsewhere") == []
    page = as_operator.get("/api/v1/events/?limit=2").json()
    assert [event["kind"] for event in as_operator.get(page["next"]).json()["results"]] == ["started"]


def test_the_history_takes_the_same_number_of_queries_for_one_session_and_for_many(
    as_admin, organisation, monitor, django_assert_num_queries
):
    from devices.services import register_device
    from monitoring.services import attach_device

    attach_device(monitor, register_device(organisation, name="Top", type="camera", by="test"), by="test")
    for count in (1, 8):
        for _ in range(count):
            start_monitor(monitor, by="ann")
            add_image(NewImage(data=picture(1), monitor=monitor, label="OK"))
            stop_monitor(monitor, by="ann")
        with django_assert_num_queries(6):  # login session, user, memberships, sessions, devices, counts
            assert len(as_admin.get(SESSIONS).json()["results"]) >= count
        with django_assert_num_queries(4):
            assert len(as_admin.get("/api/v1/events/").json()["results"]) >= 2 * count
