"""What is asked of NINA's REST side, and NINA's clock. Wire: ninaAPI 2.x below /v2/api."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from monitoring.nina.events import Malformed, read_body, read_local
from sessionsite.common import clock
from sessionsite.common.errors import DomainError

BODY_BYTES = 64 * 1024 * 1024  # of a history that has grown for weeks
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
BRIEFLY = httpx.Timeout(5.0)  # for an answer of one line: a refresh waits for all of them
SAME_CLOCK_S = 1.0  # closer than this, NINA's clock is taken for ours
SPEED_HEADER = "x-clock-speed"  # a simulator says how fast its time runs


class NinaUnreachable(DomainError):
    """NINA did not answer, or not with what its API promises."""

    code, status = "nina_unreachable", 502


class Refused(NinaUnreachable):
    """NINA answered, and has nothing to say."""


@dataclass(frozen=True)
class RemoteClock:
    """NINA's clock: ours shifted, and faster where NINA is simulated."""

    offset_s: float = 0.0
    speed: float = 1.0
    read_at: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at(clock.now())

    def at(self, ours: datetime) -> datetime:
        """NINA's time at our time."""
        gained = (ours - self.read_at).total_seconds() * (self.speed - 1)
        return ours + timedelta(seconds=self.offset_s + gained)

    def ours(self, there: datetime) -> datetime:
        """Our time at NINA's time."""
        gained = (there - timedelta(seconds=self.offset_s) - self.read_at) / self.speed
        return self.read_at + gained

    def as_json(self) -> dict[str, Any]:
        return {
            "offset_s": round(self.offset_s, 3),
            "speed": self.speed,
            "read_at": clock.iso(self.read_at),
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any] | None) -> RemoteClock:
        if not kept:
            return cls()
        return cls(kept["offset_s"], kept["speed"], clock.parse_iso(kept["read_at"]))


@dataclass(frozen=True)
class Answers:
    """One reading of NINA's REST side.

    clock: None when it could not be read this time. unread: what is missing and why; "" when
    nothing is.
    """

    application_start: str
    entries: list[Any]
    images: list[Any]
    clock: RemoteClock | None = None
    unread: str = ""


def socket_address(url: str) -> str:
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/v2/socket", "", ""))


class NinaRest:
    """Asks one NINA."""

    def __init__(self, url: str, zone: tzinfo, *, transport: httpx.BaseTransport | None = None) -> None:
        self._base, self._zone, self._transport = f"{url.rstrip('/')}/v2/api/", zone, transport
        self._unread: list[str] = []

    def __enter__(self) -> NinaRest:
        headers = {"accept": "application/json"}
        self._http = httpx.Client(
            timeout=TIMEOUT, trust_env=False, headers=headers, transport=self._transport
        )
        return self

    def __exit__(self, *exc_info) -> None:
        self._http.close()

    def read(self) -> Answers:
        """Everything that a rebuild needs; without the event history there is none. Raises NinaUnreachable.

        The other three are left out when NINA refuses them, when they do not come in time and when they are
        no JSON.
        """
        self._unread.clear()
        remote = self._clock()
        started, _ = self._optional("application-start", BRIEFLY)
        entries, _ = self._get("event-history", TIMEOUT)
        if not isinstance(entries, list):
            raise NinaUnreachable("NINA's event history is no list.")
        images, _ = self._optional("image-history?all=true", TIMEOUT)
        return Answers(
            started if isinstance(started, str) else "",
            entries,
            images if isinstance(images, list) else [],
            remote,
            " ".join(self._unread),
        )

    def _clock(self) -> RemoteClock | None:
        """NINA's clock; ours where it does not tell the time, None where no answer came."""
        asked_at = time.monotonic()
        answer, headers = self._optional("time", BRIEFLY)
        lasted_s = time.monotonic() - asked_at
        if headers is None:
            return None
        there = read_local(answer, self._zone)
        if there is None:
            return RemoteClock()
        now = clock.now()
        offset_s = (there - now).total_seconds() + lasted_s / 2
        speed = _speed(headers.get(SPEED_HEADER))
        if abs(offset_s) < SAME_CLOCK_S and speed == 1:
            offset_s = 0.0
        return RemoteClock(offset_s, speed, now)

    def _optional(self, path: str, timeout: httpx.Timeout) -> tuple[Any, httpx.Headers | None]:
        """(answer, its headers); no answer when NINA refuses it, and no headers when none could be read."""
        try:
            return self._get(path, timeout)
        except Refused:
            return None, httpx.Headers()
        except NinaUnreachable as error:
            self._unread.append(error.message)
            return None, None

    def _get(self, path: str, timeout: httpx.Timeout) -> tuple[Any, httpx.Headers]:
        """NINA's answer. Raises Refused, and NinaUnreachable when there is none that can be read."""
        try:
            with self._http.stream("GET", self._base + path, timeout=timeout) as response:
                body = _limited(response)
            message = read_body(body) if response.status_code == 200 else None
        except (httpx.HTTPError, Malformed) as error:
            raise NinaUnreachable(f"NINA's {path} cannot be read: {error}") from error
        if isinstance(message, dict) and message.get("Success", True) and "Response" in message:
            return message["Response"], response.headers
        raise Refused(f"NINA's {path} answered {response.status_code}.")


def _limited(response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > BODY_BYTES:
            raise Malformed(f"more than {BODY_BYTES} bytes")
    return bytes(body)


def _speed(header: str | None) -> float:
    try:
        speed = float(header or 1)
    except ValueError:
        return 1.0
    return speed if 0.01 <= speed <= 10_000 else 1.0
