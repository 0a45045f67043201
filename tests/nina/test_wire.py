"""NINA's REST side when it refuses, hangs or talks nonsense: only the event history is indispensable."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import httpx
import pytest

from monitoring.nina import wire
from monitoring.nina.wire import NinaRest, NinaUnreachable

ROUTES = ("time", "application-start", "event-history", "image-history")
OPTIONAL = ("time", "application-start", "image-history")
GOOD = {
    "time": "2026-01-01T21:00:00+01:00",
    "application-start": "2026-01-01T19:00:00",
    "event-history": [{"Event": "GUIDER-START", "Time": "2026-01-01T20:00:00+01:00"}],
    "image-history": [{"ImageType": "LIGHT"}],
}


def message(response, **fields) -> bytes:
    return json.dumps({"Response": response, "Success": True, "StatusCode": 200, **fields}).encode()


def refusal(error: str) -> bytes:
    return message("", Success=False, StatusCode=400, Error=error)


def hangs(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("timed out", request=request)


def answers(status: int, body: bytes):
    return lambda request: httpx.Response(status, content=body)


def read(**instead) -> wire.Answers:
    """What is read of a NINA that answers well on every route but those of `instead`, named with `_`."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix("/v2/api/")
        asked.append(name)
        usual = answers(200, message(GOOD[name]))
        return instead.get(name.replace("-", "_"), usual)(request)

    with NinaRest("http://nina", ZoneInfo("Europe/Madrid"), transport=httpx.MockTransport(answer)) as nina:
        found = nina.read()
    assert sorted(asked) == sorted(ROUTES)
    return found


def left_out(found: wire.Answers) -> set[str]:
    given = {
        "time": found.clock,
        "application-start": found.application_start,
        "event-history": found.entries,
        "image-history": found.images,
    }
    return {name for name in ROUTES if not given[name]}


def test_everything_that_nina_answers_is_read():
    found = read()
    assert left_out(found) == set() and found.unread == ""
    assert (found.entries, found.images) == (GOOD["event-history"], GOOD["image-history"])
    assert found.application_start == GOOD["application-start"]


FAILURES = {
    "hangs": hangs,
    "breaks off": answers(200, b'{"Response": [{"Event": "GUI'),
    "is no JSON": answers(200, b"<html>busy</html>"),
    "is in no known coding": lambda request: httpx.Response(
        200, stream=httpx.ByteStream(b"no gzip"), headers={"content-encoding": "gzip"}
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("route", OPTIONAL)
def test_a_route_that_cannot_be_read_is_left_out_and_named(route, failure):
    found = read(**{route.replace("-", "_"): FAILURES[failure]})
    assert left_out(found) == {route}
    assert f"NINA's {route}" in found.unread and "cannot be read" in found.unread


@pytest.mark.parametrize("failure", FAILURES)
def test_an_event_history_that_cannot_be_read_is_a_nina_that_cannot_be_reached(failure):
    with pytest.raises(NinaUnreachable, match="event-history cannot be read"):
        read(event_history=FAILURES[failure])


REFUSALS = {
    "with status 400": answers(400, refusal("Index out of range")),
    "with Success false": answers(200, refusal("Index out of range")),
    "with status 404": answers(404, b"no such route"),
    "without an answer in it": answers(200, b'{"Success": true}'),
    "with a bare number": answers(200, b"NaN"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("route", ["application-start", "image-history"])
def test_a_route_that_nina_refuses_is_left_out_without_a_complaint(route, refusal):
    found = read(**{route.replace("-", "_"): REFUSALS[refusal]})
    assert left_out(found) == {route} and found.unread == ""


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_event_history_that_nina_refuses_is_named(refusal):
    with pytest.raises(NinaUnreachable, match="event-history answered"):
        read(event_history=REFUSALS[refusal])


@pytest.mark.parametrize("refusal", REFUSALS)
def test_the_clock_is_ours_where_nina_does_not_tell_the_time(refusal):
    found = read(time=REFUSALS[refusal])
    assert found.clock == wire.RemoteClock() and found.unread == ""


def test_a_nan_in_an_answer_reads_as_nothing():
    body = b'{"Response": [{"HFR": NaN, "Stars": 3, "RmsText": "NaN"}], "Success": true}'
    assert read(image_history=answers(200, body)).images == [{"HFR": None, "Stars": 3, "RmsText": "NaN"}]


def test_an_answer_may_be_as_long_as_the_limit_and_no_longer(monkeypatch):
    assert wire.BODY_BYTES == 64 * 1024 * 1024
    monkeypatch.setattr(wire, "BODY_BYTES", limit := 1000)
    empty = len(message(""))
    for length, is_taken in ((limit, True), (limit + 1, False)):
        body = message("x" * (length - empty))
        assert len(body) == length
        found = read(application_start=answers(200, body))
        assert bool(found.application_start) is is_taken
        assert bool(found.unread) is not is_taken
    with pytest.raises(NinaUnreachable, match="more than 1000 bytes"):
        read(event_history=answers(200, message(["x" * limit])))


def test_an_endless_answer_is_read_no_further_than_the_limit(monkeypatch):
    monkeypatch.setattr(wire, "BODY_BYTES", 1000)
    sent = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            while len(sent) < 100:  # then the test has failed
                sent.append(100)
                yield b"x" * 100

    assert left_out(read(image_history=lambda request: httpx.Response(200, stream=Endless()))) == {
        "image-history"
    }
    assert len(sent) == 11


def test_a_short_answer_is_waited_for_only_briefly():
    waited_s = {}

    def noted(request: httpx.Request) -> httpx.Response:
        waited_s[request.url.path.rpartition("/")[2]] = request.extensions["timeout"]["read"]
        return hangs(request)

    with pytest.raises(NinaUnreachable):
        read(**{route.replace("-", "_"): noted for route in ROUTES if route != "image-history"})
    assert waited_s == {"time": 5.0, "application-start": 5.0, "event-history": 30.0}
