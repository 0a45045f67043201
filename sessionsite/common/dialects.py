"""How a refusal looks to its caller, also where no view has run: each wire has its own error shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from sessionsite.common.errors import DomainError

REALM = 'Bearer realm="api"'  # what a 401 asks for


@dataclass(frozen=True)
class Refusal:
    """A whole JSON answer for lanes outside the request stack.

    closes: the connection is not used again, because the request's body may be unread.
    """

    status: int
    body: dict
    headers: tuple[tuple[bytes, bytes], ...] = ()
    closes: bool = True

    async def send(self, send) -> None:
        """The answer as ASGI messages."""
        body = orjson.dumps(self.body)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *([(b"connection", b"close")] if self.closes else []),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def native(error: DomainError) -> Refusal:
    """Our own interfaces."""
    headers = []
    if error.status == 401:
        headers.append((b"www-authenticate", REALM.encode()))
    if (retry_after_s := getattr(error, "retry_after_s", None)) is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    return Refusal(error.status, error.as_json(), tuple(headers))


_dialects: list[tuple[str, Callable[[DomainError], Refusal]]] = []


def register_dialect(prefix: str, render: Callable[[DomainError], Refusal]) -> None:
    """Addresses that begin with `prefix` get their errors from `render`; called from AppConfig.ready."""
    _dialects.append((prefix, render))


def has_dialect(path: str) -> bool:
    """Whether `path` belongs to an outside wire with errors of its own."""
    return any(path.startswith(prefix) for prefix, _ in _dialects)


def refusal(path: str, error: DomainError) -> Refusal:
    """`error` as the callers of `path` expect it."""
    for prefix, render in _dialects:
        if path.startswith(prefix):
            return render(error)
    return native(error)
