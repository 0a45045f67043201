"""Reading a request's body in lanes outside the request stack, with a cap while it streams."""

from __future__ import annotations

from collections.abc import Callable

from sessionsite.common.errors import BodyTooLarge


def declared_length(text: str, limit_bytes: int) -> int:
    """The length that the header says, 0 without one. Raises BodyTooLarge before a byte is read."""
    length = int(text[:20]) if text.isascii() and text.isdigit() else 0
    if length > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return length


async def read_body(
    receive, limit_bytes: int, hold: Callable[[int], None] = lambda size_bytes: None
) -> bytes | None:
    """The whole body; None when the client left. Raises BodyTooLarge as soon as it is over the cap.

    hold: called with the bytes that have come so far; raises Busy.
    """
    pieces, size_bytes = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if piece := message.get("body", b""):
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > limit_bytes:
                raise BodyTooLarge(limit_bytes)
            hold(size_bytes)
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
