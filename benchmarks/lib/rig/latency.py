"""How long an event of NINA takes to those who watch."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime

from websockets.asyncio.client import connect

from benchmarks.lib.results import Results, say
from benchmarks.lib.rig.recording import nothing_happens
from benchmarks.lib.rig.requests import add_rig, get
from benchmarks.lib.servers import Ours
from benchmarks.lib.stats import percentile
from monitoring.nina.script import Frame
from monitoring.nina.simulator import SimulatedNina

LIMIT_MS = 150


async def latency(served: Ours, server: str, options, results: Results) -> None:
    """From an event in NINA to what readers receive of it, in milliseconds."""
    say(f"  latency under {server}")
    async with SimulatedNina(nothing_happens()).serving() as nina:
        await add_rig(served, "rig-1", nina)
        panel_ms = await _on_a_panel(served, nina, options.rounds)
        state_ms, journal_ms = await _when_unsafe(served, nina, max(options.rounds // 4, 3))
    for name, took_ms, what in (
        ("latency", panel_ms, "an event on an open /ws/unified"),
        ("unsafe", state_ms, "unsafe: the state frame"),
        ("journal", journal_ms, "unsafe: the entry of the journal, pushed"),
    ):
        found = {f"p{percent}_ms": percentile(took_ms, percent) for percent in (50, 95, 99)}
        results.raw[f"{name}-{server}"] = {"events": len(took_ms), **found, "largest_ms": max(took_ms)}
        results.target(f"{what}, p95 of {len(took_ms)}, {server}", "<=", LIMIT_MS, found["p95_ms"], "ms")


async def _on_a_panel(served: Ours, nina: SimulatedNina, rounds: int) -> list[float]:
    took_ms = []
    async with connect(f"ws://127.0.0.1:{served.port}/ws/unified", proxy=None) as panel:
        for number in range(rounds):
            await asyncio.sleep(0.1)
            began = _happened(
                nina, {"Event": "AUTOFOCUS-POINT-ADDED", "HFR": number / 10, "Position": number}
            )
            while json.loads(await panel.recv())["type"] != "nina-event":
                continue
            took_ms.append((time.perf_counter() - began) * 1000)
    return took_ms


async def _when_unsafe(served: Ours, nina: SimulatedNina, rounds: int) -> tuple[list[float], list[float]]:
    """Until the state and the alarm in the session's journal are on one open socket."""
    _happened(nina, {"Event": "SEQUENCE-STARTING"})
    while (state := await get(served, "/api/v1/rigs/rig-1/state/"))["session"] is None:
        await asyncio.sleep(0.05)
    address = f"ws://127.0.0.1:{served.port}/ws/live/?topic=rig:rig-1&topic=session:{state['session']['key']}"
    headers = {"Authorization": f"Bearer {served.token}"}
    state_ms, journal_ms = [], []
    async with connect(address, proxy=None, additional_headers=headers) as reader:
        for _ in range(rounds):
            await asyncio.sleep(0.2)
            began, told = _happened(nina, {"Event": "SAFETY-CHANGED", "IsSafe": False}), set()
            while told < {"state", "journal"}:
                frame = json.loads(await reader.recv())
                took_ms = (time.perf_counter() - began) * 1000
                data = frame.get("data") or frame.get("event") or {}
                if frame["type"] == "state" and "unified" in data and data["unified"]["is_safe"] == 0:
                    state_ms += [] if "state" in told else [took_ms]
                    told.add("state")
                if frame["type"] == "event" and data.get("kind") == "became_unsafe":
                    journal_ms.append(took_ms)
                    told.add("journal")
            await asyncio.sleep(0.2)
            _happened(nina, {"Event": "SAFETY-CHANGED", "IsSafe": True})
    return state_ms, journal_ms


def _happened(nina: SimulatedNina, flat: dict) -> float:
    """The moment at which NINA sent it, by perf_counter."""
    began = time.perf_counter()
    nina.happen(Frame(datetime.now(UTC), {"Response": flat}))
    return began
