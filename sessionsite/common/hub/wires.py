"""The short way from a frame to a connection: prepared bytes straight into the server's write buffer.

An ASGI `send` costs a coroutine and an encoding per reader; with hundreds of readers that is most of the
work. Where the server behind `send` is one that we know, a frame's bytes are made once and written to every
transport. These are private parts of uvicorn and daphne, so they are detected; anything else goes by `send`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from sessionsite.common.hub.frames import Frame

FULL_BYTES = 64 * 1024  # a write buffer over this is slow: frames gather in the outbox, where they fold


def _takes_more(transport: Any) -> bool:
    return not transport.is_closing() and transport.get_write_buffer_size() < FULL_BYTES


class Wire(Protocol):
    form: str | None  # the part of a frame that `write` hands to `transport`; None: it does more than that
    transport: Any

    def write(self, frame: Frame) -> bool:
        """The frame is in the server's buffer; False when it is full or closed, then use `send`."""

    async def writable(self) -> None:
        """Returns when `send` may be used without filling the buffer further."""

    def abort(self) -> None:
        """The connection ends at once; what the buffer holds is given up."""


class _UvicornWire:
    """Its `send` waits by itself while the buffer is full."""

    transport: Any

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    async def writable(self) -> None:
        return

    def abort(self) -> None:
        self.transport.abort()


class UvicornSocket(_UvicornWire):
    """A server's frames are not masked and here not compressed: the same bytes for every reader."""

    form = "websocket_bytes"

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        self.transport = protocol.transport

    def write(self, frame: Frame) -> bool:
        protocol, transport = self._protocol, self.transport
        if protocol.close_sent or protocol.disconnected or not _takes_more(transport):
            return False
        transport.write(frame.websocket_bytes)
        return True


class UvicornStream(_UvicornWire):
    @property
    def form(self) -> str | None:
        """None while the answer has no head, which says that there are chunks."""
        return "http_chunk" if self._protocol.chunked_encoding else None

    @property
    def transport(self) -> Any:
        """The connection's own from the head of the answer on; before, one that would join head and body."""
        return self._protocol.transport

    def write(self, frame: Frame) -> bool:
        cycle, transport = self._protocol, self.transport
        if (
            cycle.disconnected
            or cycle.response_complete
            or not cycle.chunked_encoding
            or not _takes_more(transport)
        ):
            return False
        transport.write(frame.http_chunk)
        return True


class _DaphneWire:
    """daphne's `send` never waits, but its connection says when there is room (daphne_transport.py)."""

    transport: Any

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    async def writable(self) -> None:
        await self.transport.drained()

    def abort(self) -> None:
        self.transport.abortConnection()


class DaphneSocket(_DaphneWire):
    form = "websocket_bytes"

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        self.transport = protocol.transport

    def write(self, frame: Frame) -> bool:
        protocol, transport = self._protocol, self.transport
        if (
            protocol.state != protocol.STATE_OPEN
            or protocol.send_queue  # autobahn's own, which is not to be overtaken
            or not _takes_more(transport)
        ):
            return False
        transport.write(frame.websocket_bytes)
        return True


class DaphneStream(_DaphneWire):
    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        # The request forgets its channel when it ends, and has none when its client has left by now.
        self.transport = getattr(protocol.channel, "transport", None)

    @property
    def form(self) -> str | None:
        """None while the answer has no head, which says that there are chunks."""
        return "http_chunk" if self._protocol.chunked else None

    def write(self, frame: Frame) -> bool:
        request, transport = self._protocol, self.transport
        if request.finished or not request.chunked or not _takes_more(transport):
            return False
        transport.write(frame.http_chunk)
        return True


_KNOWN = {
    "WebSocketsSansIOProtocol": (UvicornSocket, ("transport", "close_sent", "disconnected")),
    "RequestResponseCycle": (
        UvicornStream,
        ("transport", "disconnected", "response_complete", "chunked_encoding"),
    ),
    "WebSocketProtocol": (DaphneSocket, ("transport", "state", "send_queue")),
    "Request": (DaphneStream, ("channel", "finished", "chunked")),
}


def wire_of(send: Any) -> Wire | None:
    """The short way behind this `send`; None where the server is unknown or has changed its parts."""
    owner = getattr(send, "__self__", None)
    if isinstance(send, partial) and send.args:
        owner = send.args[0]  # daphne: partial(server.handle_reply, protocol)
    wire_class, parts = _KNOWN.get(type(owner).__name__, (None, ()))
    if wire_class is None or not all(hasattr(owner, part) for part in parts):
        return None
    wire = wire_class(owner)
    return wire if _can_be_watched(wire) else None


def _can_be_watched(wire: Any) -> bool:
    """Not where daphne's own command runs it, on Twisted's transports."""
    return hasattr(wire.transport, "get_write_buffer_size")
