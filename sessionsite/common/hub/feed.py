"""One topic in this process: pulled from the database when it changed, encoded once, for every reader."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

from sessionsite.common.errors import Missing
from sessionsite.common.hub.crowd import Crowd
from sessionsite.common.hub.frames import (
    Frame,
    error_frame,
    event_frame,
    gap_frame,
    snapshot_frame,
    state_frame,
)
from sessionsite.common.live import Snapshot, Topic
from sessionsite.common.threads import read_in_thread, start_reading

if TYPE_CHECKING:
    from sessionsite.common.hub.reader import Reader

logger = logging.getLogger(__name__)

FRAME_INTERVAL_S = 0.1  # at most ten states a second; a transition is not held back
REPLAY_EVENTS = 1000
READ_EVENTS = 500  # per query of what is new for all readers
RETRY_S = 1.0


class Gone(Missing):
    code = "gone"


class Subscription:
    """How far one reader is in one topic. Nothing is sent live until its snapshot is."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.revision = -1
        self.seq: int | None = None
        self.is_ready = False

    def offer_state(self, revision: int, frame: Frame) -> None:
        if self.is_ready and revision > self.revision:
            self.revision = revision
            self.reader.put(frame)

    def offer_event(self, frame: Frame) -> None:
        if self.is_ready and (self.seq is None or frame.seq > self.seq):
            self.seq = frame.seq
            self.reader.put(frame)


class Look(NamedTuple):
    """What the database showed to a thread, encoded there. state: None when readers have it already."""

    snapshot: Snapshot
    events: list[Frame]
    state: Frame | None


