"""Django's request stack as one ASGI application that needs one thread hop per request.

The stock ASGI handler crosses between loop and threads at every middleware and gives each request a new
thread, hence a new database connection. Here signals, middleware, view and close run together on a fixed pool
of threads, whose connections stay open.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connection
from django.http import HttpResponseBase
from django.urls import set_script_prefix

from sessionsite.common.dialects import refusal
from sessionsite.common.errors import BodyTooLarge, NoRoom
from sessionsite.common.files import disk_errors
from sessionsite.common.threads import pool
from sessionsite.turns import Turns

logger = logging.getLogger(__name__)

SPOOL_BYTES = 2 * 1024 * 1024  # larger bodies wait on disk
STREAM_CHUNK_BYTES = 256 * 1024  # of a streamed answer, per thread hop
STREAM_WAIT_S = 0.2  # a slow stream is sent on as it comes
READING = ("GET", "HEAD")  # what writes waits for the disk anyway
READS_AT_ONCE = 4  # beside a database server, whose answers are waited for; SQLite works in the thread itself


class PooledHandler(ASGIHandler):
    """Every request outside the live lanes: same urls, middleware and admin as any Django site."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._turns = Turns(1 if connection.vendor == "sqlite" else READS_AT_ONCE)

    async def __call__(self, scope, receive, send) -> None:
        try:
            body = await read_body(scope, receive)
        except RequestAborted:
            return
        except (BodyTooLarge, NoRoom) as error:
            await refusal(scope["path"], error).send(send)
            return
        with body:
            async with self._turns.one() if scope["method"] in READING else nullcontext():
                response = await self._in_pool(self._respond, scope, body)
            await self._send(response, send)

    async def _in_pool(self, func, *args):
        threads = pool("requests", settings.HANDLER_THREADS)
        return await asyncio.get_running_loop().run_in_executor(threads, func, *args)

    def _respond(self, scope, body) -> HttpResponseBase:
        """The finished response; a streamed one is still open."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, response = self.create_request(scope, body)
        if request is not None:
            response = self.get_response(request)
        response._handler_class = self.__class__
        if not response.streaming:
            response.close()  # ends the request here, in the thread that holds its connection
        return response

    async def _send(self, response: HttpResponseBase, send) -> None:
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": raw_headers(response)}
        )
        if not response.streaming:
            await send({"type": "http.response.body", "body": response.content})
            return
        try:
            chunks = iter(response)
            while chunk := await self._in_pool(next_chunk, chunks):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await asyncio.shield(self._in_pool(response.close))


def raw_headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    cookies = [
        (b"set-cookie", cookie.output(header="").strip().encode("ascii"))
        for cookie in response.cookies.values()
    ]
    return headers + cookies


def next_chunk(chunks: Iterator[bytes]) -> bytes:
    """Up to STREAM_CHUNK_BYTES of the stream (whole pieces, so possibly a little more); empty at its end.

    What has come within STREAM_WAIT_S is not held back for more.
    """
    gathered, until = bytearray(), time.monotonic() + STREAM_WAIT_S
    for piece in chunks:
        gathered += piece
        if len(gathered) >= STREAM_CHUNK_BYTES or (gathered and time.monotonic() > until):
            break
    return bytes(gathered)


def declared_length(scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])  # 20 digits are over any limit, and int() refuses thousands of them
    return None


async def read_body(scope, receive) -> tempfile.SpooledTemporaryFile:
    """The request's body. Raises RequestAborted, NoRoom; BodyTooLarge by a declared length before reading."""
    limit = settings.MAX_BODY_BYTES
    if (declared_length(scope) or 0) > limit:
        raise BodyTooLarge(limit)
    body = tempfile.SpooledTemporaryFile(SPOOL_BYTES, "w+b", dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115
    size = 0
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestAborted
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLarge(limit)
            with disk_errors():
                body.write(message.get("body", b""))
            if not message.get("more_body"):
                body.seek(0)
                return body
    except BaseException:
        body.close()
        raise
