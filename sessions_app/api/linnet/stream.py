"""GET /session/{id}/stream: the Linnet face of the event stream of a session.

Frames leave as `tone-event`, with their seq as `id:`, so that a browser that comes back misses none. The end
of the session is a last `session-event`; then the stream ends. Silence is a comment every 15 s.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

import orjson

from sessions_app.api.linnet.shapes import find_session, tone_body
from sessions_app.services.frames import FRAME
from sessions_app.states import TERMINAL
from sessionsite.common.consumers import Identify
from sessionsite.common.hub.frames import Frame
from sessionsite.common.hub.wires import Wire
from sessionsite.common.sse import EventStream
from sessionsite.common.threads import read_in_thread

PATH = re.compile(r"/session/(?P<key>[^/]+)/stream/?")
END = b"event: session-event\n"
HEARTBEAT = b": heartbeat\n\n"
_leaving: WeakKeyDictionary[Frame, bytes] = WeakKeyDictionary()  # made once for all streams


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

    async def _last_seq(self, caller) -> None:
        """A session that is over is unknown here. Raises SessionNotFound."""
        await read_in_thread(find_session, caller, self._key, "read")

    def _wire(self) -> Wire | None:
        """Frames change their form on the way, so their prepared bytes are of no use."""
        wire = super()._wire()
        return wire and _Detour(wire)

    async def _send_frame(self, frame: Frame) -> None:
        body = _leaving.get(frame)
        if body is None:
            body = _leaving[frame] = translated(frame)
        is_end = body.startswith(END)
        if body and not (is_end and self._has_ended):
            self._has_ended = is_end
            await self._write(body)


class _Detour:
    """The room and the end of a connection, without its short way."""

    def __init__(self, wire: Wire) -> None:
        self.writable, self.abort = wire.writable, wire.abort

    def write(self, frame: Frame) -> bool:
        return False


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
