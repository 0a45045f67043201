"""Who reads what, told to the app that wants to know: readers per topic of one hub."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from typing import Protocol

from sessionsite.common.threads import write_in_thread

logger = logging.getLogger(__name__)

RENEW_S = 10.0
RETRY_S = 1.0


class Watch(Protocol):
    """Counts the readers of one family of topics. Every method may use the database."""

    def hold(self, name: str, holder: str, count: int) -> bool:
        """`holder` has `count` readers of topic `name`. False where readers are not counted."""

    def renew(self, holder: str, names: set[str]) -> set[str]:
        """`holder` still has its readers; returns the names that it holds nothing of any more."""

    def release(self, holder: str) -> None:
        """`holder` has no reader of anything."""


_watches: dict[str, Watch] = {}


def register_watch(prefix: str, watch: Watch) -> None:
    """Readers of `<prefix>:<name>` are counted by `watch`; called from AppConfig.ready."""
    _watches[prefix] = watch


def new_holder() -> str:
    """A name that no other hub has, on any machine."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


class _Held:
    """One topic: how many readers it has, and how many of them are written down."""

    def __init__(self, watch: Watch, name: str) -> None:
        self.watch, self.name = watch, name
        self.wanted = self.written = 0
        self.is_counted = True
        self.is_held = False  # a lease is there, and no write is under way that takes it back
        self.writing: asyncio.Task | None = None
        self.waiting: list[asyncio.Future] = []  # for the end of the next write

    def answer(self, error: Exception | None = None) -> None:
        """Those who wait look again, or get `error`."""
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class Presence:
    """The readers of one hub. Changes of a topic are written one after the other, the newest number only."""

    def __init__(self) -> None:
        self.holder = new_holder()
        self._held: dict[str, _Held] = {}
        self._renewed_at = 0.0
        self._renewing: asyncio.Task | None = None

    @property
    def held(self) -> dict[str, int]:
        """Readers per topic, as written down."""
        return {topic: held.written for topic, held in self._held.items() if held.is_held}

    def tell(self, topic: str, count: int) -> None:
        """`topic` has `count` readers here; that is written down soon."""
        held = self._held.get(topic)
        if held is None:
            prefix, _, name = topic.partition(":")
            watch = _watches.get(prefix)
            if watch is None or not count:
                return
            held = self._held[topic] = _Held(watch, name)
        held.wanted = count
        if held.writing is None:
            held.writing = asyncio.get_running_loop().create_task(self._write(topic, held), name="presence")

    async def hold(self, topic: str, count: int) -> None:
        """As `tell`; returns when the lease that keeps the topic alive is there, or nothing is counted.

        Raises what the database raised.
        """
        self.tell(topic, count)
        held = self._held.get(topic)
        while held is not None and held.is_counted and held.wanted and not held.is_held:
            held.waiting.append(asyncio.get_running_loop().create_future())
            await held.waiting[-1]

    async def _write(self, topic: str, held: _Held) -> None:
        try:
            while held.is_counted and held.wanted != held.written:
                if not await self._write_once(held):
                    await asyncio.sleep(RETRY_S)
        finally:
            held.writing = None
            held.answer()
            if not held.wanted and self._held.get(topic) is held:
                del self._held[topic]

    async def _write_once(self, held: _Held) -> bool:
        """Whether the number of this moment is written down; those who wait in `hold` hear of it."""
        wanted = held.wanted
        held.is_held = held.is_held and wanted > 0
        try:
            is_counted = await write_in_thread(held.watch.hold, held.name, self.holder, wanted)
        except Exception as error:
            logger.exception("the readers of %s could not be written down; it is tried again", held.name)
            held.answer(error)
            return False
        held.is_counted = is_counted or not wanted
        held.written, held.is_held = wanted, is_counted and wanted > 0
        held.answer()
        return True

    def renew_when_due(self, now: float) -> None:
        """Every RENEW_S seconds the leases are made new, in a task of its own. now: the loop's time."""
        if now - self._renewed_at < RENEW_S or self._renewing is not None or not self.held:
            return
        self._renewed_at = now
        self._renewing = asyncio.get_running_loop().create_task(self._renew(), name="presence")

    async def _renew(self) -> None:
        try:
            for prefix, watch in _watches.items():
                names = {held.name for held in self._held.values() if held.watch is watch and held.is_held}
                lost = await write_in_thread(watch.renew, self.holder, names) if names else set()
                for name in lost:  # too late: somebody took us for dead
                    if (held := self._held.get(f"{prefix}:{name}")) is not None and held.is_held:
                        held.written, held.is_held = 0, False
                        self.tell(f"{prefix}:{name}", held.wanted)
        except Exception:
            logger.exception("leases could not be renewed; it is tried again")
            self._renewed_at = 0.0
        finally:
            self._renewing = None

    async def close(self) -> None:
        """No lease of this hub is left."""
        tasks = [held.writing for held in self._held.values()] + [self._renewing]
        tasks = [task for task in tasks if task is not None]
        was_used = bool(self._held)
        self._held.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if was_used:
            for watch in _watches.values():
                await write_in_thread(watch.release, self.holder)
