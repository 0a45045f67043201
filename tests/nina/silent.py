"""A NINA whose socket opens and then says nothing; whether it answers pings, the test decides."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from contextlib import asynccontextmanager

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
PING, PONG = 0x9, 0xA


class SilentNina:
    def __init__(self) -> None:
        self.pings = self.connections = 0
        self.answers_pings = True

    @asynccontextmanager
    async def serving(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b" /v2/socket " not in head:
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                return
            lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
            key = next(value.strip() for name, _, value in lines if name.lower() == b"sec-websocket-key")
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            writer.write(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            self.connections += 1
            while True:
                await self._frame(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _frame(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One short masked frame of the client."""
        first, second = await reader.readexactly(2)
        mask, body = await reader.readexactly(4), await reader.readexactly(second & 0x7F)
        if first & 0x0F == PING:
            self.pings += 1
            if self.answers_pings:
                clear = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
                writer.write(bytes([0x80 | PONG, len(clear)]) + clear)
