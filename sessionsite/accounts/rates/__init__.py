"""How often a token may ask: so many requests in a minute, counted exactly over all processes.

A minute begins with a token's first request after the last one ended. What is refused is counted no further:
until the minute is over, this process answers without asking the counter again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable

from django.conf import settings

from sessionsite.accounts.rates.gathered import Gathered
from sessionsite.accounts.rates.stores import Taken, Wanted, store
from sessionsite.common.access import Caller
from sessionsite.common.errors import RateLimited

ORDINARY, EXPORTS, INGEST = "ordinary", "exports", "ingest"
SETTING_OF = {
    ORDINARY: "RATE_LIMIT_PER_MIN",
    EXPORTS: "RATE_LIMIT_EXPORTS_PER_MIN",
    INGEST: "RATE_LIMIT_INGEST_PER_MIN",
}
WORDS = {ORDINARY: "requests", EXPORTS: "exports", INGEST: "uploads"}
REFUSED_MAX = 10_000

_refused_until: dict[Hashable, float] = {}  # of the monotonic clock
_gathered = Gathered(store)


def limit_of(scope: str) -> int:
    """Requests in a minute; 0 when they are not counted."""
    return getattr(settings, SETTING_OF[scope])


def name_of(caller: Caller, scope: str) -> str | None:
    """Under which name the caller's requests are counted; None when they are not.

    A person at a page is counted only where the server works long for each request.
    """
    if not limit_of(scope):
        return None
    if caller.token_id:
        return f"{scope}:token:{caller.token_id}"
    return f"{scope}:user:{caller.user_id}" if scope == EXPORTS and caller.user_id else None


def admit(caller: Caller, scope: str = ORDINARY) -> None:
    """One more request of `caller` is counted. Raises RateLimited when the minute holds no more of them."""
    if (name := name_of(caller, scope)) is not None:
        _check_refused(name, scope)
        [taken] = store().take([Wanted(name, 1, limit_of(scope))])
        _settle(name, scope, taken)


async def admit_async(caller: Caller, scope: str = ORDINARY) -> None:
    """The same for lanes on the event loop: those who come together share one question to the counter."""
    if (name := name_of(caller, scope)) is not None:
        _check_refused(name, scope)
        _settle(name, scope, await _gathered.take(name, limit_of(scope)))


def forget() -> None:
    """Every minute begins anew."""
    _refused_until.clear()
    store().forget()


def _check_refused(name: str, scope: str) -> None:
    until = _refused_until.get(name)
    if until is None:
        return
    if until > (now := time.monotonic()):
        raise _refusal(scope, until - now)
    _refused_until.pop(name, None)


def _settle(name: str, scope: str, taken: Taken) -> None:
    if taken.granted:
        return
    if len(_refused_until) >= REFUSED_MAX:
        _refused_until.clear()
    _refused_until[name] = time.monotonic() + taken.wait_s
    raise _refusal(scope, taken.wait_s)


def _refusal(scope: str, wait_s: float) -> RateLimited:
    limit, seconds = limit_of(scope), max(1, math.ceil(wait_s))
    text = f"The limit is {limit:,} {WORDS[scope]} in a minute; go on in {seconds} s."
    return RateLimited(text, retry_after_s=seconds, limit=scope, limit_per_min=limit)
