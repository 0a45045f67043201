"""Bare Starlette: a set of sockets and a plain loop; a queue per event stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from benchmarks.lib.peers.publisher import Publisher

QUEUE_FRAMES = 100

sockets: set[WebSocket] = set()
queues: set[asyncio.Queue] = set()


async def send_to_all(text: bytes) -> None:
    decoded = text.decode()
    for socket in list(sockets):
        await socket.send_text(decoded)
    for queue in list(queues):
        await queue.put(text)
    await asyncio.sleep(0)


publisher = Publisher(send_to_all)


async def watch(socket: WebSocket) -> None:
    await socket.accept()
    sockets.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        sockets.discard(socket)


async def stream(request: Request) -> StreamingResponse:
    queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_FRAMES)

    async def frames() -> AsyncIterator[bytes]:
        queues.add(queue)
        try:
            yield b"retry: 2000\n\n"
            while True:
                yield b"data: " + await queue.get() + b"\n\n"
        finally:
            queues.discard(queue)

    return StreamingResponse(frames(), media_type="text/event-stream")


async def publish(request: Request) -> JSONResponse:
    publisher.start(request.url.query)
    return JSONResponse({})


async def published(request: Request) -> JSONResponse:
    return JSONResponse(publisher.progress())


application = Starlette(
    routes=[
        WebSocketRoute("/ws", watch),
        Route("/stream", stream),
        Route("/bench/publish", publish),
        Route("/bench/published", published),
    ]
)
