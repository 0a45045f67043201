"""WS /session/{id}/audio: chunks acknowledged, refusals told, frames in the session."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import OperationalError

from sessions_app.api.linnet import audio
from sessions_app.classifiers import CHUNK_BYTES, ExtraMissing, register_classifier
from sessions_app.models import SessionEvent, SubscriberLease
from sessions_app.services import end_session, interrupt
from sessions_app.services.frames import Frame
from sessionsite.common.hub import get_hub, shutdown
from sessionsite.lanes import Site
from tests.services import need_numpy
from tests.sessions_app.linnet.conftest import reap
from tests.waiting import PATIENCE_S, in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)
CHUNK = bytes(CHUNK_BYTES)


class Parrot:
    """Says one frame per chunk; its runs can be watched."""

    name = "parrot"

    def __init__(self) -> None:
        self.started = self.closed = self.chunks = 0
        self.error: Exception | None = None

    def start(self):
        if isinstance(self.error, ExtraMissing):
            raise self.error
        self.started += 1
        return self

    def feed(self, pcm: bytes) -> list[Frame]:
        if self.error:
            raise self.error
        self.chunks += len(pcm) // CHUNK_BYTES
        return [Frame(f"c{self.chunks}", 0.9)]

    def close(self) -> None:
        self.closed += 1


class Microphone:
    def __init__(self, site, key: str, secret: str = "") -> None:
        headers = [(b"host", b"localhost")]
        if secret:
            headers.append((b"authorization", f"Bearer {secret}".encode()))
        path = f"/session/{key}/audio"
        self._app = ApplicationCommunicator(
            site, {"type": "websocket", "path": path, "query_string": b"", "headers": headers}
        )

    async def open(self) -> Microphone:
        await self._app.send_input({"type": "websocket.connect"})
        assert (await self._app.receive_output(PATIENCE_S))["type"] == "websocket.accept"
        return self

    async def send(self, chunk: bytes | str) -> None:
        kind = "text" if isinstance(chunk, str) else "bytes"
        await self._app.send_input({"type": "websocket.receive", kind: chunk})

    async def hears(self) -> dict:
        event = await self._app.receive_output(PATIENCE_S)
        return {"close": event["code"]} if event["type"] == "websocket.close" else json.loads(event["text"])

    async def leave(self) -> None:
        await self._app.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._app.wait(PATIENCE_S)


@pytest.fixture
def parrot(monkeypatch, settings) -> Parrot:
    from sessions_app import classifiers

    monkeypatch.setattr(classifiers, "_registered", dict(classifiers._registered))
    settings.AUDIO_CLASSIFIER = "parrot"
    register_classifier(parrot := Parrot())
    return parrot


@pytest.fixture
async def site(annotation):
    yield Site()
    await shutdown()


def said(session) -> int:
    return SessionEvent.objects.filter(session=session, kind="frame").count()


async def test_chunks_are_acknowledged_and_become_frames(site, annotation, token, parrot):
    microphone = await Microphone(site, annotation.key, token).open()
    for _ in range(5):
        await microphone.send(CHUNK)
        assert await microphone.hears() == {"ok": True, "bytes": 3200}
    await until(lambda: parrot.chunks == 5)
    await microphone.leave()
    assert 1 <= await in_thread(said, annotation) <= 5
    assert (parrot.started, parrot.closed) == (1, 1)


@pytest.mark.parametrize("chunk", [b"", CHUNK[:-2], CHUNK + b"00", "text", '{"type": "auth"}'])
async def test_a_chunk_of_the_wrong_size_is_told_and_the_socket_stays(site, annotation, token, parrot, chunk):
    microphone = await Microphone(site, annotation.key, token).open()
    await microphone.send(chunk)
    answer = await microphone.hears()
    assert (answer["ok"], answer["code"], answer["details"]["bytes"]) == (False, "wrong_size", len(chunk))
    await microphone.send(CHUNK)
    assert (await microphone.hears())["ok"] is True
    await microphone.leave()


async def test_the_end_of_the_session_ends_the_socket_with_its_reason(site, annotation, token, parrot):
    microphone = await Microphone(site, annotation.key, token).open()
    await microphone.send(CHUNK)
    await microphone.hears()
    await in_thread(end_session, annotation, by="ann")
    answer = await microphone.hears()
    assert (answer["ok"], answer["code"]) == (False, "session_over")
    assert await microphone.hears() == {"close": 4004}
    await microphone.leave()
    assert parrot.closed == 1


async def test_who_is_refused_is_told_why_after_the_accept(
    site, annotation, token, viewer_token, foreign_token, parrot
):
    for key, secret, code, close in [
        ("deadbeef", token, "not_found", 4004),
        (annotation.key, foreign_token, "not_found", 4004),
        (annotation.key, viewer_token, "not_allowed", 4403),
        (annotation.key, "tk_wrong", "not_authenticated", 4401),
    ]:
        microphone = await Microphone(site, key, secret).open()
        assert (await microphone.hears())["code"] == code
        assert await microphone.hears() == {"close": close}
        await microphone.leave()
    assert parrot.started == 0


@pytest.mark.parametrize("message", ["nope", "[1]"])
async def test_a_first_message_that_makes_no_sense_is_told_so(site, annotation, message, parrot):
    microphone = await Microphone(site, annotation.key).open()
    await microphone.send(message)
    assert (await microphone.hears())["code"] == "bad_message"
    assert await microphone.hears() == {"close": 4400}
    await microphone.leave()


async def test_a_first_message_may_bring_the_token(site, annotation, token, parrot):
    microphone = await Microphone(site, annotation.key).open()
    await microphone.send(json.dumps({"type": "auth", "token": token}))
    await microphone.send(CHUNK)
    assert await microphone.hears() == {"ok": True, "bytes": 3200}
    await microphone.leave()


async def test_sound_without_a_name_is_refused(site, annotation, parrot):
    microphone = await Microphone(site, annotation.key).open()
    await microphone.send(CHUNK)
    assert (await microphone.hears())["code"] == "not_authenticated"
    assert await microphone.hears() == {"close": 4401}
    await microphone.leave()


async def test_a_missing_extra_is_told(site, annotation, token, parrot):
    parrot.error = ExtraMissing("Install the extra `audio`.", extra="audio")
    microphone = await Microphone(site, annotation.key, token).open()
    answer = await microphone.hears()
    assert (answer["code"], answer["details"]["extra"]) == ("extra_missing", "audio")
    assert await microphone.hears() == {"close": 4503}
    await microphone.leave()


async def test_without_numpy_the_built_in_classifier_says_which_extra_it_needs(
    site, annotation, token, monkeypatch
):
    monkeypatch.setitem(sys.modules, "numpy", None)
    microphone = await Microphone(site, annotation.key, token).open()
    answer = await microphone.hears()
    assert (answer["ok"], answer["code"]) == (False, "extra_missing")
    assert "extra `audio`" in answer["error"]
    assert await microphone.hears() == {"close": 4503}
    await microphone.leave()


async def test_the_built_in_classifier_hears_a_voice(site, annotation, token):
    need_numpy()
    from tests.sessions_app.voices import voice

    microphone = await Microphone(site, annotation.key, token).open()
    sound = voice(3)
    for begin in range(0, len(sound), CHUNK_BYTES):
        await microphone.send(sound[begin : begin + CHUNK_BYTES])
        assert await microphone.hears() == {"ok": True, "bytes": CHUNK_BYTES}

    async def labels() -> set[str]:
        return await in_thread(
            lambda: {entry.detail["label"] for entry in SessionEvent.objects.filter(kind="frame")}
        )

    async with asyncio.timeout(10):
        while await labels() != {"calm"}:
            await asyncio.sleep(0.01)
    await microphone.leave()


@pytest.mark.parametrize("end", [end_session, interrupt, reap])
async def test_sound_for_a_session_that_is_over_is_told_so(site, annotation, token, parrot, end):
    await in_thread(end, annotation, by="ann", reason="done")
    microphone = await Microphone(site, annotation.key, token).open()
    answer = await microphone.hears()
    assert (answer["ok"], answer["code"]) == (False, "not_found")
    assert answer["error"] == f"Session {annotation.key} not found"
    assert await microphone.hears() == {"close": 4004}
    await microphone.leave()
    assert parrot.started == 0


async def test_a_classifier_that_fails_is_told_and_the_session_goes_on(site, annotation, token, parrot):
    parrot.error = ZeroDivisionError()
    microphone = await Microphone(site, annotation.key, token).open()
    await microphone.send(CHUNK)
    assert (await microphone.hears())["ok"] is True
    assert (await microphone.hears())["code"] == "classifier_failed"
    assert await microphone.hears() == {"close": 4500}
    await microphone.leave()
    await in_thread(annotation.refresh_from_db)
    assert annotation.state == "active"


@pytest.mark.parametrize("asks", ["find_session", "add_frames"])
async def test_a_database_that_does_not_answer_is_told_and_the_microphone_may_come_back(
    site, annotation, token, parrot, monkeypatch, asks
):
    def fail(*args, **kwargs):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(audio, asks, fail)
    microphone = await Microphone(site, annotation.key, token).open()
    await microphone.send(CHUNK)
    heard = [await microphone.hears()]
    while "close" not in heard[-1]:
        heard.append(await microphone.hears())
    assert (heard[-2]["ok"], heard[-2]["code"], heard[-1]) == (False, "busy", {"close": 4503})
    await microphone.leave()


async def test_a_microphone_is_nobody_who_looks(site, annotation, token, parrot):
    microphone = await Microphone(site, annotation.key, token).open()
    await microphone.send(CHUNK)
    await microphone.hears()
    assert await in_thread(SubscriberLease.objects.count) == 0
    await microphone.leave()


async def test_a_stopping_server_says_come_back_and_leaves_nothing(site, annotation, token, parrot):
    microphone = await Microphone(site, annotation.key, token).open()
    await microphone.send(CHUNK)
    await microphone.hears()
    await shutdown()
    assert await microphone.hears() == {"close": 4012}
    await microphone.leave()
    assert not get_hub().readers
    await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name() == "audio"])


async def test_too_many_microphones_are_refused(site, annotation, token, parrot, monkeypatch):
    monkeypatch.setattr("sessions_app.api.linnet.audio.SOCKETS_MAX", 1)
    first = await Microphone(site, annotation.key, token).open()
    await first.send(CHUNK)
    await first.hears()
    second = await Microphone(site, annotation.key, token).open()
    assert (await second.hears())["code"] == "too_many_readers"
    assert await second.hears() == {"close": 4429}
    for each in (first, second):
        await each.leave()
