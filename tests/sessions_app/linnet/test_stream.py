"""GET /session/{id}/stream through the whole site: its own words on the way of /stream/."""

from __future__ import annotations

import json

import pytest
from asgiref.testing import ApplicationCommunicator

from sessions_app.models import SubscriberLease
from sessions_app.services import add_frames, append, end_session, interrupt
from sessions_app.services.frames import Frame
from sessionsite.common import hub as hub_module
from sessionsite.common.hub import get_hub, shutdown
from sessionsite.lanes import Site
from tests.sessions_app.linnet.conftest import reap
from tests.waiting import PATIENCE_S, in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


class Stream:
    """A client of the wire: reads the body piece by piece."""

    def __init__(self, key: str, token: str, last_id: int | None = None) -> None:
        headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
        if last_id is not None:
            headers.append((b"last-event-id", str(last_id).encode()))
        path = f"/session/{key}/stream"
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
        self._app = ApplicationCommunicator(Site(), scope)
        self.body = b""

    async def open(self) -> tuple[int, dict]:
        await self._app.send_input({"type": "http.request"})
        start = await self._app.receive_output(PATIENCE_S)
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}

    async def read(self) -> bytes | None:
        """The next piece; None at the end."""
        message = await self._app.receive_output(PATIENCE_S)
        self.body += message["body"]
        return message["body"] if message.get("more_body") else None

    async def events(self, count: int) -> list[tuple[str, dict]]:
        """The next `count` events as (name, data); comments are passed over."""
        found: list[tuple[str, dict]] = []
        while len(found) < count:
            piece = await self.read()
            assert piece is not None, f"the stream ended after {found}"
            for block in piece.decode().split("\n\n"):
                lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
                if "event" in lines:
                    found.append((lines["event"], json.loads(lines["data"])))
        return found

    async def leave(self) -> None:
        await self._app.send_input({"type": "http.disconnect"})
        await self._app.wait(PATIENCE_S)


@pytest.fixture
async def hub(annotation, token):
    yield get_hub()
    await shutdown()


async def test_it_begins_with_a_comment_and_the_headers_of_a_stream(hub, annotation, token):
    stream = Stream(annotation.key, token)
    status, headers = await stream.open()
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"].startswith("no-cache")
    assert headers["x-accel-buffering"] == "no"
    assert await stream.read() == b": heartbeat\n\n"
    await stream.leave()


async def test_frames_are_tone_events_with_their_seq(hub, annotation, token):
    stream = Stream(annotation.key, token)
    await stream.open()
    await stream.read()
    await in_thread(append, annotation, "marker", detail={"label": "inside only"})
    frame = Frame(
        "raised", 0.8, speaker_id="s1", shift_magnitude=0.4, shift_direction="up", prosody_flags=("loud",)
    )
    await in_thread(add_frames, annotation, [frame], by="p")
    [(name, tone)] = await stream.events(1)
    assert name == "tone-event"
    assert list(tone) == [
        "event_type", "label", "confidence", "speaker_id", "shift_magnitude", "timestamp", "session_id",
        "subtext", "affect", "shift_direction", "prosody_flags",
    ]  # fmt: skip
    assert (tone["event_type"], tone["label"], tone["session_id"]) == ("tone", "raised", annotation.key)
    assert (tone["shift_direction"], tone["prosody_flags"]) == ("up", ["loud"])
    assert b"id: 3\nevent: tone-event\n" in stream.body
    assert b"marker" not in stream.body
    await stream.leave()


async def test_silence_is_a_comment(hub, annotation, token, monkeypatch):
    monkeypatch.setattr(hub_module, "HEARTBEAT_S", 0.0)
    stream = Stream(annotation.key, token)
    await stream.open()
    await stream.read()
    hub.send_heartbeats()
    assert await stream.read() == b": heartbeat\n\n"
    await stream.leave()


async def test_a_client_that_comes_back_gets_what_it_missed(hub, annotation, token):
    await in_thread(add_frames, annotation, [Frame("calm", 0.6), Frame("quiet", 0.7)], by="p")
    stream = Stream(annotation.key, token, last_id=2)
    await stream.open()
    assert [(name, tone["label"]) for name, tone in await stream.events(1)] == [("tone-event", "quiet")]
    await stream.leave()


async def test_the_end_is_a_last_event_and_the_end_of_the_stream(hub, annotation, token):
    stream = Stream(annotation.key, token)
    await stream.open()
    await stream.read()
    await in_thread(end_session, annotation, by="ann", reason="ended")
    assert await stream.events(1) == [
        (
            "session-event",
            {"event_type": "session", "session_id": annotation.key, "state": "stopped", "reason": "ended"},
        )
    ]
    assert await stream.read() is None
    assert stream.body.count(b"session-event") == 1


@pytest.mark.parametrize("end", [end_session, interrupt, reap])
async def test_afterwards_it_is_unknown(hub, annotation, token, foreign_token, end):
    for secret in (foreign_token, token):
        if secret == token:
            await in_thread(end, annotation, by="ann", reason="done")
        stream = Stream(annotation.key, secret)
        status, headers = await stream.open()
        assert (status, headers["content-type"]) == (404, "application/json")
        await stream.read()
        assert json.loads(stream.body) == {"detail": f"Session {annotation.key} not found"}


async def test_a_reaped_session_says_so_in_its_last_event(hub, annotation, token):
    """A reader whose lease was lost, as of a process that was taken for dead, is told all the same."""
    stream = Stream(annotation.key, token)
    await stream.open()
    await stream.read()
    await in_thread(SubscriberLease.objects.all().delete)
    await in_thread(reap, annotation)
    [(name, told)] = await stream.events(1)
    assert (name, told["state"], told["reason"]) == ("session-event", "stopped", "idle")
    assert await stream.read() is None


async def test_who_reads_it_keeps_the_session_alive(hub, annotation, token):
    stream = Stream(annotation.key, token)
    await stream.open()
    assert await in_thread(SubscriberLease.objects.count) == 1
    await stream.leave()
    await until(lambda: not hub.presence._held)
    assert await in_thread(SubscriberLease.objects.count) == 0
