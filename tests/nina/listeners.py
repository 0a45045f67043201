"""A listener to a simulated NINA, and waiting for what it has done to its rig."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from django.db import connections

from monitoring.nina.listener import RigListener
from monitoring.nina.models import Rig
from tests.waiting import in_thread, until, until_read

BEGIN = datetime(2025, 11, 14, 23, 46, 30, tzinfo=UTC)  # just before the first live frame


async def at_once(seconds: float) -> None:
    """A pause between two attempts that takes no time."""
    await asyncio.sleep(0)


@asynccontextmanager
async def listening(rig, nina):
    """A listener to this simulated NINA, connected."""
    async with unconnected(rig, nina) as listener:
        await until(lambda: nina.connections, what="a connection")
        await status(rig, "connected")
        yield listener


@asynccontextmanager
async def unconnected(rig, nina, *, sleep=at_once):
    """A listener that connects to this simulated NINA."""
    await in_thread(Rig.objects.filter(pk=rig.pk).update, url=nina.url)
    listener = RigListener(await fresh(rig), None, sleep=sleep)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await in_thread(connections.close_all)


async def fresh(rig) -> Rig:
    return await in_thread(Rig.objects.for_messages().get, pk=rig.pk)


async def status(rig, word: str) -> None:
    await holds(rig, lambda rig: rig.link.get("status") == word)


async def holds(rig, is_true) -> Rig:
    """The rig once something is true of it."""
    return await until_read(lambda: Rig.objects.for_messages().get(pk=rig.pk), is_true)


def played(nina, frames) -> None:
    for frame in frames:
        nina.happen(frame)
