"""/stream/<topic>: the frames of the live socket as server-sent events.

Events carry their seq as `id:`, so that a browser resumes by itself with Last-Event-ID. A finished topic ends
its stream, and answers 204 to a client that has it all, which then stays away; where there are states only,
the last of them carries its revision as `id:` for this. Other frames carry none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, unquote

from sessionsite.common.access import Caller
from sessionsite.common.consumers import CLOSE_WITHIN_S, Identified, Identify
from sessionsite.common.databases import UNAVAILABLE, unavailable
from sessionsite.common.dialects import refusal
from sessionsite.common.errors import DomainError, NotAuthenticated
from sessionsite.common.hub import Reader, get_hub
from sessionsite.common.hub.frames import Frame
from sessionsite.common.hub.reader import CLOSE_LOST, Credential
from sessionsite.common.hub.wires import Wire, wire_of
from sessionsite.common.live import Snapshot, Topic, find_topic
from sessionsite.common.threads import read_in_thread

logger = logging.getLogger(__name__)

PREFIX = "/stream/"
RETRY_MS = 2000
NOTHING_LEFT = object()
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"content-encoding", b"identity"),  # a compressing proxy would hold frames back
    (b"x-accel-buffering", b"no"),
]


class BadResume(DomainError):
    code = "bad_after"


class MethodNotAllowed(DomainError):
    code, status = "method_not_allowed", 405


def event_stream(identify: Identify) -> Callable[..., Awaitable[None]]:
    """The ASGI application of the streams."""

    async def application(scope, receive, send) -> None:
        await EventStream(identify, scope, receive, send).run()

    return application


class EventStream:
    """One stream, from request to end."""

    preamble = b"retry: %d\n\n" % RETRY_MS  # the first bytes of the body

    def __init__(self, identify: Identify, scope, receive, send) -> None:
        self._identify, self._scope, self._receive, self._send = identify, scope, receive, send
        self._query = parse_qs(scope.get("query_string", b"").decode("ascii", "replace"))
        self._topic = unquote(scope["path"].removeprefix(PREFIX)).rstrip("/")
        self._ended = asyncio.Event()
        self._is_gone = False

    async def run(self) -> None:
        try:
            if self._scope["method"] != "GET":
                raise MethodNotAllowed("A stream is read with GET.")
            caller, credential = await self._who()
            after = await self._where_to_begin(caller)
            if after is NOTHING_LEFT:
                await self._send({"type": "http.response.start", "status": 204, "headers": []})
                await self._send({"type": "http.response.body", "body": b""})
                return
            reader = self._admit(caller, credential)
        except DomainError as error:
            await refusal(self._scope["path"], error).send(self._send)
            return
        except UNAVAILABLE as error:
            await self._refuse_without_database(error)
            return
        try:
            await self._stream(reader, after)
        finally:
            reader.close(1000)

    def _admit(self, caller: Caller, credential: Credential) -> Reader:
        reader = Reader(
            get_hub(),
            self._send_frame,
            self._on_close,
            caller=caller,
            credential=credential,
            wire=self._wire(),
            ends_with_topic=True,
        )
        get_hub().admit(reader)
        return reader

    def _wire(self) -> Wire | None:
        return wire_of(self._send)

    async def _who(self) -> Identified:
        found = None
        if ticket := self._query.get("ticket"):
            found = await self._identify.by_message({"ticket": ticket[0]})
        found = found or await self._identify.by_scope(self._scope, any_origin=True)
        if found is None:
            raise NotAuthenticated("Log in, or send a token or a ticket.")
        return found

    async def _where_to_begin(self, caller: Caller) -> int | None | object:
        """After which seq; None: with what comes from now on. NOTHING_LEFT: the topic is over, the client has
        it all. Raises BadResume, UnknownTopic.
        """
        family, name = find_topic(self._topic)
        seen, asked = self._last_event_id(), self._asked_after()
        if not family.has_events:
            final = None if seen is None else await self._final(caller, family, name)
            return NOTHING_LEFT if final is not None and seen >= final.revision else asked
        after = asked if seen is None else seen  # the browser's is the newer of the two after a reconnect
        final = await self._final(caller, family, name)
        if final is None:
            return after
        if after is None:
            return max(final.seq - 1, 0)  # the last event again: the client has a seq to come back with
        return NOTHING_LEFT if after >= final.seq else after

    def _last_event_id(self) -> int | None:
        headers = dict(self._scope["headers"])
        return _whole_number(headers.get(b"last-event-id", b"").decode("ascii", "replace"))

    def _asked_after(self) -> int | None:
        return _whole_number(self._query.get("after", [""])[0])

    async def _final(self, caller: Caller, family: Topic, name: str) -> Snapshot | None:
        """What a finished topic shows; None while it goes on, or is not the caller's."""
        if not await read_in_thread(family.authorise, caller, name):
            return None
        snapshot = await read_in_thread(family.snapshot, name)
        return snapshot if snapshot is not None and snapshot.is_finished else None

    async def _stream(self, reader: Reader, after: int | None) -> None:
        try:
            await get_hub().subscribe(reader, self._topic, after=after)
        except DomainError as error:
            await refusal(self._scope["path"], error).send(self._send)
            return
        except UNAVAILABLE as error:
            await self._refuse_without_database(error)
            return
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await self._write(self.preamble)
        watch = asyncio.create_task(self._await_disconnect(), name="stream")
        reader.open()
        try:
            await self._ended.wait()
        finally:
            watch.cancel()
        if not self._is_gone:
            await self._end_body(reader)

    async def _refuse_without_database(self, error: Exception) -> None:
        logger.warning("a stream met no database: %s", error)
        await refusal(self._scope["path"], unavailable(error)).send(self._send)

    async def _end_body(self, reader: Reader) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await reader.say_why()
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:  # the peer takes nothing
            reader.abort()

    async def _await_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._is_gone = True
        self._ended.set()

    def _on_close(self, code: int) -> None:
        self._is_gone = self._is_gone or code == CLOSE_LOST
        self._ended.set()

    async def _send_frame(self, frame: Frame) -> None:
        await self._write(frame.sse)

    async def _write(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


def _whole_number(text: str) -> int | None:
    """None for an empty text. Raises BadResume."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadResume("`after` must be a whole number from 0.", after=text[:40])
    return int(text)
