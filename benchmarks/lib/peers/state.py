"""The state that every server of the fan-out benchmark sends: one JSON text of a fixed length."""

from __future__ import annotations

import time

import orjson

MARK = b"|"  # once in each state and in nothing else: readers count it
TIME_DIGITS = 19
FIRST_REVISION = 1_000_001  # always seven digits, so that every text has the same length
_AT = "2026-01-01T00:00:00.000Z"


def state_data(size: int, t_ns: int) -> dict[str, str]:
    """What the state says; the frame around it then has `size` bytes. t_ns: CLOCK_MONOTONIC at publishing."""
    return {"t": f"{t_ns:0{TIME_DIGITS}}", "pad": MARK.decode() + "x" * (size - _EMPTY_BYTES - 1)}


def state_text(size: int, revision: int) -> bytes:
    """The whole frame, published now."""
    return _frame(revision, state_data(size, time.monotonic_ns()))


def _frame(revision: int, data: dict[str, str]) -> bytes:
    content = {"type": "state", "topic": "bench:state", "revision": revision, "at": _AT, "data": data}
    return orjson.dumps(content)


_EMPTY_BYTES = len(_frame(FIRST_REVISION, {"t": "0" * TIME_DIGITS, "pad": ""}))