class Feed:
    """The readers of one topic and the newest state and seq that they were given.

    One thread at a time looks for all of them: whoever has taken `_looking`, which is given back on the event
    loop. A change that comes meanwhile is noted there (`_is_dirty`) and looked for right after.
    """

    def __init__(self, name: str, topic: Topic, short_name: str) -> None:
        self.name, self.topic, self.short_name = name, topic, short_name
        self.subscriptions: dict[Reader, Subscription] = {}
        self._crowd = Crowd()  # those that get all that is new from now on, and get it the short way
        self._others: dict[Reader, Subscription] = {}  # those that are asked one by one
        self.revision = -1
        self.seq: int | None = None
        self.newest: Snapshot | None = None
        self._loop = asyncio.get_running_loop()
        self._sent_at = 0.0
        self._is_dirty = False
        self._urgent = asyncio.Event()
        self._pulling: asyncio.Task | None = None
        self._looking = threading.Lock()

    def add(self, reader: Reader) -> Subscription:
        """`reader` is among the readers, and gets nothing before it has joined."""
        subscription = self.subscriptions[reader] = self._others[reader] = Subscription(reader)
        return subscription

    def remove(self, reader: Reader) -> None:
        self.leave_crowd(reader)
        self.subscriptions.pop(reader, None)
        self._others.pop(reader, None)

    @property
    def numbers(self) -> tuple[int, int | None]:
        return self.revision, self.seq

    @property
    def watching(self) -> int:
        """Readers that count as somebody who looks."""
        return sum(reader.is_watching for reader in self.subscriptions)

    def is_behind(self, revision: int | None, seq: int | None) -> bool:
        """Whether the database is said to be ahead of what readers were given; no numbers mean: it may be."""
        if revision is None and seq is None:
            return True
        return (revision or 0) > self.revision or (seq is not None and seq > (self.seq or 0))

    def look_soon(self, revision: int | None, seq: int | None, *, urgent: bool) -> bool:
        """Whether this change is seen to without `wake`: it is no news, or a thread is sent to look for it.

        Called in the committing thread, after the commit: a look that is noted or sent here begins later and
        sees it.
        """
        has_been_noted = self._is_dirty and (self._urgent.is_set() or not urgent) and self._looking.locked()
        if has_been_noted or not self.is_behind(revision, seq):
            return True
        is_due = urgent or self._wait_s() <= 0
        if self.revision < 0 or not is_due or not self._looking.acquire(blocking=False):
            return False
        try:
            start_reading(self._look, self._tell)
        except RuntimeError:  # the process ends
            self._looking.release()
            return False
        return True

    def _tell(self, looked: Future) -> None:
        """Called in the thread that has looked: the event loop hears of it when all bytes are there."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, looked)

    def _take(self, looked: Future) -> None:
        """What a thread found goes to the readers; what it could not do is left to a pull."""
        self._looking.release()
        if not self.subscriptions:
            return
        if looked.cancelled() or looked.exception() is not None:
            self.wake(urgent=True)
        elif (found := looked.result()) is None:
            self._end()
        elif not self._give(found):
            self.wake(urgent=True)
        elif self._is_dirty:
            self.wake()

    def wake(self, *, urgent: bool = False) -> None:
        """Pull soon: at once when urgent, otherwise within the frame rate. The last change always arrives.

        Before the first reader has its snapshot the change is noted only: `join` goes on from it.
        """
        self._is_dirty = True
        if urgent:
            self._urgent.set()
        if self.revision >= 0 and self._looking.acquire(blocking=False):
            self._pulling = self._loop.create_task(self._pull_while_dirty(), name=f"feed {self.name}")

    async def _pull_while_dirty(self) -> None:
        try:
            while self._is_dirty and self.subscriptions:
                await self._await_turn()
                self._is_dirty = False
                self._urgent.clear()
                try:
                    await self._pull()
                except Exception:
                    logger.exception("%s could not be read; it is tried again", self.name)
                    self._is_dirty = True
                    await asyncio.sleep(RETRY_S)
        finally:
            self._pulling = None
            self._looking.release()

    def _wait_s(self) -> float:
        """How long the next frame that is not urgent has to wait."""
        return self._sent_at + FRAME_INTERVAL_S - time.monotonic()

    async def _await_turn(self) -> None:
        wait_s = self._wait_s()
        if wait_s > 0 and not self._urgent.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._urgent.wait()

    async def _pull(self) -> None:
        found = await read_in_thread(self._look)
        if found is None:
            self._end()
            return
        while not self._give(found):
            more = await read_in_thread(self._event_frames, self.seq or 0, READ_EVENTS)
            found = found._replace(events=more)

    def _look(self) -> Look | None:
        """Called in a thread, the encoding included: the event loop goes on meanwhile."""
        snapshot = self.topic.snapshot(self.short_name)
        if snapshot is None:
            return None
        after = self.seq or 0
        events = self._event_frames(after, READ_EVENTS) if (snapshot.seq or 0) > after else []
        is_news = snapshot.revision > self.revision  # which grows, so what is no news now never is
        return Look(snapshot, events, state_frame(self.name, snapshot) if is_news else None)

    def _give(self, found: Look) -> bool:
        """Events, then the state; False while there are more events before that state."""
        snapshot = found.snapshot
        self._sent_at = time.monotonic()
        for frame in found.events:
            if frame.seq > (self.seq or 0):  # a join in between may have moved us on
                self._give_event(frame)
        if found.events and (self.seq or 0) < (snapshot.seq or 0):
            return False
        if found.state is not None and snapshot.revision > self.revision:
            self._give_state(snapshot, found.state)
        self._gather_crowd()
        return True

    def _give_event(self, frame: Frame) -> None:
        self.seq = frame.seq
        self._give_crowd(frame)
        for subscription in list(self._others.values()):
            subscription.offer_event(frame)

    def _give_state(self, snapshot: Snapshot, frame: Frame) -> None:
        self.revision, self.newest = snapshot.revision, snapshot
        self._give_crowd(frame)
        for subscription in list(self._others.values()):
            subscription.offer_state(snapshot.revision, frame)
        if snapshot.is_finished:
            for reader in list(self.subscriptions):
                reader.on_topic_end()

    def _give_crowd(self, frame: Frame) -> None:
        for reader in self._crowd.write(frame):
            self.leave_crowd(reader)
            reader.put(frame)

    def _gather_crowd(self) -> None:
        """Whoever waits for nothing, and needs to be kept from nothing, is one of many from now on."""
        for reader, subscription in list(self._others.items()):
            is_level = subscription.revision <= self.revision and (subscription.seq or 0) <= (self.seq or 0)
            if subscription.is_ready and is_level and (wire := reader.crowd_wire) is not None:
                del self._others[reader]
                self._crowd.add(reader, wire)

    def leave_crowd(self, reader: Reader) -> None:
        """`reader` is asked before each frame again; what it has is what the crowd was given."""
        if reader in self._crowd:
            subscription = self._others[reader] = self.subscriptions[reader]
            subscription.revision, subscription.seq = self.numbers
            reader.note_sent(self._crowd.remove(reader))

    def crowd_frames_of(self, reader: Reader) -> int:
        return self._crowd.frames_of(reader)

    def _event_frames(self, after: int, limit: int) -> list[Frame]:
        """Called in a thread: what is read there is encoded there, and the event loop goes on meanwhile."""
        found = self.topic.events(self.short_name, after, limit)
        return [event_frame(self.name, seq, event) for seq, event in found]

    async def join(self, subscription: Subscription, after: int | None) -> Snapshot | None:
        """The reader gets a snapshot, the events after `after`, then every change. None: the topic is gone.

        The subscription stands in `subscriptions` before anything is read, so no change falls between.
        """
        snapshot = await read_in_thread(self.topic.snapshot, self.short_name)
        if snapshot is None or not self._has(subscription):
            return snapshot
        reader = subscription.reader
        reader.put(snapshot_frame(self.name, snapshot))
        subscription.revision = snapshot.revision
        if snapshot.seq is not None:
            start = snapshot.seq if after is None else min(after, snapshot.seq)
            await self._replay(reader, subscription, start, snapshot.seq)
        if self.revision < 0:  # the first reader: what it has seen is what the feed has given
            self.revision, self.seq, self.newest = snapshot.revision, subscription.seq, snapshot
        await self._catch_up(subscription)
        if snapshot.is_finished:
            reader.on_topic_end()
        return snapshot

    def _has(self, subscription: Subscription) -> bool:
        """False once its reader has left, which may happen while something is read for it."""
        return self.subscriptions.get(subscription.reader) is subscription

    async def _replay(self, reader: Reader, subscription: Subscription, after: int, upto: int) -> None:
        """Events (after, upto] for one reader; of more than 1,000 the older ones become a gap."""
        if upto - after > REPLAY_EVENTS:
            start = upto - REPLAY_EVENTS
            address = self.topic.gap_address(self.short_name, after)
            reader.put(gap_frame(self.name, after=after, upto=start, address=address))
            after = start
        subscription.seq = after
        while subscription.seq < upto:
            found = await read_in_thread(self._event_frames, subscription.seq, REPLAY_EVENTS)
            if not found or not self._has(subscription):
                return
            for frame in found:
                subscription.seq = frame.seq
                reader.put(frame, is_replay=True)

    async def _catch_up(self, subscription: Subscription) -> None:
        """What the other readers were given while this one was joining; then it gets what they get."""
        while self._has(subscription) and subscription.seq is not None and (self.seq or 0) > subscription.seq:
            before = subscription.seq
            await self._replay(subscription.reader, subscription, before, self.seq or 0)
            if subscription.seq == before:
                break
        subscription.is_ready = True  # nothing is awaited between the last look and this
        if self.newest and self.revision > subscription.revision:
            subscription.offer_state(self.revision, state_frame(self.name, self.newest))
        if (
            self._is_dirty
            or self.revision < subscription.revision
            or (self.seq or 0) < (subscription.seq or 0)
        ):
            self.wake()  # a change was noted, or this reader is ahead of the feed and the others get it too

    def _end(self) -> None:
        """The topic does not exist any more: its readers are told and leave it."""
        frame = error_frame(Gone(f"{self.name} is gone.", topic=self.name), self.name)
        for reader in list(self.subscriptions):
            reader.leave(self.name)
            reader.put(frame)
            reader.on_topic_end()

    def close(self) -> None:
        if self._pulling is not None:
            self._pulling.cancel()
