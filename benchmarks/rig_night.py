"""A telescope's day on a real server: latency, a burst, and 24 hours at 60 times speed under cut connections.

    python -m benchmarks.rig_night [--hours 24] [--speed 60] [--cut-every 20] [--dup 0.3]

NINA is simulated here, in this process; the server is `serve` with a data folder of its own. The exit status
is 1 when an event was lost or counted twice, or when a target was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from websockets.asyncio.client import connect

from monitoring.nina.events import Event
from monitoring.nina.intake import read_history
from monitoring.nina.script import Frame, Script
from monitoring.nina.simulator import SimulatedNina

ROOT = Path(__file__).parent.parent
RECORDING = ROOT / "tests" / "payloads" / "nina"
ZONE = ZoneInfo("Europe/Madrid")
SAMPLE_S = 5.0
TARGET_P95_MS, TARGET_SEED_S, TARGET_SLOPE_MB_H = 150.0, 5.0, 20.0


class Served:
    """A running `serve`, one token, one rig."""

    def __init__(self, folder: Path) -> None:
        self.env = {**os.environ, "DATA_DIR": str(folder), "NINA_PUBLIC": "rig-1"}
        self.child = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0"],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for line in self.child.stdout:
            if found := re.search(r"Listening on (http://127\.0\.0\.1:\d+)/", line):
                self.url = found[1]
                break
        self.token = self.manage("create_token", "benchmark", "--role", "operator").strip()
        self.http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
            trust_env=False,
        )

    def manage(self, *words: str) -> str:
        done = [sys.executable, "manage.py", *words]
        return subprocess.run(done, cwd=ROOT, env=self.env, check=True, capture_output=True, text=True).stdout

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def end(self) -> None:
        self.child.terminate()
        self.child.wait(20)

    async def health(self, slug: str) -> dict:
        return (await self.http.get(f"/api/nina/{slug}/health")).json()

    async def connected(self, slug: str) -> None:
        while not (await self.health(slug))["backend"]["ninaConnected"]:
            await asyncio.sleep(0.1)

    async def events(self, slug: str) -> list[dict]:
        found, address = [], f"/api/v1/rigs/{slug}/events/?after=0&limit=500"
        while address:
            page = (await self.http.get(address)).json()
            found += page["results"]
            address = page["next"]
        return found


def recorded_day(hours: float) -> Script:
    """The recorded night as live frames from the first to the last event, again and again, for so long."""
    script = Script.load(RECORDING, ZONE)
    seeded = read_history(script.history, script.images, ZONE)
    frames = [frame_of(event) for event in seeded.events] + script.frames
    start, length = frames[0].at, timedelta(hours=12.5)
    day: list[Frame] = []
    while not day or day[-1].at < start + timedelta(hours=hours):
        round_number = len(day) // len(frames)
        day += Script([], [], frames, ZONE).shifted(length * round_number).frames
    kept = [frame for frame in day if frame.at <= start + timedelta(hours=hours)]
    return Script([], [], sorted(kept, key=lambda frame: frame.at), ZONE)


def frame_of(event: Event) -> Frame:
    return Frame(event.at, {"Response": {"Event": event.type, **event.payload}, "Type": "Socket"})


async def latency(served: Served, count: int) -> dict:
    """From an event in NINA to its message on an open /ws/unified, in milliseconds."""
    async with SimulatedNina(Script([], [], [], ZONE)).serving() as nina:
        served.manage("add_rig", "rig-1", "--url", nina.url)
        await served.connected("rig-1")
        took = []
        async with connect(served.url.replace("http", "ws") + "/ws/unified", proxy=None) as panel:
            for number in range(count):
                await asyncio.sleep(0.2)
                happened = time.perf_counter()
                flat = {"Event": "AUTOFOCUS-POINT-ADDED", "HFR": number / 10, "Position": number}
                nina.happen(Frame(datetime.now(UTC), {"Response": flat}))
                while json.loads(await panel.recv())["type"] != "nina-event":
                    continue
                took.append((time.perf_counter() - happened) * 1000)
    took.sort()
    return {"p50_ms": round(statistics.median(took), 1), "p95_ms": round(took[int(len(took) * 0.95)], 1)}


async def burst(served: Served, count: int) -> dict:
    """How long the server needs to read and store a history of so many events."""
    begun = datetime.now(UTC) - timedelta(seconds=2 * count)
    names = ("GUIDER-START", "GUIDER-DITHER", "MOUNT-HOMED", "IMAGE-SAVE", "STACK-UPDATED")
    history = [
        {"Event": names[n % 5], "Time": (begun + timedelta(seconds=2 * n)).isoformat(), "N": n}
        for n in range(count)
    ]
    async with SimulatedNina(Script([], [], [], ZONE)).serving() as nina:
        served.manage("add_rig", "rig-2", "--url", nina.url)
        await served.connected("rig-2")
        nina.history = history
        before = time.perf_counter()
        answer = await served.http.post("/api/nina/rig-2/session-state/refresh")
        took_s = time.perf_counter() - before
        answer.raise_for_status()
        stored = (await served.health("rig-2"))["backend"]["eventCount"]
    return {"events": stored, "seed_s": round(took_s, 2)}


async def day(served: Served, options) -> dict:
    """The day at speed under cuts and repeats, then what is stored against what NINA has."""
    script = recorded_day(options.hours)
    script = script.shifted(datetime.now(UTC) - script.frames[0].at)
    nina = SimulatedNina(script, speed=options.speed, dup=options.dup)
    samples: list[tuple[float, float]] = []
    async with nina.serving():
        served.manage("add_rig", "rig-3", "--url", nina.url, "--site-zone", "Europe/Madrid")
        await served.connected("rig-3")
        cutting = asyncio.create_task(nina.drop_every(options.cut_every, options.down))
        watching = asyncio.create_task(watch_memory(served, samples))
        begun = time.perf_counter()
        await nina.play()
        took_s = time.perf_counter() - begun
        cutting.cancel()
        nina.is_down = False
        await nina.cut()
        await asyncio.sleep(1)
        await served.connected("rig-3")
        (await served.http.post("/api/nina/rig-3/session-state/refresh")).raise_for_status()
        watching.cancel()
        return {
            "hours": options.hours,
            "took_s": round(took_s),
            "connections": nina.connections,
            **memory(samples),
            **compare(nina, await served.events("rig-3")),
        }


async def watch_memory(served: Served, samples: list[tuple[float, float]]) -> None:
    while True:
        samples.append((time.monotonic(), served.rss_mb()))
        await asyncio.sleep(SAMPLE_S)


def memory(samples: list[tuple[float, float]]) -> dict:
    """First and last value, and the slope over the second half, when caches have filled."""
    later = samples[len(samples) // 2 :]
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope * 3600 if len(later) > 2 else 0.0
    return {
        "rss_first_mb": round(samples[0][1], 1),
        "rss_last_mb": round(samples[-1][1], 1),
        "rss_slope_mb_per_real_hour": round(slope, 2),
    }


def compare(nina: SimulatedNina, stored: list[dict]) -> dict:
    """What NINA's own history says against what the server has stored, type by type."""
    wanted = Counter(event.type for event in read_history(nina.history, nina.images, ZONE).events)
    stored = [event for event in stored if not event["is_repeat"]]
    found = Counter(event["type"] for event in stored)
    found.pop("IMAGE-PREPARED", None)  # never in a history: one that came during a cut is gone
    dates = [
        event["data"]["ImageStatistics"]["Date"] for event in stored if event["data"].get("ImageStatistics")
    ]
    return {
        "events_in_nina": wanted.total(),
        "events_stored": found.total(),
        "lost": sum((wanted - found).values()),
        "counted_twice": sum((found - wanted).values()) + len(dates) - len(set(dates)),
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=24.0, help="of simulated time")
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--cut-every", type=float, default=20.0, help="seconds")
    parser.add_argument("--down", type=float, default=1.0, help="seconds without NINA after each cut")
    parser.add_argument("--dup", type=float, default=0.3)
    return parser.parse_args(arguments)


async def measure(served: Served, options) -> dict:
    return {
        "latency": await latency(served, 100),
        "burst": await burst(served, 10_000),
        "day": await day(served, options),
    }


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="rig-night-") as folder:
        served = Served(Path(folder))
        try:
            found = asyncio.run(measure(served, options))
        finally:
            served.end()
    print(json.dumps(found, indent=2))
    is_met = (
        found["latency"]["p95_ms"] < TARGET_P95_MS
        and found["burst"]["seed_s"] < TARGET_SEED_S
        and found["day"]["lost"] == found["day"]["counted_twice"] == 0
        and found["day"]["rss_slope_mb_per_real_hour"] < TARGET_SLOPE_MB_H
    )
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
