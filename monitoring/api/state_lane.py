"""GET of one monitor's state in the fast lane: bytes made once per change, the same as the views' answers."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from monitoring.api.rosepetal.monitors import live_state
from monitoring.models import Monitor
from monitoring.state import state_essence
from sessionsite.accounts import rates
from sessionsite.accounts.authentication import secret_in
from sessionsite.accounts.callers import caller_of_token, digest_of
from sessionsite.common.access import Caller
from sessionsite.common.api.conditional import CACHE_CONTROL, etag_of, is_known
from sessionsite.common.api.errors import DEFAULT_TEXTS
from sessionsite.common.api.permissions import lacks
from sessionsite.common.databases import UNAVAILABLE, unavailable
from sessionsite.common.dialects import refusal
from sessionsite.common.errors import DomainError, Missing, NotAuthenticated
from sessionsite.common.live import Snapshot
from sessionsite.common.newest import NewestStates
from sessionsite.common.remember import Remembered


@dataclass(frozen=True)
class Encoded:
    """A state as it leaves."""

    body: bytes
    etag: str


class Wire(Protocol):
    name: str
    pattern: re.Pattern[str]

    def encode(self, snapshot: Snapshot) -> Encoded: ...


class NativeState:
    name = "native"
    pattern = re.compile(r"/api/v1/monitors/(?P<slug>[a-z0-9-]{1,64})/state/")

    def encode(self, snapshot: Snapshot) -> Encoded:
        etag = etag_of(snapshot.revision, state_essence(snapshot.data))
        return Encoded(orjson.dumps(snapshot.data), etag)


class RosepetalState:
    name = "rosepetal"
    pattern = re.compile(r"/monitor/(?P<slug>[a-z0-9-]{1,64})/state/?")

    def encode(self, snapshot: Snapshot) -> Encoded:
        body = orjson.dumps(live_state(snapshot.data))
        return Encoded(body, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


class StateLane:
    """Takes GETs of a state that come with a token and no query; `claim` says which."""

    def __init__(self, wires: list[Wire]) -> None:
        self._wires = wires
        self._doors: Remembered[Caller] = Remembered(_enter)
        self._states: NewestStates | None = None  # made on the loop that it works on

    def claim(self, scope):
        """The application for this request; None when it is not for this lane."""
        if scope["method"] != "GET" or scope["query_string"]:
            return None
        for wire in self._wires:
            if (found := wire.pattern.fullmatch(scope["path"])) is not None:
                headers = dict(scope["headers"])
                secret = secret_in(headers.get(b"authorization", b"").decode("latin-1"))
                return _Request(self, wire, found["slug"], secret, headers) if secret else None
        return None

    async def encoded(self, wire: Wire, slug: str, secret: str) -> Encoded:
        """Raises NotAuthenticated, NotAllowed, Missing, RateLimited."""
        await self.admit(slug, secret)
        if self._states is None:
            self._states = NewestStates()
        return await self._states.get(f"monitor:{slug}", wire.name, wire.encode)

    async def admit(self, slug: str, secret: str) -> None:
        """The bearer of `secret` may read this monitor, and has one request less in this minute."""
        caller = await self._doors.get((digest_of(secret), slug), secret, slug)
        await rates.admit_async(caller)


def _enter(secret: str, slug: str) -> Caller:
    """The caller, who may read this monitor. Raises NotAuthenticated, NotAllowed, Missing."""
    caller = caller_of_token(secret)
    if caller is None:
        raise NotAuthenticated("This token is unknown, expired or revoked.")
    if not caller.everywhere and not caller.organisation_ids("read"):
        raise lacks("read")
    if not Monitor.objects.present().visible_to(caller).filter(slug=slug).exists():
        raise Missing(DEFAULT_TEXTS[404])
    return caller


class _Request:
    def __init__(self, lane: StateLane, wire: Wire, slug: str, secret: str, headers: dict) -> None:
        self._lane, self._wire, self._slug, self._secret, self._headers = lane, wire, slug, secret, headers

    async def __call__(self, scope, receive, send) -> None:
        try:
            state = await self._lane.encoded(self._wire, self._slug, self._secret)
        except (DomainError, *UNAVAILABLE) as error:
            error = error if isinstance(error, DomainError) else unavailable(error)
            await replace(refusal(scope["path"], error), closes=False).send(send)
            return
        known = is_known(self._headers.get(b"if-none-match", b"").decode("latin-1"), state.etag)
        headers = [(b"etag", state.etag.encode()), (b"cache-control", CACHE_CONTROL.encode())]
        if not known:
            headers += [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(state.body)),
            ]
        await send({"type": "http.response.start", "status": 304 if known else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if known else state.body})
