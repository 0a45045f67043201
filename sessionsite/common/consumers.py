"""/ws/live/: the one WebSocket of the site. Topics in, frames out; see docs/live-messages.md."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import orjson

from sessionsite.common.access import Caller
from sessionsite.common.databases import UNAVAILABLE, unavailable
from sessionsite.common.errors import DomainError, NotAuthenticated
from sessionsite.common.hub import (
    CLOSE_GOING_AWAY,
    TOPICS_PER_READER,
    Hub,
    Reader,
    TooManyReaders,
    get_hub,
)
from sessionsite.common.hub.frames import Frame, error_frame
from sessionsite.common.hub.reader import CLOSE_LOST, Credential
from sessionsite.common.hub.wires import wire_of
from sessionsite.common.live import Command, find_command
from sessionsite.common.threads import write_in_thread

logger = logging.getLogger(__name__)

MESSAGE_BYTES = 16 * 1024  # what a client may send at once
JUNK_LIMIT = 10  # then the socket is closed
MESSAGES_WAITING = 64  # for room, beside a reader that acknowledges
AUTH_WITHIN_S = 10.0
CLOSE_WITHIN_S = 2.0  # for the close frame of a connection that may take nothing any more
CLOSE_JUNK, CLOSE_UNAUTHENTICATED, CLOSE_NO_SUCH_TOPIC, CLOSE_TOO_MANY = 4400, 4401, 4404, 4429
CLOSE_FAILED = 1011  # as every server says it when an application fails

Identified = tuple[Caller, Credential]


class BadMessage(DomainError):
    code = "bad_message"


class Identify:
    """How a connection says who it is; the site wires in the accounts' way."""

    async def by_scope(self, scope, *, any_origin: bool = False) -> Identified | None:
        """From the Authorization header or the login cookie. Raises NotAuthenticated for a dead token.

        An event stream is a request and counts as one: RateLimited.

        any_origin: for a GET, whose answer the browser keeps from other sites' pages by itself.
        """
        raise NotImplementedError

    async def by_message(self, message: dict) -> Identified | None:
        """From the first message: {"type": "auth", "ticket" | "token": ...}."""
        raise NotImplementedError


def live_consumer(identify: Identify) -> Callable[..., Awaitable[None]]:
    """The ASGI application of the socket. A plain one: an idle reader costs half of a consumer object."""

    async def application(scope, receive, send) -> None:
        await LiveConsumer(identify, scope, receive, send).run()

    return application


