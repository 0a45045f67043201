"""daphne in the event loop of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from daphne.ws_protocol import WebSocketFactory

from sessionsite.daphne_server import Connections, DrainingServer
from sessionsite.daphne_transport import Connection


@asynccontextmanager
async def daphne_here(application) -> AsyncIterator[tuple[int, DrainingServer]]:
    """(port, server): connections as `serve` makes them. Twisted's reactor stands, and so do its timers."""
    server = DrainingServer(application, [], lambda: None, server_name="", request_buffer_size=2**20)
    server.connections, server.ws_factory = {}, WebSocketFactory(server, server="")
    make = partial(Connection, Connections(server))
    listening = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1], server
    listening.close()
    for protocol in list(server.connections):
        transport = getattr(protocol, "transport", None)
        if transport is not None:
            transport.abortConnection()
    await asyncio.sleep(0)
