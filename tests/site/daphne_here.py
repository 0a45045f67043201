"""daphne in the event loop of a test."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daphne.ws_protocol import WebSocketFactory

from sessionsite.daphne_server import PIECE_BYTES, DrainingServer


@asynccontextmanager
async def daphne_here(application) -> AsyncIterator[tuple[int, DrainingServer]]:
    """(port, server): connections as `serve` makes them. Twisted's reactor stands, and so do its timers."""
    server = DrainingServer(application, [], lambda: None, server_name="", request_buffer_size=PIECE_BYTES)
    server.connections, server.ws_factory = {}, WebSocketFactory(server, server="")
    listening = await server.listen(socket.create_server(("127.0.0.1", 0)))
    yield listening.sockets[0].getsockname()[1], server
    listening.close()
