"""Reading a request's body in lanes outside the request stack, with a cap while it streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessionsite.common.errors import BodyTooLarge, BodyTooSlow

PIECE_WITHIN_S = 30.0


def declared_length(text: str, limit_bytes: int) -> int:
    """The length that the header says, 0 without one. Raises BodyTooLarge before a byte is read."""
    length = int(text[:20]) if text.isascii() and text.isdigit() else 0
    if length > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return length


async def _next(receive) -> dict:
    """The next piece. A client that vanished in the middle of a body must not hold its place for ever."""
    try:
        async with asyncio.timeout(PIECE_WITHIN_S):
            return await receive()
    except TimeoutError:
        raise BodyTooSlow(f"Nothing of the body came for {PIECE_WITHIN_S:g} s.") from None


async def read_body(
    receive, limit_bytes: int, hold: Callable[[int], None] = lambda size_bytes: None
) -> bytes | None:
    """The whole body; None when the client left. Raises BodyTooSlow, BodyTooLarge once it is over the cap.

    hold: called with the bytes that have come so far; raises Busy.
    """
    pieces, size_bytes = [], 0
    while True:
        message = await _next(receive)
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
