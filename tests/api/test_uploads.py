"""Pictures on their way in: raw, as a form, as base64; repeated, late, too large, refused."""

import base64
import io
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Pillow

from monitoring.models import Image
from monitoring.services import start_monitor, stop_monitor
from sessionsite.common.clock import iso, now
from tests.pictures import picture

UPLOAD = "/api/v1/monitors/cam-1/images/"


def post_raw(client, data: bytes, url: str = UPLOAD, content_type: str = "image/jpeg", **headers):
    return client.generic("POST", url, data, content_type=content_type, headers=headers)


def test_a_raw_picture_is_kept_untouched_and_counted(as_device, session, jpeg):
    answer = post_raw(as_device, jpeg, f"{UPLOAD}?name=a.jpg&label=OK&taken_at=2026-01-02T03:04:05Z")
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"key", "session", "repeated", "url", "file_url", "thumbnail_url"}
    assert (body["session"], body["repeated"]) == (session.key, False)
    assert answer["Location"] == body["url"]
    kept = as_device.get(body["url"]).json()
    assert (kept["name"], kept["label"], kept["author"]) == ("a.jpg", "OK", "line 1")
    assert kept["taken_at"] == "2026-01-02T03:04:05.000Z"
    assert b"".join(as_device.get(body["file_url"]).streaming_content) == jpeg
    session.refresh_from_db()
    assert (session.total_counter, session.image_count) == (1, 1)


def test_headers_say_the_same_as_the_query(as_device, session, jpeg, refused):
    answer = post_raw(as_device, jpeg, **{"X-Image-Name": "b.jpg", "X-Image-Label": "DEFECT"})
    kept = as_device.get(answer.json()["url"]).json()
    assert (kept["name"], kept["label"]) == ("b.jpg", "DEFECT")
    both = post_raw(as_device, jpeg, f"{UPLOAD}?label=OK", **{"X-Image-Label": "DEFECT"})
    assert "label" in refused(both, 400, "invalid")["fields"]


def test_a_form_with_a_file_and_fields(as_device, session, jpeg):
    file = SimpleUploadedFile("c.jpg", jpeg, content_type="image/jpeg")
    answer = as_device.post(UPLOAD, {"image": file, "label": "OK", "dataset": "ds-42"}, format="multipart")
    assert answer.status_code == 201, answer.content
    kept = as_device.get(answer.json()["url"]).json()
    assert (kept["name"], kept["label"], kept["dataset"]) == ("c.jpg", "OK", "ds-42")


@pytest.mark.parametrize("form", ["multipart", "json"])
def test_query_and_headers_speak_beside_a_form_and_json_too(as_device, session, jpeg, form, refused):
    def send(**fields):
        file = SimpleUploadedFile("c.jpg", jpeg) if form == "multipart" else base64.b64encode(jpeg).decode()
        headers = {"X-Image-Taken-At": "2026-01-02T03:04:05Z"}
        return as_device.post(
            f"{UPLOAD}?label=DEFECT", {"image": file, **fields}, format=form, headers=headers
        )

    kept = as_device.get(send(name="d.jpg").json()["url"]).json()
    assert (kept["name"], kept["label"]) == ("d.jpg", "DEFECT")
    assert kept["taken_at"] == "2026-01-02T03:04:05.000Z"
    assert send(label="DEFECT").status_code == 200  # the same again, and they agree
    assert "label" in refused(send(label="OK"), 400, "invalid")["fields"]


@pytest.mark.parametrize("name", ["image", "label"])
def test_a_field_of_a_form_that_is_given_twice_is_refused(as_device, session, name, refused):
    twice = {
        "image": [SimpleUploadedFile("a.jpg", picture(1)), SimpleUploadedFile("b.jpg", picture(2))],
        "label": ["a", "b"],
    }
    body = {"image": SimpleUploadedFile("a.jpg", picture(1)), name: twice[name]}
    fields = refused(as_device.post(UPLOAD, body, format="multipart"), 400, "invalid")["fields"]
    assert fields == {name: ["This field is given twice."]}
    assert not Image.objects.exists()


@pytest.mark.parametrize("content_type", ["IMAGE/JPEG", "Application/Octet-Stream", "image/*", "*/*"])
def test_a_media_type_is_read_without_regard_to_case(as_device, session, jpeg, content_type):
    answer = as_device.generic("POST", UPLOAD, jpeg, content_type=content_type)
    assert answer.status_code == 201, answer.content


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_base64_in_json_with_or_without_a_data_url(as_device, session, jpeg, prefix):
    text = prefix + base64.b64encode(jpeg).decode()
    answer = as_device.post(
        UPLOAD, {"image": text, "name": "d.jpg", "taken_at": "2026-01-02T03:04:05.678+01:00"}
    )
    assert answer.status_code == 201
    assert as_device.get(answer.json()["url"]).json()["taken_at"] == "2026-01-02T02:04:05.678Z"


