"""What a benchmark asks of a server with rigs."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from benchmarks.lib.processes import REPOSITORY, ask
from benchmarks.lib.rig.recording import ZONE
from benchmarks.lib.servers import Ours
from monitoring.nina.simulator import SimulatedNina


async def add_rig(served: Ours, slug: str, nina: SimulatedNina) -> None:
    """The server follows this NINA."""
    words = ["add_rig", slug, "--url", nina.url, "--site-zone", ZONE.key, "--public"]
    done = [sys.executable, "manage.py", *words]
    await asyncio.to_thread(
        subprocess.run, done, cwd=REPOSITORY, env=served.env, check=True, capture_output=True
    )
    async with asyncio.timeout(120):
        while not (await health(served, slug))["backend"]["ninaConnected"]:
            await asyncio.sleep(0.1)


async def get(served: Ours, path: str, method: str = "GET") -> dict:
    status, found = await asyncio.to_thread(ask, served, method, path, timeout_s=120)
    assert status == 200, f"{path}: {status} {found}"
    return found


async def health(served: Ours, slug: str) -> dict:
    return await get(served, f"/api/nina/{slug}/health")


async def refresh(served: Ours, slug: str) -> None:
    """The server has read NINA's history anew."""
    await get(served, f"/api/nina/{slug}/session-state/refresh", "POST")


async def stored_events(served: Ours, slug: str) -> list[dict]:
    return await _pages(served, f"/api/v1/rigs/{slug}/events/?after=0&limit=200")


async def stored_sessions(served: Ours, slug: str) -> list[dict]:
    return await _pages(served, f"/api/v1/sessions/?monitor={slug}&limit=200")


async def _pages(served: Ours, address: str | None) -> list[dict]:
    found = []
    while address:
        page = await get(served, address)
        found, address = found + page["results"], page["next"]
    return found
