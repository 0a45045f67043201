"""Fan-out of live topics: one hub per process (per event loop), one feed per topic, one outbox per reader.

The database is the truth. A commit in this process, a wake-up from another one, or the check of revisions
each second makes a feed look; what it finds newer goes to its readers. See feed.py, outbox.py, reader.py,
relay.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from sessionsite.common import live
from sessionsite.common.access import Caller
from sessionsite.common.errors import DomainError
from sessionsite.common.hub.feed import Feed, Subscription
from sessionsite.common.hub.frames import error_frame, heartbeat_frame
from sessionsite.common.hub.reader import Credential, Reader
from sessionsite.common.hub.relay import Relay
from sessionsite.common.live import NoEvents, UnknownTopic, find_topic
from sessionsite.common.threads import read_in_thread

__all__ = ["Hub", "Reader", "get_hub", "shutdown", "stats"]

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0  # how late a change is seen that nobody announced here
HEARTBEAT_S = 15.0
CREDENTIALS_S = 2.0  # revoked means closed within 5 s
SLOW_LIMIT_S = 60.0
TOPICS_PER_READER = 200

CLOSE_DEAD_CREDENTIAL, CLOSE_NOTHING_LEFT, CLOSE_TOO_SLOW, CLOSE_GOING_AWAY = 4401, 4403, 4408, 4012


class TooManyTopics(DomainError):
    code = "too_many_topics"


class Hub:
    """The live side of one event loop. Everything here runs on that loop unless it says otherwise."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.feeds: dict[str, Feed] = {}
        self.readers: set[Reader] = set()
        self.relay = Relay(self._on_wake)
        self._ticking: asyncio.Task | None = None
        self._credentials_at = 0.0
        live.add_listener(self.on_commit)

    def time(self) -> float:
        return self._loop.time()

    # --- changes ----------------------------------------------------------------------------------------

    def on_commit(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        """A change was committed in this process; called in the committing thread."""
        try:
            self._loop.call_soon_threadsafe(self._on_own_commit, topic, revision, seq, urgent)
        except RuntimeError:  # the loop has ended
            live.remove_listener(self.on_commit)

    def _on_own_commit(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        self.relay.tell(topic, revision, seq, urgent)
        self._on_wake(topic, revision, seq, urgent)

    def _on_wake(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        feed = self.feeds.get(topic)
        if feed is not None and feed.is_behind(revision, seq):
            feed.wake(urgent=urgent)

    # --- readers ----------------------------------------------------------------------------------------

    def admit(self, reader: Reader) -> None:
        self.readers.add(reader)
        if self._ticking is None:
            self._ticking = self._loop.create_task(self._tick_for_ever(), name="hub")

    def forget(self, reader: Reader) -> None:
        self.readers.discard(reader)
        if not self.readers and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    async def subscribe(self, reader: Reader, topic: str, *, after: int | None = None) -> None:
        """`reader` gets the snapshot of `topic`, then every change.

        Raises UnknownTopic, NoEvents, TooManyTopics.

        after: also the events with a greater seq. A second subscription to a topic starts it anew.
        """
        family, name = find_topic(topic)
        if after is not None and not family.has_events:
            raise NoEvents(f"{topic} has states, not events: leave `after` out.", topic=topic)
        if not await read_in_thread(family.authorise, reader.caller, name):
            raise UnknownTopic(f"There is no topic {topic!r}.", topic=topic)
        reader.leave(topic)
        if len(reader.feeds) >= TOPICS_PER_READER:
            raise TooManyTopics(f"One connection follows at most {TOPICS_PER_READER} topics.", topic=topic)
        feed = self.feeds.get(topic) or self._open(topic, family, name)
        subscription = feed.subscriptions[reader] = Subscription(reader)
        reader.feeds[topic] = feed
        if await feed.join(subscription, after) is None:
            reader.leave(topic)
            raise UnknownTopic(f"There is no topic {topic!r}.", topic=topic)

    def _open(self, topic: str, family: live.Topic, name: str) -> Feed:
        feed = self.feeds[topic] = Feed(topic, family, name)
        self.relay.listen(topic)
        return feed

    def drop(self, feed: Feed, reader: Reader) -> None:
        feed.subscriptions.pop(reader, None)
        if not feed.subscriptions and self.feeds.get(feed.name) is feed:
            del self.feeds[feed.name]
            self.relay.forget(feed.name)
            feed.close()

    # --- once a second ----------------------------------------------------------------------------------

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            for step in (self.check_revisions, self.check_credentials):
                try:
                    await step()
                except Exception:
                    logger.exception("the hub's %s failed; it runs again in a second", step.__name__)
            self.send_heartbeats()
            self.close_slow()

    async def check_revisions(self) -> None:
        """Feeds that the database is ahead of are woken: commands and lost wake-ups end here."""
        by_family: dict[live.Topic, list[Feed]] = defaultdict(list)
        for feed in self.feeds.values():
            by_family[feed.topic].append(feed)
        for family, feeds in by_family.items():
            numbers = await read_in_thread(family.revisions, [feed.short_name for feed in feeds])
            for feed in feeds:
                known = numbers.get(feed.short_name)
                if known is None or feed.is_behind(*known):  # gone, or ahead of us
                    feed.wake()

    async def check_credentials(self) -> None:
        """Readers whose credential died are closed; lost rights end the topics they gave."""
        if self.time() - self._credentials_at < CREDENTIALS_S:
            return
        self._credentials_at = self.time()
        by_credential: dict[Credential, list[Reader]] = defaultdict(list)
        for reader in self.readers:
            by_credential[reader.credential].append(reader)
        for credential, readers in by_credential.items():
            caller = await read_in_thread(credential.caller_now)
            for reader in readers:
                if caller is None:
                    reader.close(CLOSE_DEAD_CREDENTIAL)
                elif caller != reader.caller:
                    await self._narrow(reader, caller)

    async def _narrow(self, reader: Reader, caller: Caller) -> None:
        reader.caller = caller
        for topic, feed in list(reader.feeds.items()):
            if not await read_in_thread(feed.topic.authorise, caller, feed.short_name):
                reader.leave(topic)
                reader.put(error_frame(UnknownTopic(f"There is no topic {topic!r} for you any more."), topic))
                if not reader.feeds:
                    reader.close(CLOSE_NOTHING_LEFT)

    def send_heartbeats(self) -> None:
        now = self.time()
        for reader in self.readers:
            if now - reader.heartbeat_at >= HEARTBEAT_S:
                reader.heartbeat_at = now
                reader.put(heartbeat_frame({name: feed.numbers for name, feed in reader.feeds.items()}))

    def close_slow(self) -> None:
        """A reader that has taken nothing for a minute is closed; until then its frames fold."""
        now = self.time()
        for reader in list(self.readers):
            if reader.stuck_since is not None and now - reader.stuck_since > SLOW_LIMIT_S:
                reader.close(CLOSE_TOO_SLOW)

    async def close(self, code: int = CLOSE_GOING_AWAY) -> None:
        """Every reader is told to come back, nothing of this hub is left running."""
        for reader in list(self.readers):
            reader.close(code)
        for feed in list(self.feeds.values()):
            feed.close()
        self.feeds.clear()
        live.remove_listener(self.on_commit)
        await self.relay.close()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub()
    return hub


async def shutdown() -> None:
    """Sockets and streams of this event loop are closed with 4012: going away, reconnect."""
    hub = _hubs.pop(asyncio.get_running_loop(), None)
    if hub is not None:
        await hub.close()


def stats(hubs: Iterable[Hub] | None = None) -> dict:
    """What the health page shows of this process's live side."""
    hubs = list(_hubs.values()) if hubs is None else list(hubs)
    readers = [reader for hub in hubs for reader in list(hub.readers)]
    return {
        "readers": len(readers),
        "topics": len({name for hub in hubs for name in list(hub.feeds)}),
        "waiting_bytes": sum(reader.outbox.size_bytes for reader in readers),
        "slow_readers": sum(1 for reader in readers if reader.outbox.size_bytes > 0),
        "layer": "redis" if any(hub.relay.is_in_use for hub in hubs) else "memory",
        "layer_degraded": any(hub.relay.is_degraded for hub in hubs),
    }
