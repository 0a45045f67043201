"""The `websockets` library with its own broadcast, the fastest plain Python way: `<port>`."""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

from benchmarks.lib.peers.publisher import Publisher

FULL_BYTES = 64 * 1024
connections: set[ServerConnection] = set()


async def send_to_all(text: bytes) -> None:
    """Broadcast never waits: hold back while some healthy buffer is full, as every user of it must."""
    broadcast(connections, text.decode())
    await asyncio.sleep(0)
    while any(c.transport.get_write_buffer_size() > FULL_BYTES for c in connections):
        await asyncio.sleep(0.001)


publisher = Publisher(send_to_all)


async def watch(connection: ServerConnection) -> None:
    connections.add(connection)
    try:
        await connection.wait_closed()
    finally:
        connections.discard(connection)


def control(connection: ServerConnection, request: Request) -> Response | None:
    path, _, query = request.path.partition("?")
    if path == "/bench/publish":
        publisher.start(query)
        return connection.respond(200, "{}")
    if path == "/bench/published":
        return connection.respond(200, json.dumps(publisher.progress()))
    return None


async def main(port: int) -> None:
    async with serve(
        watch, "127.0.0.1", port, compression=None, process_request=control, backlog=2048
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
