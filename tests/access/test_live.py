"""Sockets and streams: everybody asks for every topic, and follows what is theirs."""

from __future__ import annotations

import json

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

from sessionsite.common import hub
from sessionsite.lanes import Site
from tests.access.world import MARK, Who, World, build
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)
HOST = "localhost"
FOLLOWS = "follows"
FAMILIES = {
    "fleet": "organisation",
    "monitor": "monitor",
    "session": "session",
    "image": "image",
    "rig": "rig",
    "job": "job",
}


@pytest.fixture
def world(transactional_db) -> World:
    return build()


@pytest.fixture
def topics(world) -> list[str]:
    """One of each family; `rig` is one that is not public."""
    return [f"{family}:{world.names[name]}" for family, name in FAMILIES.items()]


def test_every_family_of_topics_is_asked_for():
    from sessionsite.common.live import _registry

    assert set(_registry.topics) == set(FAMILIES)


@pytest.fixture
async def site():
    yield Site()
    await hub.shutdown()


def headers_of(who: Who) -> list[tuple[bytes, bytes]]:
    headers = [(b"host", HOST.encode()), (b"origin", f"http://{HOST}".encode())]
    if who.by == "token":
        headers.append((b"authorization", who.client.defaults["HTTP_AUTHORIZATION"].encode()))
    if who.by == "cookie":
        cookie = who.client.cookies[settings.SESSION_COOKIE_NAME].value
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
    return headers


async def frames_of_socket(site: Site, who: Who, topic: str) -> tuple[str | int, str]:
    """FOLLOWS or the code that closed the socket, and all the text that came before."""
    scope = {
        "type": "websocket",
        "path": "/ws/live/",
        "query_string": f"topic={topic}".encode(),
        "headers": headers_of(who),
        "subprotocols": [],
    }
    socket = ApplicationCommunicator(site, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(PATIENCE_S))["type"] == "websocket.accept"
    if not who.by:
        await socket.send_input({"type": "websocket.receive", "text": '{"type": "auth", "token": "none"}'})
    text = ""
    while True:
        event = await socket.receive_output(PATIENCE_S)
        if event["type"] == "websocket.close":
            result: str | int = event["code"]
            break
        text += event["text"]
        if json.loads(event["text"])["type"] == "snapshot":
            result = FOLLOWS
            break
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(PATIENCE_S)
    return result, text


async def start_of_stream(site: Site, who: Who, topic: str) -> tuple[int, str]:
    """The status of the stream, and its first piece."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/stream/{topic}",
        "query_string": b"",
        "headers": headers_of(who),
        "client": ("127.0.0.1", 1),
    }
    stream = ApplicationCommunicator(site, scope)
    await stream.send_input({"type": "http.request", "body": b""})
    status = (await stream.receive_output(PATIENCE_S))["status"]
    text = (await stream.receive_output(PATIENCE_S)).get("body", b"").decode()
    while status == 200 and "snapshot" not in text:
        text += (await stream.receive_output(PATIENCE_S))["body"].decode()
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(PATIENCE_S)
    return status, text


async def test_a_socket_shows_a_topic_to_those_who_may_read_it(world, topics, site):
    wrong = []
    for topic in topics:
        for who in world.everybody:
            found, text = await frames_of_socket(site, who, topic)
            expected = FOLLOWS if who.may("read") else 4401 if who.rights is None else 4404
            if found != expected or (MARK in text) != (expected == FOLLOWS):
                wrong.append(f"{who.name} {topic}: {found} instead of {expected}: {text[:100]}")
    assert not wrong, "\n".join(wrong)


async def test_a_stream_shows_a_topic_to_those_who_may_read_it(world, topics, site):
    wrong = []
    for topic in topics:
        for who in world.everybody:
            found, text = await start_of_stream(site, who, topic)
            expected = 200 if who.may("read") else 401 if who.rights is None else 404
            if found != expected or (MARK in text) != (expected == 200):
                wrong.append(f"{who.name} {topic}: {found} instead of {expected}: {text[:100]}")
    assert not wrong, "\n".join(wrong)


async def test_a_foreign_topic_looks_like_one_that_does_not_exist(world, site):
    foreign = next(who for who in world.everybody if who.name == "foreign token")
    for theirs, nothing in (
        ("monitor:cam-1", "monitor:cam-0"),
        ("fleet:ours", "fleet:none"),
        (f"session:{world.names['session']}", "session:se_" + "0" * 26),
    ):
        answers = [await frames_of_socket(site, foreign, topic) for topic in (theirs, nothing)]
        shown = [
            (code, text.replace(topic, "TOPIC"))
            for topic, (code, text) in zip((theirs, nothing), answers, strict=True)
        ]
        assert shown[0] == shown[1]


async def test_a_cookie_opens_no_socket_from_a_page_of_another_site(world, topics, site):
    viewer = next(who for who in world.everybody if who.name == "viewer")
    evil = Who(viewer.name, viewer.client, viewer.rights)
    original = headers_of(evil)
    foreign_origin = [
        (name, b"http://evil.example" if name == b"origin" else value) for name, value in original
    ]
    scope = {
        "type": "websocket",
        "path": "/ws/live/",
        "query_string": b"topic=monitor:cam-1",
        "headers": foreign_origin,
        "subprotocols": [],
    }
    socket = ApplicationCommunicator(site, scope)
    await socket.send_input({"type": "websocket.connect"})
    await socket.receive_output(PATIENCE_S)
    await socket.send_input(
        {"type": "websocket.receive", "text": '{"type": "subscribe", "topic": "monitor:cam-1"}'}
    )
    event = await socket.receive_output(PATIENCE_S)
    assert MARK not in event.get("text", "")
    assert json.loads(event["text"])["code"] == "not_authenticated"
    assert (await socket.receive_output(PATIENCE_S)) == {"type": "websocket.close", "code": 4401}
    await socket.send_input({"type": "websocket.disconnect", "code": 4401})
    await socket.wait(PATIENCE_S)
