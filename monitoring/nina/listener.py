"""The connection to one NINA: it never gives up, and rebuilds from the history whenever it is made anew."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import partial
from itertools import count
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from monitoring.nina import store
from monitoring.nina.events import FRAME_BYTES
from monitoring.nina.intake import LiveIntake
from monitoring.nina.models import Rig
from monitoring.nina.wire import Answers, NinaRest, NinaUnreachable, RemoteClock, socket_address
from sessionsite.common import clock
from sessionsite.common.threads import pool, run_in_pool

logger = logging.getLogger(__name__)

PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
OPEN_WITHIN_S = 10.0
CLOSE_WITHIN_S = 2.0  # one that answers no pings says no good-bye either
PING_S, PONG_WITHIN_S = 30.0, 20.0  # silence of events is no fault, silence of pongs is
MESSAGE_BYTES = 16 * 1024 * 1024
WAITING_FRAMES = 20_000
PATIENCE_S = 5.0
WRITING_AT_ONCE = 2  # each thread has a connection of its own, with all that it remembers
READING_AT_ONCE = 32  # NINAs that are asked for their history; further ones wait
FLUSH_S = 1.0
SIGN_OF_LIFE_S = 30.0
ERROR_LENGTH = 300


async def in_thread(func: Callable, *args, **kwargs) -> Any:
    """func(...), which uses the database, off the event loop."""
    return await run_in_pool(pool("rigs", WRITING_AT_ONCE), partial(func, *args, **kwargs))


async def asked_in_thread(func: Callable[..., Any], *args) -> Any:
    """func(...), which waits for a NINA. One that hangs keeps no other rig's events and no lease waiting."""
    return await asyncio.get_running_loop().run_in_executor(pool("ninas", READING_AT_ONCE), func, *args)


