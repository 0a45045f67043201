"""One telescope of a benchmark: its nights happen, its connections end, its NINA forgets."""

from __future__ import annotations

import asyncio
import json
import math
from argparse import Namespace
from collections import Counter
from datetime import datetime, timedelta

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.lib.rig.judging import judged
from benchmarks.lib.rig.recording import ZONE, live_night, nothing_happens
from benchmarks.lib.rig.requests import health
from benchmarks.lib.servers import Ours
from monitoring.nina.script import Script
from monitoring.nina.simulator import SimulatedNina

READ_WITHIN_S = 120.0
SETTLE_S = 3.0  # what came within a second of a rebuild is left for the next one


class Telescope:
    """run: hours and every (from night to night) are simulated hours, cut_every and down real seconds."""

    def __init__(self, slug: str, served: Ours, run: Namespace, seed: int) -> None:
        self.slug, self.served, self.run = slug, served, run
        self.nina = SimulatedNina(nothing_happens(), speed=run.speed, dup=run.dup, seed=seed)
        self.cuts, self.panel = 0, Counter()
        self._connection = asyncio.Lock()  # held by what cuts it

    async def live(self, begin: datetime) -> None:
        """Night after night of the run has happened. Between two of them its NINA restarts."""
        for number in range(math.ceil(self.run.hours / self.run.every)):
            if number:
                await self.forget()
            passed = self.run.every * number
            await self.until(begin + timedelta(hours=passed))
            night = live_night(self.nina.now(), hours=self.run.hours - passed)
            self.nina.script = Script([], [], night, ZONE)
            await self.nina.play()

    async def forget(self) -> None:
        """The history of NINA is gone, and its connection too.

        Not before the server has read it: at such a speed the moments at which frames arrive do not tell
        repeats and events apart, only the history does. A night waits for that.
        """
        await asyncio.sleep(SETTLE_S)
        async with self._connection:
            await self._read_once_more()
            self.nina.restart()
            await self.nina.cut()

    async def until(self, moment: datetime) -> None:
        """Sleeps up to this moment of the simulated time."""
        while (wait_s := (moment - self.nina.now()).total_seconds() / self.nina.speed) > 0:
            await asyncio.sleep(wait_s)

    async def lose_connections(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self.run.cut_every)
            async with self._connection:
                self.cuts += 1
                await self.nina.cut(self.run.down)

    async def _read_once_more(self) -> None:
        """The server has lost its connection, made a new one and read the history through it."""
        before = (await health(self.served, self.slug))["connection"]["since"]
        await self.nina.cut()
        async with asyncio.timeout(READ_WITHIN_S):
            while not _is_anew((await health(self.served, self.slug))["connection"], before):
                await asyncio.sleep(0.1)

    async def follow(self) -> None:
        """A panel that stays, until it is cancelled; its messages are counted by type."""
        address = f"ws://127.0.0.1:{self.served.port}/ws/unified/{self.slug}"
        while True:
            try:
                async with connect(address, proxy=None, max_size=None) as panel:
                    async for text in panel:
                        self.panel[json.loads(text)["type"]] += 1
            except (OSError, WebSocketException):
                await asyncio.sleep(0.5)

    async def judged(self) -> dict:
        """What was done to it, and what the server has of it."""
        self.nina.is_down = False
        return {
            "connections": self.nina.connections,
            "cuts": self.cuts,
            "restarts": len(self.nina.past),
            "entries_forgotten": sum(len(entries) for entries, _ in self.nina.past),
            **await judged(self.served, self.slug, self.nina),
        }


def _is_anew(link: dict, before: str) -> bool:
    """Whether this connection was made, and the history read, after `before`."""
    return link["status"] == "connected" and min(link["since"], link["lastRebuild"]) > before
