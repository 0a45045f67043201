"""Fan-out of live topics: one hub per process (per event loop), one feed per topic, one outbox per reader.

The database is the truth. A commit in this process, a wake-up from another one, or the check of revisions
each second makes a feed look; what it finds newer goes to its readers. See feed.py, outbox.py, reader.py,
relay.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from sessionsite.common import live
from sessionsite.common.access import Caller
from sessionsite.common.errors import DomainError
from sessionsite.common.hub.feed import Feed
from sessionsite.common.hub.frames import error_frame, heartbeat_frame
from sessionsite.common.hub.presence import Presence
from sessionsite.common.hub.reader import Credential, Reader
from sessionsite.common.hub.relay import Relay
from sessionsite.common.live import NoEvents, UnknownTopic, find_topic
from sessionsite.common.threads import read_in_thread

__all__ = ["Hub", "Reader", "TooManyReaders", "get_hub", "shutdown", "stats"]

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0  # how late a change is seen that nobody announced here
HEARTBEAT_S = 15.0
CREDENTIALS_S = 2.0  # revoked means closed within 5 s
SLOW_LIMIT_S = 60.0
TOPICS_PER_READER = 200
READERS_PER_CREDENTIAL = 1000  # open sockets and streams of one login or token, in this process

CLOSE_DEAD_CREDENTIAL, CLOSE_NOTHING_LEFT, CLOSE_TOO_SLOW, CLOSE_GOING_AWAY = 4401, 4403, 4408, 4012


class TooManyTopics(DomainError):
    code = "too_many_topics"


class TooManyReaders(DomainError):
    code, status = "too_many_readers", 429


class Hub:
    """The live side of one event loop. Everything here runs on that loop unless it says otherwise."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.feeds: dict[str, Feed] = {}
        self.readers: set[Reader] = set()
        self.relay = Relay(self._on_wake)
        self.presence = Presence()
        self._ticking: asyncio.Task | None = None
        self._credentials_at = 0.0
        self._readers_of: Counter[Credential] = Counter()  # never a zero
        live.add_listener(self.on_commit)

    def time(self) -> float:
        return self._loop.time()

    # --- changes ----------------------------------------------------------------------------------------

    def on_commit(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        """A change was committed in this process; called in the committing thread, which waits for nothing.

        The event loop is woken when the frames are there, and before only for what a thread cannot do.
        """
        if self._loop.is_closed():
            self._forget_loop()
            return
        feed = self.feeds.get(topic)  # a reader that joins later than this reads later than the commit
        is_seen_to = feed is None or feed.look_soon(revision, seq, urgent=urgent)
        if is_seen_to and not self.relay.is_in_use:
            return
        call = self.relay.tell if is_seen_to else self._on_own_commit
        try:
            self._loop.call_soon_threadsafe(call, topic, revision, seq, urgent)
        except RuntimeError:  # the loop has ended
            self._forget_loop()

    def _forget_loop(self) -> None:
        live.remove_listener(self.on_commit)
        _hubs.pop(self._loop, None)

    def _on_own_commit(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        self.relay.tell(topic, revision, seq, urgent)
        self._on_wake(topic, revision, seq, urgent)

    def _on_wake(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        feed = self.feeds.get(topic)
        if feed is not None and feed.is_behind(revision, seq):
            feed.wake(urgent=urgent)

    # --- readers ----------------------------------------------------------------------------------------

    def admit(self, reader: Reader) -> None:
        """`reader` may subscribe. Raises TooManyReaders."""
        self._check_room(reader.credential)
        self._count(reader.credential, 1)
        self.readers.add(reader)
        if self._ticking is None:
            self._ticking = self._loop.create_task(self._tick_for_ever(), name="hub")

    def forget(self, reader: Reader) -> None:
        if reader in self.readers:
            self.readers.discard(reader)
            self._count(reader.credential, -1)
        if not self.readers and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _check_room(self, credential: Credential) -> None:
        if self._readers_of[credential] >= READERS_PER_CREDENTIAL:
            raise TooManyReaders(
                f"One login or token has at most {READERS_PER_CREDENTIAL} open connections here.",
                limit=READERS_PER_CREDENTIAL,
            )

    def _count(self, credential: Credential, by: int) -> None:
        self._readers_of[credential] += by
        if not self._readers_of[credential]:
            del self._readers_of[credential]

    async def subscribe(self, reader: Reader, topic: str, *, after: int | None = None) -> None:
        """`reader` gets the snapshot of `topic`, then every change.

        Raises UnknownTopic, NoEvents, TooManyTopics.

        after: also the events with a greater seq. A second subscription to a topic starts it anew.
        A reader that is closed meanwhile is left as it is.
        """
        family, name = find_topic(topic)
        if after is not None and not family.has_events:
            raise NoEvents(f"{topic} has states, not events: leave `after` out.", topic=topic)
        if not await self._is_allowed(reader, family, name):
            raise UnknownTopic(f"There is no topic {topic!r}.", topic=topic)
        if reader.close_code is not None:
            return
        reader.leave(topic)
        if len(reader.feeds) >= TOPICS_PER_READER:
            raise TooManyTopics(f"One connection follows at most {TOPICS_PER_READER} topics.", topic=topic)
        feed = self.feeds.get(topic) or self._open(topic, family, name)
        subscription = feed.add(reader)
        reader.feeds[topic] = feed
        try:
            if reader.is_watching:  # before the snapshot: what is watched does not end while it is read
                await self.presence.hold(topic, feed.watching)
            snapshot = await feed.join(subscription, after)
        except BaseException:
            reader.leave(topic)
            raise
        if snapshot is None:
            reader.leave(topic)
            raise UnknownTopic(f"There is no topic {topic!r}.", topic=topic)

    async def _is_allowed(self, reader: Reader, family: live.Topic, name: str) -> bool:
        """Asked again when the reader's rights changed during the question."""
        while True:
            caller = reader.caller
            is_allowed = await read_in_thread(family.authorise, caller, name)
            if reader.caller == caller:
                return is_allowed

    def _open(self, topic: str, family: live.Topic, name: str) -> Feed:
        feed = self.feeds[topic] = Feed(topic, family, name)
        self.relay.listen(topic)
        return feed

    def drop(self, feed: Feed, reader: Reader) -> None:
        feed.remove(reader)
        if reader.is_watching and self.feeds.get(feed.name) is feed:
            self.presence.tell(feed.name, feed.watching)
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
            self.presence.renew_when_due(self.time())

    async def check_revisions(self) -> None:
        """Feeds that the database is ahead of are woken: commands and lost wake-ups end here."""
        by_family: dict[live.Topic, list[Feed]] = defaultdict(list)
        for feed in self.feeds.values():
            by_family[feed.topic].append(feed)
        names = {family: [feed.short_name for feed in feeds] for family, feeds in by_family.items()}
        found = await read_in_thread(_revisions_of, names)
        for family, feeds in by_family.items():
            for feed in feeds:
                known = found[family].get(feed.short_name)
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
        for credential, caller in (await read_in_thread(_callers_of, list(by_credential))).items():
            for reader in by_credential[credential]:
                if reader.credential != credential:  # it showed another one while this was asked about
                    continue
                if caller is None:
                    reader.close(CLOSE_DEAD_CREDENTIAL)
                elif caller != reader.caller:
                    await self._narrow(reader, caller)

    async def change_caller(self, reader: Reader, caller: Caller, credential: Credential) -> None:
        """`reader` is somebody else from now on, and keeps the topics that this one may follow.

        Raises TooManyReaders; then it stays who it was.
        """
        if reader not in self.readers:  # closed, and counted out, while it was asked who this is
            return
        if credential != reader.credential:
            self._check_room(credential)
        self._count(reader.credential, -1)
        self._count(credential, 1)
        reader.credential = credential
        await self._narrow(reader, caller)

    async def _narrow(self, reader: Reader, caller: Caller) -> None:
        before, reader.caller = reader.caller, caller
        try:
            for topic, feed in list(reader.feeds.items()):
                is_allowed = await read_in_thread(feed.topic.authorise, caller, feed.short_name)
                if reader.caller is not caller:  # somebody else by now, of whom all topics are asked anew
                    return
                if not is_allowed:
                    reader.leave(topic)
                    gone = UnknownTopic(f"There is no topic {topic!r} for you any more.")
                    reader.put(error_frame(gone, topic))
                    if not reader.feeds:
                        reader.close(CLOSE_NOTHING_LEFT)
        except BaseException:
            if reader.caller is caller:
                reader.caller = before  # the next check of credentials asks for all topics again
            raise

    def send_heartbeats(self) -> None:
        now = self.time()
        for reader in self.readers:
            if now - reader.heartbeat_at >= HEARTBEAT_S:
                reader.heartbeat_at = now
                joined = {name: feed.numbers for name, feed in reader.feeds.items() if feed.revision >= 0}
                reader.put(heartbeat_frame(joined))

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
        await self.presence.close()
        await self.relay.close()


def _revisions_of(names: dict[live.Topic, list[str]]) -> dict[live.Topic, dict]:
    """Called in a thread, once for all topics: each way there and back wakes two threads."""
    return {family: family.revisions(some) for family, some in names.items()}


def _callers_of(credentials: list[Credential]) -> dict[Credential, Caller | None]:
    return {credential: credential.caller_now() for credential in credentials}


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