class LiveConsumer:
    """One socket, from accept to close."""

    def __init__(self, identify: Identify, scope, receive, send) -> None:
        self._identify, self._scope, self._receive, self._send_event = identify, scope, receive, send
        self._hub: Hub = get_hub()
        self._reader: Reader | None = None
        self._junk = 0
        self._closing: asyncio.Task | None = None
        self._is_over = False
        query = parse_qs(scope.get("query_string", b"").decode("ascii", "replace"))
        self._asked_topics, self._uses_acks = query.get("topic", []), query.get("ack") == ["1"]

    async def run(self) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        # Accepted first: a refusal before that reaches a browser as 1006, without its code.
        await self._send_event({"type": "websocket.accept"})
        try:
            await self._listen()
        except UNAVAILABLE as error:
            logger.warning("a socket met no database: %s", error)
            self._end(CLOSE_GOING_AWAY)
        finally:
            self._is_over = True  # from here on nothing more is sent
            if self._reader is not None:
                self._reader.close(CLOSE_LOST)
            if self._closing is not None:
                await self._closing
            self._reader = None  # it refers to this: both go now, not with the next full collection

    def _end(self, code: int) -> None:
        """The connection closes with `code`; the server then says that it is gone, which ends `_listen`."""
        if self._closing is None and not self._is_over:
            self._closing = asyncio.get_running_loop().create_task(self._close_connection(code), name="close")
            if self._reader is not None:
                self._reader.close(code)

    async def _close_connection(self, code: int) -> None:
        if code == CLOSE_LOST:
            self._abort()
            return
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                if self._reader is not None:
                    await self._reader.say_why()
                await self._send_event({"type": "websocket.close", "code": code})
        except TimeoutError:  # the peer takes nothing
            self._abort()
        except Exception as error:  # each server has its own word for a connection that is gone
            logger.debug("a socket was gone before its close: %r", error)
            self._abort()

    def _abort(self) -> None:
        if self._reader is not None:
            self._reader.abort()

    async def _listen(self) -> None:
        try:
            found = await self._identify.by_scope(self._scope)
        except NotAuthenticated:
            self._end(CLOSE_UNAUTHENTICATED)
            return
        if found is None:
            found = await self._await_auth()
        if found is None:
            return
        try:
            reader = self._admit(*found)
        except TooManyReaders as error:
            await self._send_frame(error_frame(error))
            self._end(CLOSE_TOO_MANY)
            return
        if not await self._subscribe_asked():
            return
        reader.open()
        if self._uses_acks:
            await self._listen_for_acks()
            return
        while (message := await self._next_message()) is not None:
            await self._obey_in_turn(message)

    async def _obey_in_turn(self, message: dict) -> None:
        """The next one is obeyed when what waits for this reader has room."""
        if self._reader.close_code is None:
            await self._obey(message)
            await self._reader.room()

    async def _listen_for_acks(self) -> None:
        """Acks make the room that other messages wait for: they are obeyed at once, those in their turn."""
        waiting: asyncio.Queue[dict] = asyncio.Queue(MESSAGES_WAITING)
        obeying = asyncio.create_task(self._obey_waiting(waiting), name="obey")
        try:
            while (message := await self._next_message()) is not None:
                if message.get("type") == "ack":
                    await self._obey(message)
                elif waiting.full():
                    await self._refuse(BadMessage("Too many messages wait: acknowledge frames first."))
                else:
                    waiting.put_nowait(message)
        finally:
            obeying.cancel()
            await asyncio.wait([obeying])

    async def _obey_waiting(self, waiting: asyncio.Queue[dict]) -> None:
        try:
            while True:
                await self._obey_in_turn(await waiting.get())
        except UNAVAILABLE as error:
            logger.warning("a socket met no database: %s", error)
            self._end(CLOSE_GOING_AWAY)
        except Exception:
            logger.exception("a message of a socket failed")
            self._end(CLOSE_FAILED)

    def _admit(self, caller: Caller, credential: Credential) -> Reader:
        reader = Reader(
            self._hub,
            self._send_frame,
            self._end,
            caller=caller,
            credential=credential,
            wire=wire_of(self._send_event),
            uses_acks=self._uses_acks,
        )
        self._hub.admit(reader)
        self._reader = reader
        return reader

    async def _send_frame(self, frame: Frame) -> None:
        await self._send_event({"type": "websocket.send", "text": frame.text})

    async def _await_auth(self) -> Identified | None:
        """Who the first message says it is; None after the socket was told to close."""
        try:
            async with asyncio.timeout(AUTH_WITHIN_S):
                message = await self._next_message()
        except TimeoutError:
            message = {}
        if message is None:
            return None
        found = await self._identify.by_message(message) if message.get("type") == "auth" else None
        if found is None:
            await self._send_frame(error_frame(NotAuthenticated("Send a valid ticket or token first.")))
            self._end(CLOSE_UNAUTHENTICATED)
        return found

    async def _subscribe_asked(self) -> bool:
        """The topics of the address. When none of them is there for this caller, the socket closes: 4404."""
        for topic in self._asked_topics[: TOPICS_PER_READER + 1]:
            await self._subscribe(topic, None)
        if not self._asked_topics or self._reader.feeds:
            return True
        self._end(CLOSE_NO_SUCH_TOPIC)
        return False

    async def _subscribe(self, topic: str, after: int | None) -> None:
        try:
            await self._hub.subscribe(self._reader, topic, after=after)
        except DomainError as error:
            self._reader.put(error_frame(error, topic))

    async def _next_message(self) -> dict | None:
        """The next message that is a JSON object; None when the socket is over. Junk is answered."""
        while self._closing is None:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return None
            try:
                return parse(event)
            except BadMessage as error:
                await self._refuse(error)
        return None

    async def _refuse(self, error: DomainError) -> None:
        self._junk += 1
        if self._reader is not None:
            self._reader.put(error_frame(error))
        else:
            await self._send_frame(error_frame(error))
        if self._junk >= JUNK_LIMIT:
            self._end(CLOSE_JUNK)

    async def _obey(self, message: dict) -> None:
        kind, topic = message.get("type"), message.get("topic")
        if kind in ("subscribe", "unsubscribe") and not isinstance(topic, str):
            await self._refuse(BadMessage("`topic` must be text."))
        elif kind == "subscribe":
            await self._obey_subscribe(topic, message.get("after"))
        elif kind == "unsubscribe":
            self._reader.leave(topic)
        elif kind == "auth":
            await self._reauthenticate(message)
        elif kind == "ack":
            await self._obey_ack(message.get("frames"))
        elif isinstance(kind, str) and (command := find_command(kind)) is not None:
            await self._run(command, message)
        else:
            await self._refuse(BadMessage("`type` is one of subscribe, unsubscribe, auth, ack."))

    async def _run(self, command: Command, message: dict) -> None:
        """Answered with a frame of the same type, or with an error."""
        topic = message.get("topic") if isinstance(message.get("topic"), str) else ""
        try:
            answer = await write_in_thread(command, self._reader.caller, message)
        except DomainError as error:
            self._reader.put(error_frame(error, topic[:120]))
        except UNAVAILABLE as error:
            logger.warning("a command of a socket met no database", exc_info=True)
            self._reader.put(error_frame(unavailable(error), topic[:120]))
        else:
            self._reader.put(Frame({"type": message["type"], **answer}))

    async def _obey_ack(self, frames) -> None:
        if isinstance(frames, bool) or not isinstance(frames, int) or frames < 0:
            await self._refuse(BadMessage("`frames` must be the number of frames received on this socket."))
        else:
            self._reader.ack(frames)

    async def _obey_subscribe(self, topic: str, after) -> None:
        if after is not None and (
            isinstance(after, bool) or not isinstance(after, int) or not 0 <= after < 2**63
        ):
            await self._refuse(BadMessage("`after` must be a whole number from 0."))
        else:
            await self._subscribe(topic, after)

    async def _reauthenticate(self, message: dict) -> None:
        found = await self._identify.by_message(message)
        if found is None:
            self._end(CLOSE_UNAUTHENTICATED)
            return
        try:
            await self._hub.change_caller(self._reader, *found)
        except TooManyReaders as error:
            self._reader.put(error_frame(error))


def parse(event: dict) -> dict:
    """The JSON object in a websocket.receive event. Raises BadMessage."""
    text = event.get("text")
    if text is None:
        raise BadMessage("Binary messages have no meaning here; send JSON text.")
    if len(text) > MESSAGE_BYTES:
        raise BadMessage(f"A message has at most {MESSAGE_BYTES} characters.")
    try:
        message = orjson.loads(text)
    except ValueError:
        raise BadMessage("This is not JSON.") from None
    if not isinstance(message, dict):
        raise BadMessage("Send a JSON object.")
    return message
