"""Wake-ups between processes, through the channel layer when there is one that leaves the process (Redis).

The layer may drop messages: it carries numbers, never data; the hub's check of revisions heals a miss.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable

from channels.layers import InMemoryChannelLayer, get_channel_layer

logger = logging.getLogger(__name__)

RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
CLOSE_WITHIN_S = 1.0
WAKE_INTERVAL_S = 0.1  # per topic, trailing edge exact


def group_of(topic: str) -> str:
    """Group names allow few characters, so they are made from a digest."""
    return f"live.{hashlib.blake2b(topic.encode(), digest_size=16).hexdigest()}"


class Relay:
    """This hub's ear and mouth on the layer. Without such a layer every method does nothing."""

    def __init__(self, on_wake: Callable[[str, int | None, int | None, bool], None]) -> None:
        layer = get_channel_layer()
        self._layer = None if layer is None or isinstance(layer, InMemoryChannelLayer) else layer
        self._on_wake = on_wake
        self._topics: set[str] = set()
        self._channel: str | None = None
        self._listening: asyncio.Task | None = None
        self._pending: dict[str, tuple[int | None, int | None, bool]] = {}
        self._sending: asyncio.Task | None = None
        self._changing: set[asyncio.Task] = set()
        self._urgent = asyncio.Event()
        self._is_closed = False
        self.is_degraded = False

    @property
    def is_in_use(self) -> bool:
        return self._layer is not None

    def listen(self, topic: str) -> None:
        """Wake-ups of `topic` from other processes arrive from now on."""
        if self._layer is None or self._is_closed or topic in self._topics:
            return
        self._topics.add(topic)
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._listen(), name="relay")
        else:
            self._change(self._layer.group_add, topic)

    def forget(self, topic: str) -> None:
        if topic in self._topics:
            self._topics.discard(topic)
            self._change(self._layer.group_discard, topic)

    def _change(self, call, topic: str) -> None:
        """Join or leave a group in the background; before there is a channel, `_listen` joins the rest."""
        if self._channel is not None:
            change = self._quietly(call, topic, self._channel)
            task = asyncio.get_running_loop().create_task(change, name="relay group")
            self._changing.add(task)  # the loop itself keeps no task alive
            task.add_done_callback(self._changing.discard)

    async def _quietly(self, call, topic: str, channel: str) -> None:
        try:
            await call(group_of(topic), channel)
        except Exception as error:
            self._degrade(error)

    async def _listen(self) -> None:
        """Supervised: whatever the layer does, it is listened to again after a pause."""
        attempt = 0
        while not self._is_closed:  # the Redis client may swallow a cancellation
            try:
                channel = self._channel = await self._layer.new_channel("hub.")
                for topic in list(self._topics):
                    await self._layer.group_add(group_of(topic), channel)
                self.is_degraded, attempt = False, 0
                while not self._is_closed:
                    self._hear(await self._layer.receive(channel))
            except Exception as error:
                self._degrade(error)
                self._channel = None
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1

    def _hear(self, message: dict) -> None:
        self._on_wake(message["topic"], message["revision"], message["seq"], message["urgent"])

    def tell(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        """Other processes hear of it: the first and urgent ones at once, then the newest at the wake rate."""
        if self._layer is None or self._is_closed:
            return
        _, _, was_urgent = self._pending.get(topic, (None, None, False))
        self._pending[topic] = (revision, seq, urgent or was_urgent)
        if urgent:
            self._urgent.set()
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send_pending(), name="relay send")

    async def _send_pending(self) -> None:
        try:
            while self._pending:
                pending, self._pending = self._pending, {}
                self._urgent.clear()
                for topic, (revision, seq, urgent) in pending.items():
                    await self._send(topic, revision, seq, urgent)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(WAKE_INTERVAL_S):
                        await self._urgent.wait()
        finally:
            self._sending = None

    async def _send(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        message = {"type": "live.wake", "topic": topic, "revision": revision, "seq": seq, "urgent": urgent}
        try:
            await self._layer.group_send(group_of(topic), message)
            self.is_degraded = False
        except Exception as error:
            self._degrade(error)

    def _degrade(self, error: Exception) -> None:
        if not self.is_degraded:
            logger.warning(
                "the channel layer does not answer; pages of other processes lag by a second: %s", error
            )
        self.is_degraded = True

    async def close(self) -> None:
        """Nothing is listened to any more; what waits to be told is given up."""
        self._is_closed = True
        tasks = {task for task in (self._listening, self._sending) if task is not None} | self._changing
        channel, self._channel, self._listening = self._channel, None, None
        topics = list(self._topics)
        self._topics.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_WITHIN_S)
        if channel is not None:
            for topic in topics:
                await self._quietly(self._layer.group_discard, topic, channel)
