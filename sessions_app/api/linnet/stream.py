"""GET /session/{id}/stream: the Linnet face of the event stream of a session.

Frames leave as `tone-event`, with their seq as `id:`, so that a browser that comes back misses none. The end
of the session is a last `session-event`; then the stream ends. Silence is a comment every 15 s.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cached_property
from weakref import WeakKeyDictionary

import orjson

from sessions_app.api.linnet.shapes import find_session, tone_body
from sessions_app.services.frames import FRAME
from sessions_app.states import TERMINAL
from sessionsite.common.access import Caller
from sessionsite.common.consumers import Identify
from sessionsite.common.hub.frames import Frame, chunk_of
from sessionsite.common.hub.wires import Wire
from sessionsite.common.live import Topic
from sessionsite.common.sse import EventStream
from sessionsite.common.threads import read_in_thread

PATH = re.compile(r"/session/(?P<key>[^/]+)/stream/?")
END = b"event: session-event\n"
HEARTBEAT = b": heartbeat\n\n"
_leaving: WeakKeyDictionary[Frame, Leaving] = WeakKeyDictionary()  # made once for all streams


def linnet_stream(identify: Identify) -> Callable[..., Awaitable[None]]:
    """The ASGI application of the streams."""

    async def application(scope, receive, send) -> None:
        await LinnetStream(identify, scope, receive, send).run()

    return application


class LinnetStream(EventStream):
    preamble = HEARTBEAT

    def __init__(self, identify: Identify, scope, receive, send) -> None:
        super().__init__(identify, scope, receive, send)
        self._key = PATH.fullmatch(scope["path"])["key"]
        self._topic = f"session:{self._key}"
        self._has_ended = False

    async def _final(self, caller: Caller, family: Topic, name: str) -> None:
        """A session that is over is unknown here. Raises SessionNotFound."""
        await read_in_thread(find_session, caller, self._key, "read")

    def _wire(self) -> Wire | None:
        wire = super()._wire()
        return wire and _Detour(wire, self)

    def leaving(self, frame: Frame) -> Leaving | None:
        """`frame` as it goes out; None when this wire has no word for it, or its end has been said."""
        found = _leaving.get(frame)
        if found is None:
            found = _leaving[frame] = Leaving(translated(frame))
        return None if not found.sse or (found.is_end and self._has_ended) else found

    def note_sent(self, sent: Leaving) -> None:
        self._has_ended = self._has_ended or sent.is_end

    async def _send_frame(self, frame: Frame) -> None:
        if (leaving := self.leaving(frame)) is not None:
            await self._write(leaving.sse)
            self.note_sent(leaving)


class Leaving:
    """A frame in the form of this wire, with the parts that an event stream's short way writes."""

    def __init__(self, sse: bytes) -> None:
        self.sse = sse
        self.is_end = sse.startswith(END)

    @cached_property
    def http_chunk(self) -> bytes:
        return chunk_of(self.sse)


class _Detour:
    """The short way of a connection for frames that change their form."""

    form = None

    def __init__(self, wire: Wire, stream: LinnetStream) -> None:
        self.writable, self.abort = wire.writable, wire.abort
        self._wire, self._stream = wire, stream

    def write(self, frame: Frame) -> bool:
        leaving = self._stream.leaving(frame)
        if leaving is None:
            return True
        if not self._wire.write(leaving):
            return False
        self._stream.note_sent(leaving)
        return True


def translated(frame: Frame) -> bytes:
    """The frame as this wire writes it; empty where it has no word for it."""
    if frame.type == "heartbeat":
        return HEARTBEAT
    content = orjson.loads(frame.body)
    if frame.type == "event":
        return _event(content["event"], frame.seq)
    if frame.type in ("snapshot", "state"):
        return _end(content["data"]) if content["data"]["state"] in TERMINAL else b""
    key = frame.topic.removeprefix("session:")
    if frame.type == "gap":
        said = {"session_id": key, "missed": content["missed"], "history": f"/session/{key}/history"}
        return _said("gap-event", said)
    said = {"event_type": "service", "session_id": key, "status": "error", "detail": content["error"]}
    return _said("service-event", said)


def _event(event: dict, seq: int) -> bytes:
    return _said("tone-event", tone_body(event), seq) if event["kind"] == FRAME else b""


def _end(session: dict) -> bytes:
    said = {
        "event_type": "session",
        "session_id": session["key"],
        "state": "stopped",
        "reason": session["end_reason"],
    }
    return _said("session-event", said)


def _said(name: str, data: dict, seq: int | None = None) -> bytes:
    head = b"" if seq is None else b"id: %d\n" % seq
    return head + b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
