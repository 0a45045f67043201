"""{"type": "frames"} on /ws/live/: the same verb as REST, answered on the socket."""

from __future__ import annotations

import json

import pytest
from asgiref.testing import ApplicationCommunicator

from sessions_app.models import SessionEvent
from sessions_app.services import end_session, start_annotation
from sessionsite.accounts import rates
from sessionsite.common.hub import shutdown
from sessionsite.lanes import Site
from tests.waiting import PATIENCE_S, in_thread

pytestmark = pytest.mark.django_db(transaction=True)


class Socket:
    def __init__(self, secret: str) -> None:
        headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {secret}".encode())]
        scope = {"type": "websocket", "path": "/ws/live/", "query_string": b"", "headers": headers}
        self._app = ApplicationCommunicator(Site(), scope)

    async def ask(self, **message) -> dict:
        await self._app.send_input({"type": "websocket.receive", "text": json.dumps(message)})
        return json.loads((await self._app.receive_output(PATIENCE_S))["text"])

    async def __aenter__(self):
        await self._app.send_input({"type": "websocket.connect"})
        assert (await self._app.receive_output(PATIENCE_S))["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *_):
        await self._app.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._app.wait(PATIENCE_S)


@pytest.fixture
async def annotation(transactional_db, organisation):
    yield await in_thread(start_annotation, organisation, by="ann", idle_ttl_s=90)
    await shutdown()


async def test_frames_are_taken_and_answered(annotation, token):
    topic = f"session:{annotation.key}"
    frames = [{"label": "calm", "confidence": 0.9}, {"label": "quiet", "confidence": 0.1}]
    async with Socket(token) as socket:
        answer = await socket.ask(type="frames", topic=topic, frames=frames)
    assert answer == {"type": "frames", "topic": topic, "accepted": 1, "below_threshold": 1, "last_seq": 2}
    assert await in_thread(SessionEvent.objects.filter(session=annotation, kind="frame").count) == 1


async def test_refusals_are_frames_and_the_socket_stays(annotation, token, viewer_token, foreign_token):
    topic, frames = f"session:{annotation.key}", [{"label": "calm", "confidence": 0.9}]
    for secret, asked, code in [
        (token, {"topic": topic, "frames": [{"label": "calm"}]}, "invalid"),
        (token, {"topic": topic}, "invalid"),
        (token, {"topic": 5, "frames": frames}, "not_found"),
        (viewer_token, {"topic": topic, "frames": frames}, "not_allowed"),
        (foreign_token, {"topic": topic, "frames": frames}, "not_found"),
    ]:
        async with Socket(secret) as socket:
            answer = await socket.ask(type="frames", **asked)
            assert (answer["type"], answer["code"]) == ("error", code)
            assert (await socket.ask(type="nonsense"))["code"] == "bad_message"


async def test_a_session_that_is_over_answers_so(annotation, token):
    await in_thread(end_session, annotation, by="ann")
    frames = [{"label": "calm", "confidence": 0.9}]
    async with Socket(token) as socket:
        answer = await socket.ask(type="frames", topic=f"session:{annotation.key}", frames=frames)
    assert (answer["type"], answer["code"]) == ("error", "session_over")


async def test_frames_count_as_uploads(annotation, token, settings):
    settings.RATE_LIMIT_INGEST_PER_MIN = 2
    await in_thread(rates.forget)
    asked = {"topic": f"session:{annotation.key}", "frames": [{"label": "calm", "confidence": 0.9}]}
    async with Socket(token) as socket:
        answers = [await socket.ask(type="frames", **asked) for _ in range(3)]
    await in_thread(rates.forget)
    assert [answer["type"] for answer in answers] == ["frames", "frames", "error"]
    assert answers[-1]["code"] == "rate_limited"
