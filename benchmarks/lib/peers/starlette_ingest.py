"""Bare Starlette and sqlite3: the same pictures, the same durability, one commit per picture."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from benchmarks.lib.peers.work import Refused, Store, Way, parse

store = Store(Path(os.environ["DATA_DIR"]), Way.of_environment())
watchers: set[WebSocket] = set()


async def post_json(request: Request) -> JSONResponse:
    body = await request.body()
    return await _answer(request, _keep_json, body)


async def post_raw(request: Request) -> JSONResponse:
    body = await request.body()
    return await _answer(request, _keep, body, {})


async def post_form(request: Request) -> JSONResponse:
    async with request.form() as form:
        body = await form["image"].read()
    return await _answer(request, _keep, body, {})


def _keep_json(body: bytes) -> tuple[str, int]:
    return _keep(*parse(body, store.way))


def _keep(data: bytes, about: dict) -> tuple[str, int]:
    row = store.keep_files(data, about)
    return row.key, store.commit([row])


async def _answer(request: Request, work, *arguments) -> JSONResponse:
    try:
        store.check_token(request.headers.get("authorization", ""))
        key, total = await run_in_threadpool(work, *arguments)
    except Refused as error:
        return JSONResponse({"data": {"error": True, "result": f"Error: {error}"}}, 400)
    await _publish(total)
    return JSONResponse({"data": {"error": False, "result": "Added image", "id": key}})


async def _publish(total: int) -> None:
    text = orjson.dumps({"type": "state", "total_counter": total}).decode()
    for watcher in list(watchers):
        await watcher.send_text(text)


async def watch(socket: WebSocket) -> None:
    await socket.accept()
    watchers.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        watchers.discard(socket)


async def total(request: Request) -> JSONResponse:
    return JSONResponse({"total_counter": store.total()})


application = Starlette(
    routes=[
        Route("/monitor/{slug}/image", post_json, methods=["POST"]),
        Route("/raw", post_raw, methods=["POST"]),
        Route("/form", post_form, methods=["POST"]),
        Route("/total", total),
        WebSocketRoute("/ws", watch),
    ]
)
