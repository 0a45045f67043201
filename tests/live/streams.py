"""A client of an event stream of the real application, without a server."""

from __future__ import annotations

import asyncio

import orjson

from tests.waiting import PATIENCE_S


class Stream:
    """One GET of /stream/...; `frame` waits for the next frame, `rest` for the end."""

    def __init__(self, application, address: str, headers: dict[str, str], method: str = "GET") -> None:
        path, _, query = address.partition("?")
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.ids: list[int] = []
        self._text = ""
        self._sent: asyncio.Queue[dict] = asyncio.Queue()
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "http_version": "1.1",
            "scheme": "http",
            "root_path": "",
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 1),
        }
        self._asked = False
        self._running = asyncio.create_task(application(scope, self._receive, self._sent.put), name="client")

    async def _receive(self) -> dict:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _next_message(self) -> dict:
        async with asyncio.timeout(PATIENCE_S):
            return await self._sent.get()

    async def begin(self) -> Stream:
        start = await self._next_message()
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return self

    async def frame(self) -> dict | None:
        """The next frame; None at the end of the stream."""
        while "\n\n" not in self._text:
            message = await self._next_message()
            self._text += message.get("body", b"").decode()
            if not message.get("more_body") and "\n\n" not in self._text:
                return None
        block, _, self._text = self._text.partition("\n\n")
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" not in lines:
            return await self.frame()
        if "id" in lines:
            self.ids.append(int(lines["id"]))
        return orjson.loads(lines["data"])

    async def rest(self) -> list[dict]:
        frames = []
        while (frame := await self.frame()) is not None:
            frames.append(frame)
        return frames

    async def body(self) -> bytes:
        parts, more = [], True
        while more:
            message = await self._next_message()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(parts)

    async def end(self) -> None:
        self._gone.set()
        async with asyncio.timeout(PATIENCE_S):
            await self._running
