"""One HTTP request to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Answer:
    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    is_ended: bool = False
    reads: int = 0

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def header(self, name: str) -> str | None:
        found = [value.decode("latin-1") for key, value in self.headers if key.lower() == name.encode()]
        return found[0] if found else None


async def ask(
    application,
    path: str,
    *,
    method: str = "GET",
    body: Sequence[bytes] = (b"",),
    headers: dict[str, str] | None = None,
    hangs_up: bool = False,
    breaks_after: int | None = None,
) -> Answer:
    """hangs_up: the client goes before its body ends. breaks_after: `send` fails after so many pieces."""
    answer = Answer()
    names = {"host": "localhost", **(headers or {})}
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": route,
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in names.items()],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "asgi": {"version": "3.0"},
    }
    waiting = list(body)

    async def receive() -> dict:
        answer.reads += 1
        if not waiting:
            if not hangs_up:
                await asyncio.Event().wait()  # the client waits for its answer
            return {"type": "http.disconnect"}
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting) or hangs_up}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
            return
        if breaks_after is not None and len(answer.pieces) >= breaks_after:
            raise ConnectionResetError
        answer.pieces.append(message.get("body", b""))
        answer.is_ended = not message.get("more_body", False)

    await application(scope, receive, send)
    return answer
