"""Simulated cameras: what they send, and how they behave when the server is away or says no."""

import base64
import json
from collections.abc import Callable

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from monitoring.management.client import tokens_of
from monitoring.models import Image, Tag
from monitoring.rosepetal_client import Wire
from monitoring.services import stop_monitor
from monitoring.simulator.cameras import LONGEST_PAUSE_S, Camera, Habits
from monitoring.simulator.line import Line
from sessions_app.models import Session
from tests.site.processes import Process, Server, manage, running

Answer = tuple[int, object]
ADDED = (200, {"data": {"error": False, "result": "Added image", "id": "im_1"}})
STARTED = (200, {"data": {"error": False, "result": "Started"}})
ALREADY = (200, {"data": {"error": True, "result": "Error: Already started"}})
NOT_STARTED = (200, {"data": {"error": True, "result": "Error: not started"}})
UNKNOWN = (404, {"data": {"error": True, "result": "Monitor not found or access denied"}})
TAGGED = (200, {"error": False, "status": "success"})
TAGS_REFUSED = (403, {"error": "Failed to update tags", "details": "Dataset reference invalid"})


class FakeServer:
    """Answers each path with the next of its answers; the last one is repeated. Keeps what was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer | Exception]] = {
            "start": [STARTED], "image": [ADDED], "updateTags": [TAGGED], "readyz": [(200, {})],
        }  # fmt: skip
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answers = self.answers[request.url.path.rsplit("/", 1)[-1]]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body, *headers = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content, headers=headers[0] if headers else {})

    def bodies(self, name: str) -> list[dict]:
        return [json.loads(each.content) for each in self.requests if each.url.path.endswith(name)]


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def camera(server, said) -> Callable[..., Camera]:
    def make(*, defect_rate: float = 0.0, **habits) -> Camera:
        http = httpx.Client(base_url="http://server", transport=httpx.MockTransport(server))
        line = Line(1, kind="plate", defect_rate=defect_rate)
        return Camera(
            "cam-1", line, Wire(http, "secret-token"), Habits(**{"jitter": 0, **habits}), said.append
        )

    return make


# --- the wire ---


def test_a_picture_is_posted_as_published(camera, server):
    camera(dataset="ds-7").step(0.0)
    [request] = server.requests
    assert (request.method, request.url.path) == ("POST", "/monitor/cam-1/image")
    assert request.headers["Authorization"] == "Bearer secret-token"
    [body] = server.bodies("/image")
    assert set(body) == {"image", "image_data"} and set(body["image_data"]) == {
        "date",
        "name",
        "dataset",
        "tag",
    }
    assert base64.b64decode(body["image"], validate=True)[:2] == b"\xff\xd8"
    assert isinstance(body["image_data"]["date"], int)
    about = body["image_data"]
    assert (about["name"], about["dataset"], about["tag"]) == ("cam-1-000000.jpg", "ds-7", "OK")


def test_the_true_boxes_of_a_defect_follow_its_picture(camera, server):
    camera(defect_rate=1.0).step(0.0)
    [tags] = server.bodies("/updateTags")
    assert (tags["imageID"], tags["dataset"]) == ("im_1", "simulated-parts")
    assert server.bodies("/image")[0]["image_data"]["tag"] == "DEFECT"
    assert tags["tags"] and all(set(tag) == {"tag", "x", "y", "w", "h"} for tag in tags["tags"])


def test_a_good_part_gets_no_boxes(camera, server):
    camera(defect_rate=0.0).step(0.0)
    assert server.bodies("/updateTags") == []


def test_png_pictures_on_request(camera, server):
    camera(picture_format="PNG").step(0.0)
    [body] = server.bodies("/image")
    assert body["image_data"]["name"].endswith(".png")
    assert base64.b64decode(body["image"])[:4] == b"\x89PNG"


@pytest.mark.parametrize("answer", [STARTED, ALREADY])
def test_a_camera_may_start_its_monitor_once(camera, server, answer):
    server.answers["start"] = [answer]
    one = camera(start=True, uid="ann")
    one.step(0.0)
    one.step(2.0)
    starts = [each for each in server.requests if each.url.path.endswith("/start")]
    assert [each.url.raw_path for each in starts] == [b"/monitor/cam-1/start?uid=ann"]
    assert len(server.bodies("/image")) == 2


def test_a_camera_that_may_not_start_waits_for_someone_who_may(camera, server, said):
    server.answers["start"] = [UNKNOWN]
    server.answers["image"] = [NOT_STARTED, ADDED]
    one = camera(start=True)
    waits = [one.step(now) for now in (0.0, 0.0, 2.0)]
    assert waits == [0.0, 2.0, 2.0]
    assert said[0].startswith("cam-1: may not start the monitor") and said[-1] == "cam-1: running"


# --- pace ---


def test_pictures_keep_their_interval_however_long_a_request_takes(camera):
    one = camera(interval_s=2.0)
    assert one.step(0.0) == 2.0
    assert one.step(2.4) == pytest.approx(1.6)  # 0.4 s late: due again at 4.0
    assert one.step(4.0) == pytest.approx(2.0)


def test_a_camera_that_fell_far_behind_does_not_send_a_burst(camera):
    one = camera(interval_s=2.0)
    one.step(0.0)
    one.step(100.0)
    assert one.step(100.0) >= 1.9


def test_pictures_come_early_or_late_within_the_jitter(camera):
    one = camera(interval_s=2.0, jitter=0.5)
    waits, now = [], 0.0
    for _ in range(50):
        waits.append(one.step(now))
        now += waits[-1]
    assert now / 50 == pytest.approx(2.0, abs=0.1)
    assert min(waits) < 1.5 and max(waits) > 2.5


def test_a_camera_ends_after_its_count(camera, server, said):
    one = camera(count=2)
    assert one.step(0.0) is not None
    assert one.step(2.0) is None and one.step(4.0) is None
    assert len(server.bodies("/image")) == one.delivered == 2
    assert said == ["cam-1: running", "cam-1: done after 2 pictures"]


def test_a_camera_that_drops_out_sends_nothing_for_a_while_and_comes_back(camera, server, said):
    one = camera(drop_out_s=20.0, drop_out_after_s=60.0)
    assert one.step(0.0) == 2.0
    assert one.step(60.0) == 20.0
    assert len(server.requests) == 1
    assert one.step(80.0) == 2.0
    assert one.step(139.0) is not None and one.step(140.0) == 20.0
    assert said == ["cam-1: running", "cam-1: dropped out for 20 s", "cam-1: running", said[1]]


# --- trouble ---


def test_while_nothing_runs_pictures_are_dropped_and_it_is_said_once(camera, server, said):
    server.answers["image"] = [NOT_STARTED, NOT_STARTED, NOT_STARTED, ADDED]
    one = camera()
    assert [one.step(now) for now in (0.0, 2.0, 4.0, 6.0)] == [2.0] * 4
    names = [body["image_data"]["name"] for body in server.bodies("/image")]
    assert len(set(names)) == 4
    assert said == ["cam-1: not started, waiting", "cam-1: running"]


@pytest.mark.parametrize(
    "trouble",
    [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), (503, b"<html>"), (502, b""), (429, {})],
    ids=repr,
)
def test_while_the_server_is_away_the_same_picture_is_sent_again_with_a_growing_pause(
    camera, server, said, trouble
):
    server.answers["image"] = [trouble] * 8 + [ADDED]
    one = camera()
    pauses = [one.step(float(number)) for number in range(8)]
    assert all(later > earlier for earlier, later in zip(pauses[:4], pauses[2:6], strict=True))
    assert max(pauses) <= LONGEST_PAUSE_S * 1.2
    one.step(100.0)
    bodies = server.bodies("/image")
    assert len(bodies) == 9 and all(body == bodies[0] for body in bodies)
    assert len(said) == 2 and said[0].startswith("cam-1: server away") and said[1] == "cam-1: running"


def test_a_pause_that_the_server_asks_for_is_kept(camera, server):
    server.answers["image"] = [(503, {}, {"Retry-After": "7"}), ADDED]
    assert camera().step(0.0) >= 7 * 0.8


def test_boxes_that_got_lost_are_sent_again_without_the_picture(camera, server):
    server.answers["updateTags"] = [httpx.ReadError("cut"), TAGGED]
    one = camera(defect_rate=1.0, count=1)
    assert one.step(0.0) is not None
    assert one.step(1.0) is None
    assert len(server.bodies("/image")) == 1 and len(server.bodies("/updateTags")) == 2
    assert one.delivered == 1


def test_a_camera_that_may_not_tag_goes_on_without_boxes(camera, server, said):
    server.answers["updateTags"] = [TAGS_REFUSED]
    one = camera(defect_rate=1.0)
    for now in (0.0, 2.0, 4.0):
        one.step(now)
    assert len(server.bodies("/image")) == 3 and len(server.bodies("/updateTags")) == 1
    assert said == [
        "cam-1: boxes refused: Failed to update tags: Dataset reference invalid", "cam-1: running",
    ]  # fmt: skip


def test_an_unknown_monitor_is_tried_again_with_a_growing_pause(camera, server, said):
    server.answers["image"] = [UNKNOWN, UNKNOWN, UNKNOWN, ADDED]
    one = camera()
    pauses = [one.step(float(now)) for now in range(3)]
    assert pauses[0] < pauses[2]
    one.step(10.0)
    assert said == ["cam-1: refused: Monitor not found or access denied", "cam-1: running"]


def test_a_refused_token_ends_the_camera_and_is_not_repeated_in_the_text(camera, server, said):
    server.answers["image"] = [(401, UNKNOWN[1])]
    one = camera()
    assert one.step(0.0) is None and one.step(1.0) is None
    assert one.failed and len(server.requests) == 1
    assert said == ["cam-1: ended: the token was refused (Monitor not found or access denied)"]
    assert "secret-token" not in "".join(said)


@pytest.mark.parametrize("body", [b"<html>", [], {"data": 5}, {"data": {"error": False}}, None])
def test_an_answer_of_another_shape_is_a_refusal_never_a_crash(camera, server, said, body):
    server.answers["image"] = [(200, body)]
    assert camera().step(0.0) > 0
    assert said[0].startswith("cam-1: refused:")


# --- the command ---


def test_without_a_token_the_command_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv("SESSIONSITE_TOKEN", raising=False)
    with pytest.raises(CommandError, match="--token-file, SESSIONSITE_TOKEN or --token"):
        call_command("simulate_cameras")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(CommandError, match="--url"):
        call_command("simulate_cameras", token="x", url=url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc\n", {"a": "abc", "b": "abc"}),
        ("# demo\n\nabc", {"a": "abc", "b": "abc"}),
        ("a one\nb two\nc three\n", {"a": "one", "b": "two", "c": "three"}),
    ],
)
def test_a_token_file_holds_one_token_or_one_for_each_monitor(tmp_path, text, expected):
    (tmp_path / "tokens").write_text(text)
    assert tokens_of(["a", "b"], None, tmp_path / "tokens") == expected


@pytest.mark.parametrize("text", ["", "a one\n", "a b c\n", "one\ntwo\n", "a one\nb\x07two\n"])
def test_another_token_file_is_refused_without_repeating_it(tmp_path, text):
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(CommandError) as refusal:
        tokens_of(["a", "b"], None, tmp_path / "tokens")
    assert "one" not in str(refusal.value).replace("one token", "")


def test_the_environment_may_hold_the_token(monkeypatch):
    monkeypatch.setenv("SESSIONSITE_TOKEN", " abc ")
    assert tokens_of(["a"], None, None) == {"a": "abc"}


# --- against this server ---


@pytest.fixture
def wire(db, token) -> Wire:
    """The cameras' client in front of the real views."""
    client = Client()

    def forward(request: httpx.Request) -> httpx.Response:
        headers = {
            name: value for name, value in request.headers.items() if name not in {"host", "content-length"}
        }
        answer = client.generic(
            request.method,
            request.url.raw_path.decode(),
            request.content,
            content_type=headers.pop("content-type", ""),
            headers=headers,
        )
        return httpx.Response(answer.status_code, content=answer.content)

    return Wire(httpx.Client(base_url="http://server", transport=httpx.MockTransport(forward)), token)


