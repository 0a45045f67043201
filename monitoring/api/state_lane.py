"""GET of the state of a monitor or of a fleet in the fast lane: bytes made once per change."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from monitoring.api.rosepetal.monitors import live_state
from monitoring.models import Monitor
from monitoring.state import fleet_essence, state_essence
from sessionsite.accounts import rates
from sessionsite.accounts.api.organisations import organisation_to_show
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
    """One address: its path and query name what is asked for, in a group `name`."""

    name: str
    path: re.Pattern[str]
    query: re.Pattern[bytes]

    def topic(self, caller: Caller, name: str) -> str:
        """The topic of `name`, which this caller may read. Raises NotAllowed, Missing."""

    def encode(self, snapshot: Snapshot) -> Encoded: ...


class _OfMonitor:
    query = re.compile(rb"")

    def topic(self, caller: Caller, name: str) -> str:
        if not Monitor.objects.present().visible_to(caller).filter(slug=name).exists():
            raise Missing(DEFAULT_TEXTS[404])
        return f"monitor:{name}"


class NativeState(_OfMonitor):
    name = "native"
    path = re.compile(r"/api/v1/monitors/(?P<name>[a-z0-9-]{1,64})/state/")

    def encode(self, snapshot: Snapshot) -> Encoded:
        etag = etag_of(snapshot.revision, state_essence(snapshot.data))
        return Encoded(orjson.dumps(snapshot.data), etag)


class RosepetalState(_OfMonitor):
    name = "rosepetal"
    path = re.compile(r"/monitor/(?P<name>[a-z0-9-]{1,64})/state/?")

    def encode(self, snapshot: Snapshot) -> Encoded:
        body = orjson.dumps(live_state(snapshot.data))
        return Encoded(body, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


class NativeFleet:
    """The wall of one organisation; without a name that of the caller's first."""

    name = "fleet"
    path = re.compile(r"/api/v1/fleet/")
    query = re.compile(rb"(?:organisation=(?P<name>[a-z0-9-]{1,64}))?")

    def topic(self, caller: Caller, name: str) -> str:
        return f"fleet:{organisation_to_show(caller, name).slug}"

    def encode(self, snapshot: Snapshot) -> Encoded:
        etag = etag_of(snapshot.revision, fleet_essence(snapshot.data))
        return Encoded(orjson.dumps(snapshot.data), etag)


@dataclass(frozen=True)
class Entry:
    """Who asks, and for which topic."""

    caller: Caller
    topic: str


class StateLane:
    """Takes GETs of a state that come with a token; `claim` says which."""

    def __init__(self, wires: list[Wire]) -> None:
        self._wires = wires
        self._doors: Remembered[Entry] = Remembered(_enter)
        self._states: NewestStates | None = None  # made on the loop that it works on

    def claim(self, scope):
        """The application for this request; None when it is not for this lane."""
        if scope["method"] != "GET":
            return None
        for wire in self._wires:
            if (found := wire.path.fullmatch(scope["path"])) is None:
                continue
            if (asked := wire.query.fullmatch(scope["query_string"])) is None:
                return None
            name = found.groupdict().get("name") or asked.groupdict(b"").get("name", b"").decode()
            headers = dict(scope["headers"])
            secret = secret_in(headers.get(b"authorization", b"").decode("latin-1"))
            return _Request(self, wire, name, secret, headers) if secret else None
        return None

    async def encoded(self, wire: Wire, name: str, secret: str) -> Encoded:
        """Raises NotAuthenticated, NotAllowed, Missing, RateLimited."""
        topic = await self.admit(wire, name, secret)
        if self._states is None:
            self._states = NewestStates()
        return await self._states.get(topic, wire.name, wire.encode)

    async def admit(self, wire: Wire, name: str, secret: str) -> str:
        """The topic that the bearer of `secret` may read, who has one request less in this minute."""
        entry = await self._doors.get((digest_of(secret), wire.name, name), secret, wire, name)
        await rates.admit_async(entry.caller)
        return entry.topic


def _enter(secret: str, wire: Wire, name: str) -> Entry:
    """Raises NotAuthenticated, NotAllowed, Missing."""
    caller = caller_of_token(secret)
    if caller is None:
        raise NotAuthenticated("This token is unknown, expired or revoked.")
    if not caller.everywhere and not caller.organisation_ids("read"):
        raise lacks("read")
    return Entry(caller, wire.topic(caller, name))


class _Request:
    def __init__(self, lane: StateLane, wire: Wire, name: str, secret: str, headers: dict) -> None:
        self._lane, self._wire, self._name, self._secret, self._headers = lane, wire, name, secret, headers

    async def __call__(self, scope, receive, send) -> None:
        try:
            state = await self._lane.encoded(self._wire, self._name, self._secret)
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
