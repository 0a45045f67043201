"""Simulated NINAs for tests: one on a thread of its own, and one whose answers are broken."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

from monitoring.nina.script import Frame, Script
from monitoring.nina.simulator import SimulatedNina


class BrokenNina(SimulatedNina):
    """Of the routes in `broken`, such as "image-history", nothing comes that can be read."""

    def __init__(self, script: Script, **options) -> None:
        super().__init__(script, **options)
        self.broken: set[str] = set()
        self.asked: list[str] = []

    async def _answer(self, connection, request):
        response = await super()._answer(connection, request)
        route = urlsplit(request.path).path.rpartition("/")[2]
        self.asked.append(route)
        return connection.respond(HTTPStatus.OK, '{"Response": [') if route in self.broken else response


class NinaThread:
    """What a test does to NINA: events happen, connections end, it goes away and comes back."""

    def __init__(self, nina: SimulatedNina, loop: asyncio.AbstractEventLoop) -> None:
        self.nina, self._loop = nina, loop

    @property
    def url(self) -> str:
        return self.nina.url

    def happen(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._do(self.nina.happen, frame)

    @contextmanager
    def playing(self):
        """The script's frames happen at their times until the end of the block."""
        playing = asyncio.run_coroutine_threadsafe(self.nina.play(), self._loop)
        try:
            yield
        finally:
            playing.cancel()

    def go_away(self) -> None:
        """Connections end, none is taken until `come_back`."""

        def leave() -> None:
            self.nina.is_down = True
            for socket in list(self.nina.sockets):
                socket.transport.abort()

        self._do(leave)

    def come_back(self) -> None:
        self.nina.is_down = False

    def _do(self, func, *args) -> None:
        async def call() -> None:
            func(*args)

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)


@contextmanager
def simulated_nina(script: Script, **options):
    """A NinaThread that answers until the end of the block."""
    nina, loop = SimulatedNina(script, **options), asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with nina.serving():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield NinaThread(nina, loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
