"""The newest state of a topic for those who ask by REST: read once for all who ask at the same time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sessionsite.common import live
from sessionsite.common.live import Snapshot, UnknownTopic, find_topic
from sessionsite.common.threads import read_in_thread

KEPT_S = 1.0  # how late a commit of another process is seen
FORGOTTEN_S = 10.0  # after the last question


class _Entry:
    def __init__(self, topic: str) -> None:
        self.family, self.name = find_topic(topic)
        self.lock = asyncio.Lock()
        self.commits = 0  # known here; raised in the committing thread
        self.read_commits = -1  # of these the snapshot knows
        self.read_at = self.asked_at = 0.0
        self.snapshot: Snapshot | None = None
        self.made: dict[str, Any] = {}  # what was made of this very snapshot, by maker

    def is_fresh(self, since: float) -> bool:
        return self.read_commits == self.commits and self.read_at > since


class NewestStates:
    """Never older than the last commit of this process, nor than a second. One per event loop."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        live.add_listener(self._on_commit)

    def _on_commit(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        if (entry := self._entries.get(topic)) is not None:
            entry.commits += 1

    async def get(self, topic: str, maker: str, make) -> Any:
        """make(snapshot), made in a thread once per snapshot and `maker`. Raises UnknownTopic."""
        asked_at = time.monotonic()
        entry = self._entry(topic, asked_at)
        if not (entry.is_fresh(asked_at - KEPT_S) and maker in entry.made):
            async with entry.lock:
                if not entry.is_fresh(asked_at - KEPT_S):
                    await self._read(entry, topic)
                if maker not in entry.made:
                    entry.made[maker] = await read_in_thread(make, entry.snapshot)
        return entry.made[maker]

    def _entry(self, topic: str, now: float) -> _Entry:
        entry = self._entries.get(topic)
        if entry is None:
            for name in [name for name, old in self._entries.items() if now - old.asked_at > FORGOTTEN_S]:
                del self._entries[name]
            entry = self._entries[topic] = _Entry(topic)
        entry.asked_at = now
        return entry

    async def _read(self, entry: _Entry, topic: str) -> None:
        commits, read_at = entry.commits, time.monotonic()
        snapshot = await read_in_thread(entry.family.snapshot, entry.name)
        if snapshot is None:
            self._entries.pop(topic, None)
            raise UnknownTopic(f"There is no topic {topic!r}.", topic=topic)
        entry.snapshot, entry.made = snapshot, {}
        entry.read_commits, entry.read_at = commits, read_at
