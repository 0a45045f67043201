"""WS /session/{id}/audio: sound in, chunk by chunk, each acknowledged; frames go into the session.

The classifier runs in the process that holds the socket, on a small pool of threads, until the socket or the
session ends. A chunk that cannot be taken is answered with an error; nothing is dropped in silence.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from urllib.parse import parse_qs

import orjson
from django.conf import settings

from sessions_app.api.linnet.shapes import find_session
from sessions_app.classifiers import CHUNK_BYTES, Run, find_classifier
from sessions_app.models import Session
from sessions_app.services import add_frames
from sessions_app.services.frames import SessionOver
from sessionsite.common.consumers import BadMessage, Identified, Identify, parse
from sessionsite.common.databases import UNAVAILABLE, unavailable
from sessionsite.common.errors import DomainError, Missing, NotAllowed, NotAuthenticated
from sessionsite.common.hub import Reader, TooManyReaders, get_hub
from sessionsite.common.hub.frames import Frame as LiveFrame
from sessionsite.common.threads import pool, read_in_thread, write_in_thread

logger = logging.getLogger(__name__)

PATH = re.compile(r"/session/(?P<key>[^/]+)/audio/?")
THREADS = 2
SOCKETS_MAX = 64  # of this process
WAITING_CHUNKS = 50  # 5 s; then the socket is not read on until the classifier has caught up
JUNK_LIMIT = 100
AUTH_WITHIN_S = 10.0
CLOSE_NOT_FOUND, CLOSE_JUNK, CLOSE_UNAUTHENTICATED, CLOSE_NOT_ALLOWED = 4004, 4400, 4401, 4403
CLOSE_TOO_MANY, CLOSE_FAILED, CLOSE_UNAVAILABLE = 4429, 4500, 4503


class WrongSize(DomainError):
    code = "wrong_size"


class ClassifierFailed(DomainError):
    code, status = "classifier_failed", 500


def audio_socket(identify: Identify) -> Callable[..., Awaitable[None]]:
    """The ASGI application of the sockets."""
    open_sockets: set[AudioSocket] = set()

    async def application(scope, receive, send) -> None:
        await AudioSocket(identify, open_sockets, scope, receive, send).run()

    return application


def close_code_of(error: DomainError) -> int:
    if isinstance(error, (SessionOver, Missing)):
        return CLOSE_NOT_FOUND
    if isinstance(error, BadMessage):
        return CLOSE_JUNK
    if isinstance(error, NotAuthenticated):
        return CLOSE_UNAUTHENTICATED
    if isinstance(error, NotAllowed):
        return CLOSE_NOT_ALLOWED
    if isinstance(error, TooManyReaders):
        return CLOSE_TOO_MANY
    return CLOSE_FAILED if isinstance(error, ClassifierFailed) else CLOSE_UNAVAILABLE


class AudioSocket:
    """One microphone, from accept to close."""

    def __init__(self, identify: Identify, others: set[AudioSocket], scope, receive, send) -> None:
        self._identify, self._others, self._scope = identify, others, scope
        self._receive, self._send = receive, send
        self._key = PATH.fullmatch(scope["path"])["key"]
        self._query = parse_qs(scope.get("query_string", b"").decode("ascii", "replace"))
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(WAITING_CHUNKS)
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()  # the close code
        self._tasks: list[asyncio.Task] = []

    async def run(self) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        # Accepted first: a refusal before that reaches a browser as 1006, without its code.
        await self._send({"type": "websocket.accept"})
        self._others.add(self)
        try:
            await self._work()
        except DomainError as error:
            await self._refuse(error)
            await self._close(close_code_of(error))
        except UNAVAILABLE as error:
            logger.warning("a sound socket met no database: %s", error)
            await self._refuse(unavailable(error))
            await self._close(CLOSE_UNAVAILABLE)
        finally:
            self._others.discard(self)

    async def _work(self) -> None:
        """Until the session, the socket or the classifier ends. Raises what refuses the socket."""
        if len(self._others) > SOCKETS_MAX:
            raise TooManyReaders(f"This process takes the sound of at most {SOCKETS_MAX} sessions.")
        found = await self._who()
        if found is None:
            return
        caller, credential = found
        session = await read_in_thread(find_session, caller, self._key, "ingest")
        run = find_classifier(settings.AUDIO_CLASSIFIER).start()
        reader = Reader(
            get_hub(), _ignore, self._on_close, caller=caller, credential=credential,
            ends_with_topic=True, is_watching=False,
        )  # fmt: skip
        get_hub().admit(reader)
        try:
            await get_hub().subscribe(reader, f"session:{session.key}")
            reader.open()
            classify = self._classify(session, run, by=caller.name)
            self._tasks = [asyncio.create_task(work, name="audio") for work in (self._listen(), classify)]
            code = await self._ended
            if code == CLOSE_NOT_FOUND:
                raise SessionOver("The session is over.", session=session.key)
            await self._close(code)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            reader.close(1000)
            run.close()

    async def _who(self) -> Identified | None:
        """Who sends; None when the socket has gone. Raises NotAuthenticated."""
        if ticket := self._query.get("ticket"):
            found = await self._identify.by_message({"ticket": ticket[0]})
        else:
            found = await self._identify.by_scope(self._scope) or await self._introduction()
        if found is None:
            raise NotAuthenticated("Send a valid ticket or token first.")
        return found

    async def _introduction(self) -> Identified | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(AUTH_WITHIN_S):
                event = await self._receive()
                if event["type"] == "websocket.receive" and event.get("text"):
                    return await self._identify.by_message(parse(event))
        return None

    def _on_close(self, code: int) -> None:
        """The hub lets go of us: 1000 when the session is over."""
        self._end(CLOSE_NOT_FOUND if code == 1000 else code)

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    async def _listen(self) -> None:
        """Until the socket goes, also while something is said to it: then nobody listens any more."""
        try:
            await self._take_chunks()
        finally:
            self._end(1000)

    async def _take_chunks(self) -> None:
        junk = 0
        while (event := await self._receive())["type"] == "websocket.receive":
            chunk = event.get("bytes") or b""
            if len(chunk) == CHUNK_BYTES:
                await self._chunks.put(chunk)
                await self._say({"ok": True, "bytes": len(chunk)})
                continue
            size = len(chunk) or len(event.get("text") or "")
            await self._refuse(WrongSize(f"A chunk has {CHUNK_BYTES} bytes: 100 ms.", bytes=size))
            junk += 1
            if junk >= JUNK_LIMIT:
                self._end(CLOSE_JUNK)

    async def _classify(self, session: Session, run: Run, by: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                pcm = await self._chunks.get()
                while not self._chunks.empty():
                    pcm += self._chunks.get_nowait()
                frames = await loop.run_in_executor(pool("audio", THREADS), run.feed, pcm)
                if frames:
                    await write_in_thread(partial(add_frames, session, frames, by=by))
        except SessionOver:
            self._end(CLOSE_NOT_FOUND)
        except UNAVAILABLE as error:
            logger.warning("the sound of session %s met no database: %s", session.key, error)
            await self._refuse(unavailable(error))
            self._end(CLOSE_UNAVAILABLE)
        except Exception:
            logger.exception("the sound of session %s could not be classified", session.key)
            await self._refuse(ClassifierFailed("The classifier failed; the session goes on without it."))
            self._end(CLOSE_FAILED)

    async def _refuse(self, error: DomainError) -> None:
        await self._say({"ok": False, **error.as_json()})

    async def _say(self, message: dict) -> None:
        await self._send({"type": "websocket.send", "text": orjson.dumps(message).decode()})

    async def _close(self, code: int) -> None:
        with suppress(Exception):  # each server has its own word for a connection that is gone
            await self._send({"type": "websocket.close", "code": code})


async def _ignore(frame: LiveFrame) -> None:
    """Who sends sound is not shown the session on this socket."""