def pause_s(failures: int, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures in a row: 1, 2, 4 ... 30 s, of which half is left to chance."""
    longest = min(PAUSE_S * 2 ** min(failures, 10), LONGEST_PAUSE_S)
    return longest * (0.5 + chance() / 2)


def read_nina(url: str, zone: tzinfo) -> Answers:
    with NinaRest(url, zone) as nina:
        return nina.read()


def rebuild_now(rig: Rig) -> None:
    """The rig's journal and state hold what NINA holds at this moment. Raises NinaUnreachable."""
    asked_at = clock.now()
    rebuild_from(rig, read_nina(rig.url, rig.zone), asked_at=asked_at)


def rebuild_from(rig: Rig, answers: Answers, *, asked_at: datetime, epoch: int | None = None) -> RemoteClock:
    """The rig's journal and state hold what NINA answered; returns NINA's clock. Raises TakenOver."""
    link = {"seed_error": answers.unread[:ERROR_LENGTH]}
    if answers.clock is not None:
        link["clock"] = answers.clock.as_json()
    rebuilt = store.rebuild(
        rig.pk,
        application_start=answers.application_start,
        entries=answers.entries,
        images=answers.images,
        asked_at=asked_at,
        link=link,
        epoch=epoch,
    )
    return RemoteClock.from_json(rebuilt.link.get("clock"))


class RigListener:
    """Listens to one rig until it is cancelled or another process has taken over."""

    def __init__(
        self, rig: Rig, epoch: int | None, *, sleep: Callable[[float], Awaitable] = asyncio.sleep
    ) -> None:
        self.rig, self.epoch, self._sleep = rig, epoch, sleep
        self.intake = LiveIntake()
        self.clock = RemoteClock()
        self.failures = 0
        self._frames: deque[tuple[bytes, datetime]] = deque()
        self._arrived, self._may_take = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Connects, follows, and connects again, with growing pauses, for ever."""
        try:
            while True:
                await self._tell(status="connecting")
                error = (await self._one_connection())[:ERROR_LENGTH]
                await self._tell(status="disconnected", attempts=self.failures + 1, error=error)
                await self._sleep(pause_s(self.failures))
                self.failures += 1
        except store.TakenOver:
            logger.info("another process listens to %s now", self.rig)

    async def _one_connection(self) -> str:
        """Follows NINA until the connection ends; why it did."""
        try:
            async with connect(
                socket_address(self.rig.url),
                open_timeout=OPEN_WITHIN_S,
                close_timeout=CLOSE_WITHIN_S,
                ping_interval=PING_S,
                ping_timeout=PONG_WITHIN_S,
                max_size=MESSAGE_BYTES,
                compression=None,
                proxy=None,
            ) as socket:
                await self._follow(socket)
        except store.TakenOver:
            raise
        except (OSError, TimeoutError, WebSocketException) as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # such as a database that is away: what was missed comes from the history
            logger.exception("listening to %s failed; it begins anew", self.rig)
            return f"{type(error).__name__}: {error}"
        return "NINA closed the connection"

    async def _follow(self, socket) -> None:
        self._frames.clear()
        self._may_take.clear()
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(socket))
            steps = (self._rebuild_until_read, self._take, self._flush)
            work = [tasks.create_task(step()) for step in steps]
            await asyncio.wait([reading])
            for task in work:
                task.cancel()

    async def _read(self, socket) -> None:
        """Every frame with the moment of its arrival; nothing is read of it here, so that none waits.

        Ends with the connection, and when too many wait: NINA's history has them all.
        """
        with suppress(WebSocketException):
            while len(self._frames) < WAITING_FRAMES:
                # A frame whose text is no UTF-8 would end the connection if it were decoded by the client.
                frame = await socket.recv(decode=False)
                self._frames.append((frame[: FRAME_BYTES + 1], clock.now()))  # a longer one is dropped anyway
                self._arrived.set()

    async def _rebuild_until_read(self) -> None:
        """The history is read, however often that has to be tried, and again until nothing was left out."""
        is_read = False
        for tries in count():
            answers = await self._rebuild(only_whole=is_read)
            self._may_take.set()
            if answers is None:
                self.failures += 1
            else:
                is_read, self.failures = True, 0
                if not answers.unread:
                    return
            await asyncio.sleep(pause_s(tries))

    async def _rebuild(self, *, only_whole: bool) -> Answers | None:
        """What NINA answered is in the journal; None when its history could not be read.

        only_whole: an answer that leaves something out would bring nothing new.
        """
        asked_at = clock.now()
        try:
            answers = await asked_in_thread(read_nina, self.rig.url, self.rig.zone)
        except NinaUnreachable as error:
            await self._tell(seed_error=error.message[:ERROR_LENGTH])
            return None
        if not (only_whole and answers.unread):
            self.clock = await in_thread(rebuild_from, self.rig, answers, asked_at=asked_at, epoch=self.epoch)
        return answers

    async def _take(self) -> None:
        """Frames follow the history; they wait no longer for it when NINA does not answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._may_take.wait()
        await self._tell(status="connected", attempts=0, error="", heard_at=clock.iso(clock.now()))
        while True:
            self._arrived.clear()
            await self._take_waiting()
            await self._arrived.wait()

    async def _take_waiting(self) -> None:
        """The frames that are there, at most a batch in one transaction."""
        while self._frames:
            batch = [self._frames.popleft() for _ in range(min(len(self._frames), store.BATCH))]
            events = [self.intake.take(frame, self.clock.at(at)) for frame, at in batch]
            events = [event for event in events if event is not None]
            if events:
                await in_thread(
                    store.receive, self.rig.pk, events, counted=self.intake.counted(), epoch=self.epoch
                )

    async def _flush(self) -> None:
        """Dropped frames are visible within a second, a quiet connection is known to be alive."""
        told_at = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(FLUSH_S)
            now = asyncio.get_running_loop().time()
            counted = self.intake.counted()
            link = {"last_refusal": self.intake.last_refusal} if self.intake.last_refusal else {}
            if now - told_at >= SIGN_OF_LIFE_S:
                told_at, link["heard_at"] = now, clock.iso(clock.now())
            if counted.received or "heard_at" in link:
                await self._tell(counted=counted, **link)

    async def _tell(self, **link) -> None:
        await in_thread(store.set_link, self.rig.pk, epoch=self.epoch, **link)