def test_a_cookie_needs_its_csrf_token_and_then_uploads(monitor, operator, session, jpeg, refused):
    from rest_framework.test import APIClient

    client = APIClient(enforce_csrf_checks=True)
    client.force_login(operator)
    refused(post_raw(client, jpeg), 403, "not_allowed")
    client.cookies["csrftoken"] = "a" * 32
    assert post_raw(client, jpeg, **{"X-CSRFToken": "a" * 32}).status_code == 201
    file = SimpleUploadedFile("e.jpg", picture(5), content_type="image/jpeg")
    form = client.post(UPLOAD, {"image": file}, format="multipart", headers={"X-CSRFToken": "a" * 32})
    assert form.status_code == 201


def test_a_repeat_is_answered_with_the_first_picture_also_after_the_stop(as_device, monitor, session, jpeg):
    first = post_raw(as_device, jpeg, **{"Idempotency-Key": "shot-1"})
    again = post_raw(as_device, jpeg, **{"Idempotency-Key": "shot-1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "repeated": True}
    stop_monitor(monitor, by="ann")
    assert post_raw(as_device, jpeg, **{"Idempotency-Key": "shot-1"}).json()["key"] == first.json()["key"]
    assert Image.objects.count() == 1


def test_the_same_moment_and_content_is_a_repeat_without_a_key(as_device, session, jpeg):
    url = f"{UPLOAD}?taken_at=2026-01-02T03:04:05Z"
    assert [post_raw(as_device, jpeg, url).status_code for _ in range(2)] == [201, 200]


def test_the_same_key_with_another_picture_is_refused(as_device, session, jpeg, refused):
    post_raw(as_device, jpeg, **{"Idempotency-Key": "shot-1"})
    refused(post_raw(as_device, picture(2), **{"Idempotency-Key": "shot-1"}), 422, "idempotency_mismatch")


def test_a_key_of_a_session_without_a_monitor_is_nobody_elses(
    bearer, as_device, organisation, other_organisation, foreign_token, jpeg
):
    from sessions_app.services import open_session

    ours = open_session(organisation, kind="recording", by="test")
    theirs = open_session(other_organisation, kind="recording", by="test")
    mine = post_raw(as_device, jpeg, f"/api/v1/sessions/{ours.key}/images/", **{"Idempotency-Key": "k"})
    foreign = post_raw(
        bearer(foreign_token), jpeg, f"/api/v1/sessions/{theirs.key}/images/", **{"Idempotency-Key": "k"}
    )
    assert (mine.status_code, foreign.status_code) == (201, 201)
    assert mine.json()["key"] != foreign.json()["key"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ä"])
def test_a_key_that_no_header_should_hold_is_refused(as_device, session, jpeg, key, refused):
    answer = as_device.generic("POST", UPLOAD, jpeg, content_type="image/jpeg", HTTP_IDEMPOTENCY_KEY=key)
    refused(answer, 400, "bad_idempotency_key")


def test_a_stopped_monitor_takes_nothing(as_device, monitor, jpeg, refused):
    refused(post_raw(as_device, jpeg), 409, "not_started")


def test_a_late_picture_is_taken_by_the_session_that_holds_its_time(as_device, monitor, jpeg, refused):
    session = start_monitor(monitor, by="ann")
    taken_at = iso(now())
    stop_monitor(monitor, by="ann")
    url = f"/api/v1/sessions/{session.key}/images/"
    assert post_raw(as_device, jpeg, f"{url}?taken_at={taken_at}").status_code == 201
    events = as_device.get(f"/api/v1/sessions/{session.key}/events/").json()["results"]
    assert events[-1]["kind"] == "late_image_added"
    before = iso(session.started_at - timedelta(hours=1))
    refused(post_raw(as_device, jpeg, f"{url}?taken_at={before}"), 409, "session_over")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", "image/jpeg"),
        (b"hello", "image/jpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (picture()[:-200], "image/jpeg"),
        (b"\x00" * 5000, "application/octet-stream"),
    ],
    ids=["empty", "text", "svg", "cut off", "zeros"],
)
def test_what_is_no_picture_is_refused(as_device, session, data, content_type, refused):
    refused(post_raw(as_device, data, content_type=content_type), 400, "not_a_picture")
    assert Image.objects.count() == 0


@pytest.mark.parametrize("text", ["", "!!!", "aGVsbG8", "data:image/jpeg,abc", "aGVsbG8="])
def test_base64_that_holds_no_picture_is_refused(as_device, session, text, refused):
    answer = as_device.post(UPLOAD, {"image": text})
    assert answer.status_code == 400
    assert answer.json()["code"] in ("not_a_picture", "invalid")


@pytest.mark.parametrize("body", [{}, {"image": 5}, {"image": None}, [], "text", {"image": "x", "more": 1}])
def test_json_of_another_shape_is_refused(as_device, session, body, refused):
    refused(as_device.post(UPLOAD, body), 400, "invalid")


def test_a_body_of_another_kind_is_415(as_device, session, refused):
    refused(post_raw(as_device, b"x", content_type="text/plain"), 415, "unsupported_media_type")


def test_a_picture_over_the_limit_is_413_by_its_length_alone(as_device, session, settings, refused):
    settings.MAX_IMAGE_BYTES = 1000
    details = refused(post_raw(as_device, picture() + b"\x00" * 2000), 413, "picture_too_large")
    assert details["limit_bytes"] == 1000
    text = base64.b64encode(b"\x00" * 2000).decode()
    refused(as_device.post(UPLOAD, {"image": text}), 413, "picture_too_large")
    file = SimpleUploadedFile("big.jpg", b"\x00" * 2000, content_type="image/jpeg")
    refused(as_device.post(UPLOAD, {"image": file}, format="multipart"), 413, "picture_too_large")


@pytest.mark.parametrize(
    "content_type", ["application/json", "image/jpeg", "multipart/form-data; boundary=x"]
)
def test_a_body_over_the_servers_limit_is_413_before_it_is_read(
    as_device, session, settings, content_type, refused
):
    settings.MAX_BODY_BYTES = 5000
    answer = as_device.generic("POST", UPLOAD, b"x" * 5001, content_type=content_type)
    assert refused(answer, 413, "body_too_large")["limit_bytes"] == 5000


def test_too_many_pixels_are_413(as_device, session, settings, refused):
    settings.MAX_IMAGE_PIXELS = 100
    assert refused(post_raw(as_device, picture()), 413, "picture_too_large")["limit_pixels"] == 100


def test_a_chunked_body_without_a_length_is_411(as_device, session, refused):
    answer = as_device.generic(
        "POST", UPLOAD, b"", content_type="image/jpeg", HTTP_TRANSFER_ENCODING="chunked"
    )
    refused(answer, 411, "length_required")


def test_a_full_disk_refuses_pictures_and_nothing_else(as_device, session, settings, jpeg, refused):
    settings.DISK_RESERVE_BYTES = 2**62
    refused(post_raw(as_device, jpeg), 507, "disk_full")
    assert as_device.get("/api/v1/monitors/cam-1/state/").status_code == 200
    assert as_device.post("/api/v1/monitors/cam-1/stop/").status_code == 200


def test_a_monitor_over_its_quota_is_507(as_admin, session, jpeg, refused):
    as_admin.patch("/api/v1/monitors/cam-1/", {"quota_bytes": 10})
    refused(post_raw(as_admin, jpeg), 507, "quota_exceeded")


@pytest.mark.parametrize(
    "taken_at",
    ["yesterday", "2026-01-02T03:04:05", "1700000000000", "1999-01-01T00:00:00Z", "2026-13-01T00:00Z"],
)
def test_a_time_that_cannot_be_meant_is_refused(as_device, session, jpeg, taken_at, refused):
    answer = post_raw(as_device, jpeg, f"{UPLOAD}?taken_at={taken_at}")
    assert "taken_at" in refused(answer, 400, "invalid")["fields"]


def test_unknown_and_repeated_parameters_are_refused(as_device, session, jpeg, refused):
    assert "lable" in refused(post_raw(as_device, jpeg, f"{UPLOAD}?lable=OK"), 400, "invalid")["fields"]
    assert (
        "label" in refused(post_raw(as_device, jpeg, f"{UPLOAD}?label=a&label=b"), 400, "invalid")["fields"]
    )
    refused(post_raw(as_device, jpeg, f"{UPLOAD}?label=a%00b"), 400, "bad_text")


def test_sixteen_bit_and_cmyk_pictures_are_taken(as_device, session):
    for mode, kind in (("I;16", "PNG"), ("CMYK", "TIFF")):
        stream = io.BytesIO()
        Pillow.new(mode, (40, 30)).save(stream, kind)
        assert post_raw(as_device, stream.getvalue(), content_type=f"image/{kind.lower()}").status_code == 201


def test_an_upload_shows_when_its_device_was_last_seen(as_admin, bearer, session, jpeg):
    device = as_admin.post("/api/v1/devices/", {"name": "Top", "type": "camera"}).json()
    secret = as_admin.post(f"/api/v1/devices/{device['key']}/token/").json()["secret"]
    assert device["last_seen_at"] is None
    assert post_raw(bearer(secret), jpeg).status_code == 201
    assert as_admin.get(f"/api/v1/devices/{device['key']}/").json()["last_seen_at"] is not None
