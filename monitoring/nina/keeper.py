"""Every rig has one listener, in one process of all: a lease per rig, and a fencing epoch for its writes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

from django.db import DatabaseError, transaction
from django.db.models import F

from monitoring.nina.listener import RigListener, in_thread
from monitoring.nina.models import Rig
from monitoring.nina.store import TakenOver, set_link
from sessions_app.leases import hold_lease

logger = logging.getLogger(__name__)

LEASE_S = 20.0  # a dead process's rigs are taken over within this and one look
LOOK_S = 3.0


@dataclass(frozen=True)
class Duty:
    """A rig that this process listens to. A change of any of these begins a new connection."""

    rig_id: int
    lease_epoch: int
    url: str
    site_zone: str


def duties() -> list[Duty]:
    """The rigs whose lease this process holds, for LEASE_S more seconds."""
    found = []
    for rig_id, url, zone in Rig.objects.listening().order_by("pk").values_list("pk", "url", "site_zone"):
        epoch = hold_lease(f"rig:{rig_id}", LEASE_S)
        if epoch is not None:
            found.append(Duty(rig_id, epoch, url, zone))
    return found


@transaction.atomic
def claim(rig_id: int) -> tuple[Rig, int]:
    """The rig and the epoch under which its new listener writes: every earlier one is refused from now on."""
    Rig.objects.filter(pk=rig_id).update(epoch=F("epoch") + 1)
    rig = Rig.objects.select_related("monitor__organisation").get(pk=rig_id)
    return rig, rig.epoch


class Keeper:
    """The listeners of this process."""

    def __init__(self) -> None:
        self._tasks: dict[Duty, asyncio.Task] = {}
        self._epochs: dict[Duty, int] = {}
        self._looked_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Follows the rigs there are until `stopping` is set, then lets go of them."""
        try:
            while not stopping.is_set():
                await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await stopping.wait()
        finally:
            await self._end(list(self._tasks))

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        try:
            mine = set(await in_thread(duties))
            self._looked_at = now
        except DatabaseError:
            logger.warning("the leases of the rigs could not be renewed", exc_info=True)
            if now - self._looked_at > LEASE_S - LOOK_S:  # another process may have them by now
                await self._end(list(self._tasks))
            return
        await self._end([duty for duty, task in self._tasks.items() if duty not in mine or task.done()])
        for duty in mine - set(self._tasks):
            rig, epoch = await in_thread(claim, duty.rig_id)
            listener, self._epochs[duty] = RigListener(rig, epoch), epoch
            self._tasks[duty] = asyncio.create_task(listener.run(), name=f"rig:{rig.slug}")

    async def _end(self, duties: list[Duty]) -> None:
        tasks = [self._tasks.pop(duty) for duty in duties]
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                logger.error("a listener failed and begins anew", exc_info=ended)
        for duty in duties:
            await self._say_disconnected(duty)

    async def _say_disconnected(self, duty: Duty) -> None:
        try:
            epoch = self._epochs.pop(duty)
            await in_thread(set_link, duty.rig_id, status="disconnected", epoch=epoch)
        except (DatabaseError, Rig.DoesNotExist, TakenOver):
            logger.debug("the end of a connection could not be noted", exc_info=True)


async def keep_listening(stopping: asyncio.Event) -> None:
    """Registered with the background tasks of the process."""
    await Keeper().run(stopping)
