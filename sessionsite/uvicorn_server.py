"""uvicorn as `serve` runs it: live readers are told to reconnect before the connections are drained."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn
from django.conf import settings
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sessionsite.network import PING_S, PONG_WITHIN_S
from sessionsite.one_write import OneWriteProtocol
from sessionsite.stopping import DRAIN_S, SOCKETS_S, dismiss_readers, end_in_any_case, until

# A camera posts every few seconds: its connection is kept for the next picture.
KEEP_ALIVE_S = 75
TICK_S = 1.0
MAX_MESSAGE_BYTES = 1024 * 1024


class DrainingServer(uvicorn.Server):
    """Calls `on_ready` once requests are taken; a stop signal drains and ends within 10 s."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready
        self._is_told = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()

    async def main_loop(self) -> None:
        """A tick each second, for the date in the answers, and one when a signal comes.

        uvicorn's own looks ten times a second whether one came, and wakes a machine that could sleep.
        """
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._is_told.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        end_in_any_case()
        super().handle_exit(sig, frame)
        self._is_told.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        # Before uvicorn waits for the open responses: an event stream ends only when its reader is dismissed.
        await dismiss_readers()
        await until(lambda: not self._open_sockets(), SOCKETS_S)
        await super().shutdown(sockets)

    def _open_sockets(self) -> list[WebSocketsSansIOProtocol]:
        connections = self.server_state.connections
        return [c for c in connections if isinstance(c, WebSocketsSansIOProtocol) and not c.close_sent]


def run(application, listeners: list[socket.socket], on_ready: Callable[[], None]) -> None:
    """Serve until a stop signal; returns after the drain. The signal is raised again afterwards."""
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=OneWriteProtocol,
        ws="websockets-sansio",
        lifespan="on",
        log_config=None,
        access_log=settings.ACCESS_LOG,
        proxy_headers=settings.TRUST_PROXY,
        forwarded_allow_ips="*" if settings.TRUST_PROXY else "",
        server_header=False,
        ws_per_message_deflate=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PONG_WITHIN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(DRAIN_S),
    )
    DrainingServer(config, on_ready).run(sockets=listeners)