def test_pictures_and_boxes_arrive_in_the_running_session(wire, monitor, said):
    line = Line(4, kind="plate", defect_rate=1.0)
    camera = Camera(monitor.slug, line, wire, Habits(count=4, start=True), said.append)
    while camera.step(0.0) is not None:
        pass
    session = Session.objects.get()
    assert session.total_counter == camera.delivered == 4
    images = list(Image.objects.order_by("pk"))
    assert [image.name for image in images] == [f"cam-1-{number:06d}.jpg" for number in range(4)]
    for number, image in enumerate(images):
        boxes = sorted(
            (tag.label, tag.x_frac, tag.y_frac, tag.w_frac, tag.h_frac)
            for tag in Tag.objects.filter(image=image)
        )
        assert boxes == sorted((box.label, box.x, box.y, box.w, box.h) for box in line.shot(number).boxes)
    assert said == ["cam-1: running", "cam-1: done after 4 pictures"]


def test_a_camera_of_a_stopped_monitor_waits(wire, monitor, session, said):
    camera = Camera(monitor.slug, Line(4), wire, Habits(), said.append)
    camera.step(0.0)
    stop_monitor(monitor, by="ann")
    camera.step(2.0)
    assert said == ["cam-1: running", "cam-1: not started, waiting"]
    assert Image.objects.count() == 1


