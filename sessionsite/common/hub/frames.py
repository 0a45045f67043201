"""The frames that readers get: encoded once, sent to many, the same JSON on every wire."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import orjson

from sessionsite.common import clock
from sessionsite.common.errors import DomainError
from sessionsite.common.live import Snapshot


class Frame:
    """One encoded frame.

    seq is set on events only; span, on events and gaps: the seqs it stands for, (after, upto]. mark: what a
    stream's client comes back with: the seq of an event, the revision of the last state of a topic that has
    states only.
    """

    def __init__(
        self,
        content: dict[str, Any],
        *,
        topic: str = "",
        seq: int | None = None,
        span: tuple[int, int] | None = None,
        mark: int | None = None,
    ) -> None:
        self.type: str = content["type"]
        self.topic, self.seq, self.span = topic, seq, span
        self._mark = seq if mark is None else mark
        self.body: bytes = orjson.dumps(content)

    @property
    def size(self) -> int:
        return len(self.body)

    @cached_property
    def text(self) -> str:
        """For a WebSocket."""
        return self.body.decode()

    @cached_property
    def websocket_bytes(self) -> bytes:
        """The whole unmasked, uncompressed text frame of RFC 6455, section 5.2."""
        size = len(self.body)
        if size < 126:
            return b"\x81" + size.to_bytes(1) + self.body
        if size < 65536:
            return b"\x81\x7e" + size.to_bytes(2) + self.body
        return b"\x81\x7f" + size.to_bytes(8) + self.body

    @cached_property
    def http_chunk(self) -> bytes:
        """The stream form as one chunk of a chunked HTTP/1.1 body."""
        return chunk_of(self.sse)

    @cached_property
    def sse(self) -> bytes:
        """For an event stream, with its mark as id."""
        head = b"" if self._mark is None else b"id: %d\n" % self._mark
        return head + b"data: " + self.body + b"\n\n"


def chunk_of(body: bytes) -> bytes:
    """`body`, which is not empty, as one chunk of a chunked HTTP/1.1 body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def snapshot_frame(topic: str, snapshot: Snapshot) -> Frame:
    return Frame(
        {
            "type": "snapshot",
            "topic": topic,
            "revision": snapshot.revision,
            "seq": snapshot.seq,
            "at": clock.iso(clock.now()),
            "data": snapshot.data,
        },
        topic=topic,
        mark=_mark(snapshot),
    )


def state_frame(topic: str, snapshot: Snapshot) -> Frame:
    at = clock.iso(clock.now())
    return Frame(
        {"type": "state", "topic": topic, "revision": snapshot.revision, "at": at, "data": snapshot.data},
        topic=topic,
        mark=_mark(snapshot),
    )


def _mark(snapshot: Snapshot) -> int | None:
    return snapshot.revision if snapshot.is_finished and snapshot.seq is None else None


def event_frame(topic: str, seq: int, event: dict) -> Frame:
    content = {"type": "event", "topic": topic, "seq": seq, "event": event}
    return Frame(content, topic=topic, seq=seq, span=(seq - 1, seq))


def gap_frame(topic: str, *, after: int, upto: int, address: str | None) -> Frame:
    """`after` exclusive, `upto` inclusive; `address` is where REST gives what was missed."""
    content = {"type": "gap", "topic": topic, "after": after, "upto": upto, "missed": upto - after}
    return Frame(content | ({"events": address} if address else {}), topic=topic, span=(after, upto))


def heartbeat_frame(topics: dict[str, tuple[int, int | None]]) -> Frame:
    return Frame({"type": "heartbeat", "at": clock.iso(clock.now()), "topics": topics})


def error_frame(error: DomainError, topic: str = "") -> Frame:
    return Frame({"type": "error", **error.as_json(), **({"topic": topic} if topic else {})}, topic=topic)
