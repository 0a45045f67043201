"""Sockets on the real application, without a server."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from channels.testing import WebsocketCommunicator
from django.test import Client

from sessionsite.common.hub import shutdown
from tests.waiting import PATIENCE_S, live_tasks, until


class Socket:
    """One client of /ws/live/. Frames come as dicts; `closed` is the code that ended it."""

    def __init__(self, application, query: str = "", headers: dict[str, str] | None = None) -> None:
        sent = [
            (name.encode(), value.encode())
            for name, value in {"host": "testserver", **(headers or {})}.items()
        ]
        self._passed_over: list[dict] = []
        self._wire = WebsocketCommunicator(application, f"/ws/live/{query}", headers=sent)

    async def open(self) -> Socket:
        accepted, _ = await self._wire.connect(timeout=PATIENCE_S)
        assert accepted
        return self

    async def send(self, message: object) -> None:
        kind = "bytes" if isinstance(message, bytes) else "text"
        content = message if isinstance(message, (str, bytes)) else orjson.dumps(message).decode()
        await self._wire.send_input({"type": "websocket.receive", kind: content})

    async def next(self, kind: str = "", **fields) -> dict:
        """The next frame of that kind with these fields; others on the way are kept for later calls."""
        for frame in self._passed_over:
            if kind in ("", frame["type"]) and fields.items() <= frame.items():
                self._passed_over.remove(frame)
                return frame
        while True:
            event = await self._wire.receive_output(timeout=PATIENCE_S)
            assert event["type"] == "websocket.send", f"closed with {event.get('code')}"
            frame = orjson.loads(event["text"])
            if kind in ("", frame["type"]) and fields.items() <= frame.items():
                return frame
            self._passed_over.append(frame)

    async def closed(self) -> tuple[int, list[dict]]:
        """The close code, and the frames that came before it."""
        frames, self._passed_over = self._passed_over, []
        while (event := await self._wire.receive_output(timeout=PATIENCE_S))["type"] == "websocket.send":
            frames.append(orjson.loads(event["text"]))
        return event["code"], frames

    async def silent(self, for_s: float = 0.15) -> bool:
        return not self._passed_over and await self._wire.receive_nothing(timeout=for_s)

    async def end(self) -> None:
        if not self._wire.future.done():  # a receive that waited in vain has ended the application
            await self._wire.disconnect(timeout=PATIENCE_S)


@pytest.fixture
def application(settings):
    from sessionsite.lanes import Site

    settings.BACKGROUND_LOOPS = False
    settings.ALLOWED_HOSTS = ["testserver"]
    return Site()


@pytest.fixture
async def connect(application):
    """Opens a socket: connect("?topic=...", token=..., cookie=..., origin=...). All end with the test."""
    sockets: list[Socket] = []

    async def open_socket(
        query: str = "",
        *,
        token: str | None = None,
        cookie: str | None = None,
        origin: str | None = None,
        **headers: str,
    ) -> Socket:
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if cookie is not None:
            headers["cookie"] = cookie
        if origin is not None:
            headers["origin"] = origin
        sockets.append(Socket(application, query, headers))
        return await sockets[-1].open()

    yield open_socket
    for socket in sockets:
        await socket.end()
    await shutdown()
    await until(lambda: not live_tasks(), what="no task is left")


@pytest.fixture
def cookie_of() -> Callable[[object], str]:
    """The Cookie header of a browser in which this user has logged in."""

    def log_in(user) -> str:
        client = Client()
        client.force_login(user)
        return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())

    return log_in
