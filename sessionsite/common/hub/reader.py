"""One open socket or stream: its topics, its outbox, and the task that empties it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from sessionsite.common.access import Caller
from sessionsite.common.hub.feed import Feed
from sessionsite.common.hub.frames import Frame
from sessionsite.common.hub.outbox import Outbox
from sessionsite.common.live import find_topic

if TYPE_CHECKING:
    from sessionsite.common.hub import Hub


class Credential(Protocol):
    """What a reader showed at the door. Hashable; equal ones are checked once for all their readers."""

    def caller_now(self) -> Caller | None:
        """The caller with the rights of this moment, None when the credential is dead. Reads the database."""


class Reader:
    """send: takes one frame; it may wait, and while it waits frames gather and fold in the outbox.

    on_close: called once with a close code when the hub ends the reader; it must not wait.
    """

    def __init__(
        self,
        hub: Hub,
        send: Callable[[Frame], Awaitable[None]],
        on_close: Callable[[int], None],
        *,
        caller: Caller,
        credential: Credential,
    ) -> None:
        self._hub, self._send, self._on_close = hub, send, on_close
        self.caller, self.credential = caller, credential
        self.outbox = Outbox(address_of)
        self.feeds: dict[str, Feed] = {}
        self.heartbeat_at = hub.time()
        self.stuck_since: float | None = None  # since when the frame in hand waits to be sent
        self.sent_frames = 0
        self.close_code: int | None = None
        self._filled = asyncio.Event()

    def put(self, frame: Frame) -> None:
        if self.close_code is None:
            self.outbox.put(frame)
            self._filled.set()

    async def pump(self) -> None:
        """Send what waits, in order, until closed."""
        while self.close_code is None:
            frame = self.outbox.take()
            if frame is None:
                self._filled.clear()
                await self._filled.wait()
                continue
            self.stuck_since = self._hub.time()
            await self._send(frame)
            self.stuck_since = None
            self.sent_frames += 1

    def leave(self, topic: str) -> None:
        """No more frames of `topic`; those that wait are dropped, but for errors."""
        if (feed := self.feeds.pop(topic, None)) is not None:
            self._hub.drop(feed, self)

    def close(self, code: int) -> None:
        """The reader gets nothing more and its connection ends with `code`."""
        if self.close_code is not None:
            return
        self.close_code = code
        for topic in list(self.feeds):
            self.leave(topic)
        self.outbox.clear()
        self._filled.set()
        self._hub.forget(self)
        self._on_close(code)


def address_of(topic: str, after: int) -> str | None:
    family, name = find_topic(topic)
    return family.gap_address(name, after)
