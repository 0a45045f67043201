"""/ws/unified and /ws/unified/<rig>: one rig on one socket, for panels that know nothing else of us."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from weakref import WeakKeyDictionary

from monitoring.nina import messages
from monitoring.nina.access import find_rig, may_read
from monitoring.nina.link import is_silent
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.topic import unified_of
from sessionsite.common import live
from sessionsite.common.consumers import (
    AUTH_WITHIN_S,
    CLOSE_NO_SUCH_TOPIC,
    CLOSE_UNAUTHENTICATED,
    BadMessage,
    Identified,
    Identify,
    parse,
)
from sessionsite.common.errors import DomainError, NotAuthenticated
from sessionsite.common.threads import read_in_thread

logger = logging.getLogger(__name__)

PATH = "/ws/unified"
REPEAT_S = 1.5  # panels subscribe a second after they have connected
HEARTBEAT_S = 20.0
CHECK_S = 1.0  # how late a change of another process is seen
RIGHTS_S = 2.0
WAITING = 300  # messages; a reader that is further behind gets the newest state only
EACH_UP_TO = 50  # events at once that are each followed by a state: as many as one transaction stores
CLOSE_GOING_AWAY = 4012


class Outlet:
    """The way to one reader: in order while it keeps up, folded to the newest state when it does not."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._arrived = asyncio.Event()
        self.close_code: int | None = None

    def put(self, texts: list[str], newest: list[str] | None = None) -> None:
        """newest: what is left of it all when too much is waiting."""
        self._waiting.extend(texts)
        if len(self._waiting) > WAITING:
            self._waiting.clear()
            self._waiting.extend(newest or texts[-2:])
        self._arrived.set()

    def close(self, code: int) -> None:
        self.close_code = code
        self._arrived.set()

    async def send_all(self, send) -> None:
        """Sends until `close`, then closes."""
        while self.close_code is None:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting and self.close_code is None:
                await send({"type": "websocket.send", "text": self._waiting.popleft()})
        await send({"type": "websocket.close", "code": self.close_code})


class RigFeed:
    """One rig in this process: read once per change, for all its readers."""

    def __init__(self, rig: Rig) -> None:
        self.rig_id, self.topic = rig.pk, f"rig:{rig.slug}"
        self.revision, self.seq = rig.revision, rig.last_seq
        self.is_silent = is_silent(rig)  # which no revision tells: whoever would write it is gone
        self.readers: dict[Outlet, Identified | None] = {}
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._tasks = [self._loop.create_task(step()) for step in (self._follow, self._watch_rights)]
        live.add_listener(self._on_commit)

    def _on_commit(self, topic: str, revision, seq, urgent: bool) -> None:
        if topic == self.topic:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._woken.set)

    def end(self) -> None:
        live.remove_listener(self._on_commit)
        for task in self._tasks:
            task.cancel()

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._woken.wait()
            self._woken.clear()
            try:
                texts, newest = await read_in_thread(self._news)
            except Exception:
                logger.exception("%s could not be read; it is tried again", self.topic)
                continue
            for outlet in self.readers if texts else ():
                outlet.put(texts, newest)

    def _news(self) -> tuple[list[str], list[str]]:
        """(everything since the last call in order, the newest state alone). Reads the database."""
        rig = Rig.objects.for_messages().filter(pk=self.rig_id).first()
        if rig is None or (rig.revision <= self.revision and is_silent(rig) == self.is_silent):
            return [], []
        rows = RigEvent.objects.filter(rig=rig, seq__gt=self.seq, seq__lte=rig.last_seq, is_live=True)
        events = list(rows.order_by("seq"))
        self.revision, self.seq, self.is_silent = rig.revision, rig.last_seq, is_silent(rig)
        newest = messages.states(unified_of(rig))
        if not events:
            return newest, newest
        told = [messages.nina_event(row) for row in events]
        if len(events) <= EACH_UP_TO:
            return [text for event in told for text in (event, *newest)], newest
        return [*told, *newest], newest

    async def _watch_rights(self) -> None:
        """Who may not read any more is closed: a dead token, a rig that is public no longer."""
        while True:
            await asyncio.sleep(RIGHTS_S)
            for outlet, found in list(self.readers.items()):
                try:
                    caller = found and await read_in_thread(found[1].caller_now)
                    if not await read_in_thread(may_read, self.rig_id, caller):
                        outlet.close(CLOSE_UNAUTHENTICATED)
                except Exception:
                    logger.exception("the rights of a reader of %s could not be read", self.topic)


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, RigFeed]] = WeakKeyDictionary()


