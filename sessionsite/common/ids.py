"""Keys shown to people: a prefix and 26 characters that sort in the order they were made."""

import io
import os
import re
import threading
import time
from datetime import UTC, datetime, timedelta

from .errors import DomainError, quoted

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32: no i, l, o, u
BODY_CHARS = 26  # 130 bits hold 48 bits of milliseconds and 80 random bits
RANDOM_BITS = 80
STEP_BYTES = 5
DRAWN_BYTES = RANDOM_BITS // 8 + STEP_BYTES
DRAWN_AT_ONCE = 256  # asking the system lets other threads run, and the interpreter must be waited for
CLOCK_SET_BACK_MS = 60_000
_PAIRS = [left + right for left in ALPHABET for right in ALPHABET]
_PYTHONS_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")  # those of int(text, 32)
_BODY = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) / timedelta(milliseconds=1))

_lock = threading.Lock()
_last = 0
_drawn = io.BytesIO()  # random bytes for the next keys


class BadKey(DomainError):
    """The text is not a key of this server."""

    code = "bad_key"


def new_key(prefix: str) -> str:
    """A key like `se_01k...` that nobody has had, greater as text than every earlier one of this process.

    Order also holds while the clock stands still or is set back by less than a minute.
    """
    global _last
    now_ms = time.time_ns() // 1_000_000
    with _lock:
        random = _draw()
        fresh = now_ms << RANDOM_BITS | int.from_bytes(random[STEP_BYTES:]) >> 1
        step = 1 + int.from_bytes(random[:STEP_BYTES])
        if (_last >> RANDOM_BITS) - now_ms > CLOCK_SET_BACK_MS:
            _last = 0  # a wrong clock was corrected: do not date keys by the wrong one for ever
        _last = fresh if fresh > _last else _last + step
        value = _last
    return f"{prefix}_{_encode(value)}"


def _draw() -> bytes:
    """Random bytes for one key, each given once."""
    global _drawn
    if not (random := _drawn.read(DRAWN_BYTES)):
        _drawn = io.BytesIO(os.urandom(DRAWN_AT_ONCE * DRAWN_BYTES))
        random = _drawn.read(DRAWN_BYTES)
    return random


def is_key(text: object, prefix: str) -> bool:
    """True when `text` could have come from `new_key(prefix)`."""
    if not isinstance(text, str) or not text.startswith(f"{prefix}_"):
        return False
    body = text[len(prefix) + 1 :]
    return _BODY.fullmatch(body) is not None and _decode(body) >> RANDOM_BITS <= _LAST_MS


def created_at_of(key: str) -> datetime:
    """The moment `key` was made, to the millisecond, aware UTC. Raises BadKey."""
    prefix = key.rpartition("_")[0]
    if not prefix or not is_key(key, prefix):
        raise BadKey("not a key", key=quoted(key))
    return _EPOCH + timedelta(milliseconds=_decode(key[-BODY_CHARS:]) >> RANDOM_BITS)


def _encode(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(5 * (BODY_CHARS - 2), -1, -10)])


def _decode(body: str) -> int:
    return int(body.translate(_PYTHONS_DIGITS), 32)


def _forget() -> None:
    global _lock, _last, _drawn
    # A forked child must not continue the parent's row.
    _lock, _last, _drawn = threading.Lock(), 0, io.BytesIO()


os.register_at_fork(after_in_child=_forget)
