"""A simulated NINA: REST and socket on one port, playing a recorded night. Wire: ninaAPI 2.x."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from monitoring.nina.script import Frame, Script, stamp_of
from monitoring.nina.wire import SPEED_HEADER


class SimulatedNina:
    """What NINA holds in memory, and the sockets that listen to it.

    speed: how many times faster its clock runs than ours. dup: the share of frames that are sent twice.
    """

    def __init__(
        self,
        script: Script,
        *,
        speed: float = 1.0,
        dup: float = 0.0,
        seed: int = 1,
        begins_at: datetime | None = None,
    ) -> None:
        self.script, self.speed, self.dup = script, speed, dup
        self.history, self.images = list(script.history), list(script.images)
        self.past: list[tuple[list, list]] = []  # histories and images that restarts have taken
        self.sockets: set[ServerConnection] = set()
        self.is_down = False
        self.answers = asyncio.Event()  # not set: requests are taken and nothing comes back
        self.answers.set()
        self.sent = self.connections = 0
        self.port = 0
        self._chance = random.Random(seed)
        self._begun_at = datetime.now(UTC)
        self._clock_at_begin = begins_at or self._begun_at
        self.application_start = stamp_of("DOME-STOPPED", self.now(), script.zone)

    def now(self) -> datetime:
        """The simulated time."""
        return self._clock_at_begin + (datetime.now(UTC) - self._begun_at) * self.speed

    # --- the server -------------------------------------------------------------------------------------

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0):
        """Requests and sockets are answered; `port` is then the one in use."""
        server = await serve(
            self._listen, host, port, process_request=self._answer, compression=None, ping_interval=None
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close(close_connections=True)
            await server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _listen(self, socket: ServerConnection) -> None:
        self.sockets.add(socket)
        self.connections += 1
        try:
            with suppress(ConnectionClosed):
                async for _ in socket:  # what clients say has no effect
                    continue
        finally:
            self.sockets.discard(socket)

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path.rstrip("/")
        if self.is_down:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "down")
        if path == "/v2/socket":
            return None
        await self.answers.wait()
        answers: dict[str, Callable[[], Any]] = {
            "/v2/api/event-history": lambda: self.history,
            "/v2/api/image-history": lambda: self.images,
            "/v2/api/application-start": lambda: self.application_start,
            "/v2/api/time": lambda: self.now().astimezone(self.script.zone).isoformat(),
        }
        if path not in answers:
            return connection.respond(HTTPStatus.NOT_FOUND, "no such route")
        return self._json(answers[path]())

    def _json(self, response: Any) -> Response:
        message = {"Response": response, "Error": "", "StatusCode": 200, "Success": True, "Type": "API"}
        body = json.dumps(message).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        headers["Connection"] = "close"
        if self.speed != 1:
            headers[SPEED_HEADER] = f"{self.speed:g}"
        return Response(200, "OK", headers, body)

    # --- what happens -----------------------------------------------------------------------------------

    def happen(self, frame: Frame) -> None:
        """The event is in the history and on its way to every socket."""
        self.history += self.script.entries_of([frame])
        self.images += self.script.images_of([frame])
        self.sent += 1
        self.send_raw(frame.text)
        if self._chance.random() < self.dup:
            self.send_raw(frame.text)

    def send_raw(self, data: str | bytes) -> None:
        broadcast(self.sockets, data)

    async def cut(self, down_s: float = 0.0) -> None:
        """Every connection ends without a word, and none is taken for so long."""
        self.is_down = down_s > 0
        for socket in list(self.sockets):
            socket.transport.abort()
        if down_s:
            await asyncio.sleep(down_s)
            self.is_down = False

    def restart(self) -> None:
        """NINA begins anew: its history is empty."""
        self.past.append((self.history, self.images))
        self.history, self.images = [], []
        self.application_start = stamp_of(
            "DOME-STOPPED", self.now() + timedelta(milliseconds=1), self.script.zone
        )

    async def play(self) -> None:
        """The script's frames happen at their times of the simulated clock."""
        for frame in self.script.frames:
            wait_s = (frame.at - self.now()).total_seconds() / self.speed
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self.happen(frame)

    async def drop_every(self, every_s: float, down_s: float) -> None:
        """The connection is cut again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.cut(down_s)