async def shutdown() -> None:
    """The readers of this event loop are told to come back; new ones begin a new feed."""
    for feed in _feeds.pop(asyncio.get_running_loop(), {}).values():
        for outlet in list(feed.readers):
            outlet.close(CLOSE_GOING_AWAY)
        feed.end()


class UnifiedSockets:
    """The ASGI application of these sockets."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    def claims(self, path: str) -> bool:
        return path.rstrip("/") == PATH or path.startswith(f"{PATH}/")

    async def __call__(self, scope, receive, send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept"})
        try:
            found, rig = await self._enter(scope, receive)
        except DomainError as error:
            is_login = isinstance(error, NotAuthenticated)
            await send({"type": "websocket.send", "text": messages.message("error", error.as_json())})
            code = CLOSE_UNAUTHENTICATED if is_login else CLOSE_NO_SUCH_TOPIC
            await send({"type": "websocket.close", "code": code})
            return
        if rig is not None:
            await self._serve(found, rig, receive, send)

    async def _enter(self, scope, receive) -> tuple[Identified | None, Rig | None]:
        """Who it is and the rig they follow; no rig when they left again. Raises DomainError."""
        slug = scope["path"][len(PATH) :].strip("/") or None
        found = await self._identify.by_scope(scope)
        try:
            return found, await read_in_thread(find_rig, slug, found and found[0])
        except NotAuthenticated:
            message = await self._first_message(receive)
            if message is None:
                return None, None
            found = await self._identify.by_message(message) if message.get("type") == "auth" else None
            return found, await read_in_thread(find_rig, slug, found and found[0])

    async def _first_message(self, receive) -> dict | None:
        try:
            async with asyncio.timeout(AUTH_WITHIN_S):
                event = await receive()
        except TimeoutError:
            return {}
        if event["type"] == "websocket.disconnect":
            return None
        try:
            return parse(event)
        except BadMessage:
            return {}

    async def _serve(self, found: Identified | None, rig: Rig, receive, send) -> None:
        feed, outlet = _feed_of(rig), Outlet()
        feed.readers[outlet] = found
        current = messages.states(await read_in_thread(_current, rig.pk))
        outlet.put([messages.connection(rig.slug), current[0]])
        tasks = [
            asyncio.create_task(self._until_gone(receive)),
            asyncio.create_task(outlet.send_all(send)),
            asyncio.create_task(_repeat(rig.pk, outlet)),
            asyncio.create_task(_beat(outlet)),
        ]
        try:
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
        finally:
            _leave(feed, outlet)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_gone(self, receive) -> None:
        while (await receive())["type"] != "websocket.disconnect":
            continue  # what panels say has no effect here


def _current(rig_id: int) -> dict:
    return unified_of(Rig.objects.for_messages().get(pk=rig_id))


def _feed_of(rig: Rig) -> RigFeed:
    feeds = _feeds.setdefault(asyncio.get_running_loop(), {})
    if rig.pk not in feeds:
        feeds[rig.pk] = RigFeed(rig)
    return feeds[rig.pk]


def _leave(feed: RigFeed, outlet: Outlet) -> None:
    feed.readers.pop(outlet, None)
    feeds = _feeds.get(asyncio.get_running_loop(), {})
    if not feed.readers and feeds.get(feed.rig_id) is feed:
        del feeds[feed.rig_id]
        feed.end()


async def _repeat(rig_id: int, outlet: Outlet) -> None:
    """The snapshot once more: a panel may have subscribed to its messages only after the first one."""
    await asyncio.sleep(REPEAT_S)
    outlet.put(messages.states(await read_in_thread(_current, rig_id))[1:])


async def _beat(outlet: Outlet) -> None:
    """Panels leave for good after 30 s of silence."""
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        outlet.put([messages.heartbeat()])