@pytest.mark.alone
@pytest.mark.server
def test_the_command_waits_for_the_server_feeds_it_and_stops_on_a_signal(tmp_path):
    data_dir = tmp_path / "data"
    with running(Server, data_dir=data_dir) as server:
        token = server.token()
        headers = {"Authorization": f"Bearer {token}"}
        for slug in ("cam-1", "cam-2"):
            made = server.http.post("/api/v1/monitors/", json={"slug": slug, "name": slug}, headers=headers)
            assert made.status_code == 201, made.text
        words = [
            "simulate_cameras",
            "--url",
            server.url,
            "--monitors",
            "cam-1,cam-2",
            "--interval",
            "0.2",
            "--start",
        ]
        printed = manage(*words, "--count", "3", data_dir=data_dir, SESSIONSITE_TOKEN=token)
        assert printed.count("running") == printed.count("done after 3 pictures") == 2
        assert token not in printed
        for slug in ("cam-1", "cam-2"):
            state = server.http.get(f"/api/v1/monitors/{slug}/state/", headers=headers).json()
            assert state["total_counter"] == 3
        with running(Process, *words, data_dir=data_dir, SESSIONSITE_TOKEN=token) as cameras:
            cameras.wait_for_line("cam-2: running")
            code, took_s = cameras.stop()
            assert code == 0 and took_s < 2
