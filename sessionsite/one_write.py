"""uvicorn's HTTP, with the head of an answer and its body leaving in one write.

uvicorn writes them one by one: a system call and a packet more for each answer, and a client woken twice.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

JOINED_BYTES_MAX = 64 * 1024  # above, the copy costs more than a write


class OneWriteTransport:
    """What uvicorn sees of a connection: a head whose length is declared waits for the first of its body."""

    def __init__(self, protocol: HttpToolsProtocol, transport: asyncio.Transport) -> None:
        self.inner, self._protocol = transport, protocol
        self._write = transport.write
        self._head = b""
        self._begun: object = None  # the cycle whose head has been written, or waits here
        self.is_closing, self.get_extra_info = transport.is_closing, transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading
        # What the hub's short way to a reader uses (common/hub/wires.py).
        self.abort, self.get_write_buffer_size = transport.abort, transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        cycle = self._protocol.cycle
        if cycle is None or cycle is self._begun or not cycle.response_started:
            # Of a body; or of an earlier answer than the newest request's, which is not joined.
            if self._head:
                data = self._with_head(data)
            self._write(data)
            return
        self._begun = cycle
        if cycle.expected_content_length and cycle.scope["method"] != "HEAD":
            self._head = data
        else:
            self._write(data)
            cycle.transport = self.inner  # nothing is held: a stream's pieces need not pass here

    def _with_head(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        if len(data) <= JOINED_BYTES_MAX:
            return head + data
        self._write(head)
        return data

    def close(self) -> None:
        if self._head and not self.inner.is_closing():  # the application broke off before its body
            self._write(self._with_head(b""))
        self.inner.close()


class OneWriteProtocol(HttpToolsProtocol):
    """Sockets keep the connection's own transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(OneWriteTransport(self, transport))

    def handle_websocket_upgrade(self) -> None:
        self.transport = self.transport.inner
        super().handle_websocket_upgrade()
        self.parser = self.flow = None  # each refers to this: it goes now, not with the next full collection
