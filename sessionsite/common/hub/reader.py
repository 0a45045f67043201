"""One open socket or stream: its topics, its outbox, and the way out to its connection."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from sessionsite.common.access import Caller
from sessionsite.common.hub.feed import Feed
from sessionsite.common.hub.frames import Frame
from sessionsite.common.hub.outbox import Outbox
from sessionsite.common.hub.wires import Wire
from sessionsite.common.live import find_topic

if TYPE_CHECKING:
    from sessionsite.common.hub import Hub

logger = logging.getLogger(__name__)

ACK_WINDOW = 64  # frames on their way to a reader that acknowledges
CLOSE_LOST = 1006  # never sent: the connection is gone


class Credential(Protocol):
    """What a reader showed at the door. Hashable; equal ones are checked once for all their readers."""

    def caller_now(self) -> Caller | None:
        """The caller with the rights of this moment, None when the credential is dead. Reads the database."""


class Reader:
    """Frames go straight to the connection while it takes them; else they wait, and fold, in the outbox.

    send: takes one frame; it may wait. wire: the short way, where the server is known. on_close: called
    once with a close code; it must not wait. Nothing is sent before `open`. A reader that acknowledges
    (`uses_acks`) has at most ACK_WINDOW frames on their way. `is_watching`: it counts as somebody who looks.

    `_direct` is the wire while nothing stands between a frame and it; such a reader may be in the crowds of
    its feeds, whose frames do not come by here.
    """

    def __init__(
        self,
        hub: Hub,
        send: Callable[[Frame], Awaitable[None]],
        on_close: Callable[[int], None],
        *,
        caller: Caller,
        credential: Credential,
        wire: Wire | None = None,
        uses_acks: bool = False,
        ends_with_topic: bool = False,
        is_watching: bool = True,
    ) -> None:
        self._hub, self._send, self._on_close, self._wire = hub, send, on_close, wire
        self.caller, self.credential = caller, credential
        self.uses_acks, self._ends_with_topic = uses_acks, ends_with_topic
        self.is_watching = is_watching
        self.outbox = Outbox(address_of)
        self.feeds: dict[str, Feed] = {}
        self.heartbeat_at = hub.time()
        self.stuck_since: float | None = None  # since when frames wait and none leaves
        self._sent = self.acked_frames = 0
        self._upto = ACK_WINDOW if uses_acks else sys.maxsize  # so many frames may have been sent
        self.close_code: int | None = None
        self._is_finished = False  # its topic has ended: what waits is sent, then the stream ends
        self._is_open = False
        self._pumping: asyncio.Task | None = None
        self._direct: Wire | None = None
        self._acked = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def open(self) -> None:
        """The connection is ready for frames."""
        self._is_open = True
        if self.outbox or self._is_finished:
            self._start_pump()
        self._note_way()

    def put(self, frame: Frame, *, is_replay: bool = False) -> None:
        wire = self._direct
        if wire is not None and self._sent < self._upto and wire.write(frame):
            self._sent += 1
        elif self.close_code is None:
            self._keep(frame, is_replay=is_replay)

    def _keep(self, frame: Frame, *, is_replay: bool) -> None:
        """The frame waits in the outbox, and the pump is on it once the connection is ready."""
        self.outbox.put(frame, is_replay=is_replay)
        if not self.outbox.has_room:
            self._has_room.clear()
        if self._is_open and self._pumping is None:
            self._start_pump()

    def _note_way(self) -> None:
        """Called when something begins or ceases to stand between a frame and the wire."""
        is_free = self._is_open and self._pumping is None and self.close_code is None and not self.outbox
        self._direct = self._wire if is_free else None
        if self._direct is None:
            for feed in self.feeds.values():
                feed.leave_crowd(self)

    @property
    def crowd_wire(self) -> Wire | None:
        """The wire while anybody may write to it; None for a reader that acknowledges, which has a window."""
        wire = self._direct
        return wire if wire is not None and wire.form and not self.uses_acks else None

    @property
    def sent_frames(self) -> int:
        return self._sent + sum(feed.crowd_frames_of(self) for feed in self.feeds.values())

    def note_sent(self, frames: int) -> None:
        """So many frames went out as a part of a crowd."""
        self._sent += frames

    def _has_window(self) -> bool:
        return self._sent < self._upto

    def ack(self, frames: int) -> None:
        """The client has taken that many frames since it connected."""
        self.acked_frames = max(self.acked_frames, min(frames, self.sent_frames))
        if self.uses_acks:
            self._upto = self.acked_frames + ACK_WINDOW
        self._acked.set()

    def on_topic_end(self) -> None:
        """A topic is over. A socket stays open; a stream (`ends_with_topic`) ends after what waits."""
        self._is_finished = self._ends_with_topic
        if self._is_finished and self._is_open and self._pumping is None:
            self._start_pump()

    def _start_pump(self) -> None:
        if self._pumping is None and self.close_code is None:
            self._pumping = asyncio.get_running_loop().create_task(self._pump(), name="pump")
            self._note_way()

    async def _pump(self) -> None:
        """Send what waits, in order, at the connection's own pace."""
        try:
            while self.close_code is None and self.outbox:
                self.stuck_since = self.stuck_since or self._hub.time()
                await self._await_room()
                if not self._write_waiting() and (frame := self.outbox.take()) is not None:
                    self._sent += 1
                    await self._send(frame)
                self.stuck_since = None
                if self.outbox.has_room:
                    self._has_room.set()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # each server has its own word for a connection that is gone
            logger.debug("a reader is gone: %r", error)
            self._pumping = None
            self.close(CLOSE_LOST)
        finally:
            self._pumping = None
            self._note_way()
        if self._is_finished and not self.outbox:
            self.close(1000)

    def _write_waiting(self) -> bool:
        """Whether something that waited went the short way: as much as the connection takes at once."""
        before = self._sent
        while self._wire is not None and self._has_window() and (frame := self.outbox.first) is not None:
            if not self._wire.write(frame):
                break
            self.outbox.take()
            self._sent += 1
        return self._sent > before

    async def _await_room(self) -> None:
        if self._wire is not None:
            await self._wire.writable()
        while not self._has_window():
            self._acked.clear()
            await self._acked.wait()

    async def room(self) -> None:
        """Returns when the outbox has room, or the reader is closed: until then obey no more commands."""
        await self._has_room.wait()

    def leave(self, topic: str) -> None:
        """No more frames of `topic`; those that wait are dropped, but for errors."""
        if (feed := self.feeds.pop(topic, None)) is not None:
            self._hub.drop(feed, self)
            self.outbox.forget(topic)

    def close(self, code: int) -> None:
        """The reader gets nothing more but the errors that wait, and its connection ends with `code`."""
        if self.close_code is not None:
            return
        self.close_code = code
        self._note_way()
        self.outbox.keep_errors()
        for topic in list(self.feeds):
            self.leave(topic)
        if self._pumping is not None:
            self._pumping.cancel()
        self._has_room.set()
        self._hub.forget(self)
        self._on_close(code)

    async def say_why(self) -> None:
        """Send the errors that were left waiting by `close`; the close frame comes after them."""
        while (frame := self.outbox.take()) is not None:
            await self._send(frame)

    def abort(self) -> None:
        """The connection ends without the courtesy of a close frame, for a peer that takes nothing."""
        if self._wire is not None:
            self._wire.abort()


def address_of(topic: str, after: int) -> str | None:
    """Where REST gives the events of `topic` with a greater seq."""
    family, name = find_topic(topic)
    return family.gap_address(name, after)
