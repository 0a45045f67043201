"""daphne's connections on the event loop's own transports.

Twisted's reactor would read and write each socket in Python, asking the loop anew for every write. uvloop
does it in C, as under uvicorn. What Twisted's protocols see of a connection is the same.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

from twisted.internet import address, error, interfaces
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

GONE = ("", 0)  # the address of who left before it was asked for


@implementer(interfaces.ITCPTransport, interfaces.IPushProducer, interfaces.IConsumer)
class Connection(asyncio.Protocol):
    """Towards the loop one of its protocols, towards a protocol of Twisted its TCP transport.

    Of that interface it has what HTTP and WebSocket use here: no half-closing, and producers that are pushed.
    """

    disconnecting = False

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._producer = None
        self._has_room = asyncio.Event()
        self._has_room.set()

    # What the loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # Each picture and each frame comes by here: without a call of ours in between.
        self.write = transport.write
        # What the hub's short way to a reader uses (common/hub/wires.py).
        self.is_closing, self.get_write_buffer_size = transport.is_closing, transport.get_write_buffer_size
        is_v6 = transport.get_extra_info("socket").family == socket.AF_INET6
        kind = address.IPv6Address if is_v6 else address.IPv4Address
        self._peer = kind("TCP", *(transport.get_extra_info("peername") or GONE))
        self._host = kind("TCP", *transport.get_extra_info("sockname"))
        self.protocol = self._factory.buildProtocol(self._peer)
        self.protocol.makeConnection(self)

    def data_received(self, data: bytes) -> None:
        self.protocol.dataReceived(data)  # of whom the connection is now: a WebSocket takes it over

    def pause_writing(self) -> None:
        self._has_room.clear()
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume_writing(self) -> None:
        self._has_room.set()
        if self._producer is not None:
            self._producer.resumeProducing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.disconnecting = True
        self.write = _ignore
        self._has_room.set()
        if self._producer is not None:
            self._producer.stopProducing()
            self._producer = None
        reason = error.ConnectionDone() if exc is None else error.ConnectionLost(str(exc))
        self.protocol.connectionLost(Failure(reason))

    # What Twisted's protocols call.

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:
        """The connection ends when all that was written has left."""
        self.disconnecting = True
        self._transport.close()

    def abortConnection(self) -> None:
        self.disconnecting = True
        self._transport.abort()

    def getPeer(self):
        return self._peer

    def getHost(self):
        return self._host

    def setTcpNoDelay(self, enabled: bool) -> None:
        wire = self._transport.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(enabled))

    def registerProducer(self, producer, streaming: bool) -> None:
        """`producer` is told to pause while the write buffer is full."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        """Nothing is read meanwhile."""
        if not self.is_closing():
            self._transport.pause_reading()

    def resumeProducing(self) -> None:
        if not self.is_closing():
            self._transport.resume_reading()

    def stopProducing(self) -> None:
        self.loseConnection()

    # What the hub's short way to a reader calls, too.

    async def drained(self) -> None:
        """Returns once the write buffer has room, or the connection is gone."""
        await self._has_room.wait()


def _ignore(data: bytes) -> None:
    """Twisted's transports say nothing of what is written after the end."""
