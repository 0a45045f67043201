"""A telescope's day on a real server: latency, a burst, and 24 hours at 60 times speed under cut connections.

    python -m benchmarks.rig_night [--quick] [--parts latency,burst,day] [--hours 24] [--speed 60]

NINA is simulated in this process and says how fast its clock runs; the server is `serve`. Parts: `latency`
(an event on an open /ws/unified, under uvicorn and daphne), `burst` (a history of 10,000 events on SQLite and
PostgreSQL), `day` (--rigs at once; every --cut-every seconds all connections end, --dup of the frames come
twice, after each night NINA restarts and has forgotten it). At the end of the day what is stored is compared
with what each NINA has told, event by event, and the state with that of a fresh machine. The objects that the
server holds after a collection, per stored event, tell of a leak; its memory has to level off besides.
The day has files of its own, rig-day.*: it takes --hours / --speed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.lib.databases import OWN, database, has_postgresql
from benchmarks.lib.machine import cpu_seconds, private_bytes
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.processes import REPOSITORY, ask
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, ours
from benchmarks.lib.stats import percentile
from monitoring.nina.events import Event
from monitoring.nina.intake import read_history
from monitoring.nina.machine import Machine
from monitoring.nina.script import Frame, Script
from monitoring.nina.simulator import SimulatedNina
from monitoring.nina.unified import unified
from sessionsite.common.clock import iso

PARTS = ("latency", "burst", "day")
RECORDING = REPOSITORY / "tests" / "payloads" / "nina"
ZONE = ZoneInfo("Europe/Madrid")
ROUND = timedelta(hours=12.5)  # the recorded night begins anew so often
QUIET = timedelta(minutes=17)  # between two nights
READ_WITHIN = timedelta(minutes=2)
SAMPLE_S = 5.0
OBJECTS_PER_EVENT = 1  # an event that stays in memory takes six to eighty, eleven in the mean
MIB_PER_HOUR = 0.5  # the page cache of each connection fills with the database, up to 8 MB
SETTLE_S = 3.0  # what came within a second of a rebuild is left for the next one
SAME = (
    "session_id",
    "session_state",
    "target_name",
    "current_filter",
    "is_guiding",
    "guiding_rms",
    "is_safe",
)
SAME += ("safety_timestamp", "start_time", "end_time", "total_images", "exposure_time", "session_stats")
SAME += ("flats", "darks")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    missed = []
    with work_folder(options) as folder:
        if {"latency", "burst"} & set(options.parts):
            results = Results("rig", "A rig: latency and a burst", options, folder)
            for server in ("uvicorn", "daphne") if "latency" in options.parts else ():
                with ours(folder, server=server).prepare([]) as served:
                    asyncio.run(latency(served, server, options, results))
            for wanted in options.databases if "burst" in options.parts else ():
                burst_on(wanted, folder, options, results)
            missed += results.write()
        if "day" in options.parts:
            results = Results("rig-day", f"A rig for {options.hours:g} hours", options, folder)
            counts = folder / "objects"
            with ours(folder, name="day", BENCH_OBJECTS=str(counts)).prepare([]) as served:
                samples = asyncio.run(day(served, counts, options, results))
            missed += results.write()
            draw(samples, results)
    return 1 if missed and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--parts", type=lambda text: text.split(","), help=f"some of {','.join(PARTS)}")
    made.add_argument("--hours", type=float, help="of simulated time")
    made.add_argument("--speed", type=float, help="of the simulated clock")
    made.add_argument("--cut-every", type=float, help="real seconds")
    made.add_argument("--down", type=float, default=1.0, help="seconds without NINA after each cut")
    made.add_argument("--dup", type=float, default=0.3, help="share of frames that come twice")
    made.add_argument("--rigs", type=int, help="of the day")
    made.add_argument("--events", type=int, help="of the burst")
    made.add_argument("--databases", type=lambda text: text.split(","), help="sqlite, own, or a URL")
    return defaults(
        made.parse_args(arguments), rounds=(200, 50, 3), parts=(list(PARTS), list(PARTS), list(PARTS)),
        hours=(24.0, 1.0, 12.0), speed=(60.0, 60.0, 7200.0), cut_every=(20.0, 10.0, 2.0),
        rigs=(4, 4, 2), events=(10_000, 10_000, 100), databases=(["sqlite", OWN], ["sqlite"], ["sqlite"]),
    )  # fmt: skip


# --- a server and its rigs ----------------------------------------------------------------------------------


def add_rig(served: Ours, slug: str, nina: SimulatedNina) -> None:
    words = ["add_rig", slug, "--url", nina.url, "--site-zone", ZONE.key, "--public"]
    done = [sys.executable, "manage.py", *words]
    subprocess.run(done, cwd=REPOSITORY, env=served.env, check=True, capture_output=True)


async def get(served: Ours, path: str, method: str = "GET") -> dict:
    status, found = await asyncio.to_thread(ask, served, method, path, timeout_s=120)
    assert status == 200, f"{path}: {status} {found}"
    return found


async def connected(served: Ours, slug: str) -> None:
    async with asyncio.timeout(120):
        while not (await get(served, f"/api/nina/{slug}/health"))["backend"]["ninaConnected"]:
            await asyncio.sleep(0.1)


async def stored_events(served: Ours, slug: str) -> list[dict]:
    found, address = [], f"/api/v1/rigs/{slug}/events/?after=0&limit=200"
    while address:
        page = await get(served, address)
        found, address = found + page["results"], page["next"]
    return found


# --- latency and a burst ------------------------------------------------------------------------------------


async def latency(served: Ours, server: str, options, results: Results) -> None:
    """From an event in NINA to what readers receive of it, in milliseconds."""
    say(f"  latency under {server}")
    async with SimulatedNina(Script([], [], [], ZONE)).serving() as nina:
        await asyncio.to_thread(add_rig, served, "rig-1", nina)
        await connected(served, "rig-1")
        panel_ms = await on_a_panel(served, nina, options.rounds)
        state_ms, journal_ms = await when_unsafe(served, nina, max(options.rounds // 4, 3))
    for name, took_ms, what in (
        ("latency", panel_ms, "an event on an open /ws/unified"),
        ("unsafe", state_ms, "unsafe: the state frame"),
        ("journal", journal_ms, "unsafe: the entry of the journal, pushed"),
    ):
        found = {f"p{percent}_ms": percentile(took_ms, percent) for percent in (50, 95, 99)}
        results.raw[f"{name}-{server}"] = {"events": len(took_ms), **found, "largest_ms": max(took_ms)}
        results.target(f"{what}, p95 of {len(took_ms)}, {server}", "<=", 150, found["p95_ms"], "ms")


async def on_a_panel(served: Ours, nina: SimulatedNina, rounds: int) -> list[float]:
    took_ms = []
    async with connect(f"ws://127.0.0.1:{served.port}/ws/unified", proxy=None) as panel:
        for number in range(rounds):
            await asyncio.sleep(0.1)
            began = happened(nina, {"Event": "AUTOFOCUS-POINT-ADDED", "HFR": number / 10, "Position": number})
            while json.loads(await panel.recv())["type"] != "nina-event":
                continue
            took_ms.append((time.perf_counter() - began) * 1000)
    return took_ms


async def when_unsafe(served: Ours, nina: SimulatedNina, rounds: int) -> tuple[list[float], list[float]]:
    """Until the state and the alarm in the session's journal are on one open socket."""
    happened(nina, {"Event": "SEQUENCE-STARTING"})
    while (state := await get(served, "/api/v1/rigs/rig-1/state/"))["session"] is None:
        await asyncio.sleep(0.05)
    address = f"ws://127.0.0.1:{served.port}/ws/live/?topic=rig:rig-1&topic=session:{state['session']['key']}"
    headers = {"Authorization": f"Bearer {served.token}"}
    state_ms, journal_ms = [], []
    async with connect(address, proxy=None, additional_headers=headers) as reader:
        for _ in range(rounds):
            await asyncio.sleep(0.2)
            began, told = happened(nina, {"Event": "SAFETY-CHANGED", "IsSafe": False}), set()
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
            happened(nina, {"Event": "SAFETY-CHANGED", "IsSafe": True})
    return state_ms, journal_ms


def happened(nina: SimulatedNina, flat: dict) -> float:
    """The moment at which NINA sent it, by perf_counter."""
    began = time.perf_counter()
    nina.happen(Frame(datetime.now(UTC), {"Response": flat}))
    return began


def burst_on(wanted: str, folder: Path, options, results: Results) -> None:
    if wanted == OWN and not has_postgresql():
        results.note("skipped: PostgreSQL is not installed")
        return
    name = "SQLite" if wanted == "sqlite" else "PostgreSQL"
    with database(wanted, folder) as url:
        env = {"DATABASE_URL": url} if url else {}
        with ours(folder, name=f"burst-{name}", **env).prepare([]) as served:
            asyncio.run(burst(served, name, options, results))


async def burst(served: Ours, name: str, options, results: Results) -> None:
    """How long the server needs to read and store a history of so many events."""
    say(f"  burst on {name}")
    begun = datetime.now(UTC) - timedelta(seconds=2 * options.events)
    names = ("GUIDER-START", "GUIDER-DITHER", "MOUNT-HOMED", "IMAGE-SAVE", "STACK-UPDATED")
    history = [
        {"Event": names[n % 5], "Time": (begun + timedelta(seconds=2 * n)).isoformat(), "N": n}
        for n in range(options.events)
    ]
    async with SimulatedNina(Script([], [], [], ZONE)).serving() as nina:
        await asyncio.to_thread(add_rig, served, "rig-2", nina)
        await connected(served, "rig-2")
        nina.history = history
        took_s = []
        for _ in range(2):
            began = time.perf_counter()
            await get(served, "/api/nina/rig-2/session-state/refresh", "POST")
            took_s.append(time.perf_counter() - began)
        stored = (await get(served, "/api/nina/rig-2/health"))["backend"]["eventCount"]
        assert stored == options.events, f"{stored} events are stored"
    results.raw[f"burst-{name}"] = {"events": stored, "seed_s": took_s[0], "again_s": took_s[1]}
    results.target(f"a history of {stored:,} events is stored, {name}", "<=", 5, took_s[0], "s")
    results.target(f"the same history read again, {name}", "<=", 5, took_s[1], "s")


# --- a day --------------------------------------------------------------------------------------------------


def recorded_day(hours: float) -> Script:
    """The recorded night as live frames from the first to the last event, again and again, for so long."""
    script = Script.load(RECORDING, ZONE)
    seeded = read_history(script.history, script.images, ZONE)
    frames = [frame_of(event) for event in seeded.events] + script.frames
    start, day, rounds = frames[0].at, [], 0
    while ROUND * rounds < timedelta(hours=hours):
        day += Script([], [], frames, ZONE).shifted(ROUND * rounds).frames
        rounds += 1
    kept = [frame for frame in day if frame.at <= start + timedelta(hours=hours)]
    return Script([], [], sorted(kept, key=lambda frame: frame.at), ZONE)


def frame_of(event: Event) -> Frame:
    return Frame(event.at, {"Response": {"Event": event.type, **event.payload}, "Type": "Socket"})


async def day(served: Ours, counts: Path, options, results: Results) -> list[dict]:
    """Objects and memory over the day; what was stored and shown is compared with what each NINA has."""
    minutes = options.hours * 60 / options.speed
    say(f"  {options.hours:g} hours of {options.rigs} rigs in {minutes:.0f} minutes")
    script = recorded_day(options.hours)
    begin = datetime.now(UTC) + timedelta(seconds=5 * options.speed)
    script = script.shifted(begin - script.frames[0].at)
    ninas = {
        f"dome-{number}": SimulatedNina(script, speed=options.speed, dup=options.dup, seed=number)
        for number in range(1, options.rigs + 1)
    }
    samples: list[dict] = []
    every_s = min(SAMPLE_S, options.hours * 3600 / options.speed / 20)
    panel = Counter()
    async with AsyncExitStack() as stack:
        for slug, nina in ninas.items():
            await stack.enter_async_context(nina.serving())
            await asyncio.to_thread(add_rig, served, slug, nina)
            await connected(served, slug)
        meanwhile = [
            asyncio.create_task(watch(served, counts, list(ninas.values()), samples, every_s)),
            *[asyncio.create_task(follow(served, slug, panel)) for slug in ninas],
            *[
                asyncio.create_task(nina.drop_every(options.cut_every, options.down))
                for nina in ninas.values()
            ],
        ]
        cpu_s, began = cpu_seconds(served.pid), time.monotonic()
        await asyncio.gather(*(nina.play() for nina in ninas.values()))
        rest = (
            begin + timedelta(hours=options.hours) - next(iter(ninas.values())).now()
        )  # nothing happens any more
        await asyncio.sleep(max(rest.total_seconds(), 0) / options.speed)
        took_s, cpu_s = time.monotonic() - began, cpu_seconds(served.pid) - cpu_s
        for task in meanwhile:
            task.cancel()
        await asyncio.gather(*meanwhile, return_exceptions=True)
        for nina in ninas.values():
            nina.is_down = False
        await asyncio.sleep(SETTLE_S)
        rigs = {slug: await judged(served, slug, nina) for slug, nina in ninas.items()}
        found = {
            "hours": options.hours, "took_s": round(took_s), "cpu_percent": 100 * cpu_s / took_s,
            "frames_sent": sum(nina.sent for nina in ninas.values()),
            "connections": sum(nina.connections for nina in ninas.values()),
            "on_the_panels": dict(panel), **growth(samples, options.speed), "rigs": rigs,
        }  # fmt: skip
    results.raw["day"] = {**found, "samples": samples}
    report(found, options, results)
    return samples


async def restart_between_nights(nina: SimulatedNina, begin: datetime) -> None:
    """Its history is gone after each night; not before it has been read, since nobody can know it later."""
    for night in count(1):
        await asyncio.sleep((begin + ROUND * night - QUIET - nina.now()).total_seconds() / nina.speed)
        known = None
        while known != (known := nina.connections if nina.sockets else None) or known is None:
            await asyncio.sleep(READ_WITHIN.total_seconds() / nina.speed)
        nina.restart()
        await nina.cut()


async def judged(served: Ours, slug: str, nina: SimulatedNina) -> dict:
    """What is stored and shown of this rig against what its NINA has."""
    await get(served, f"/api/nina/{slug}/session-state/refresh", "POST")
    return {
        **compare(nina, await stored_events(served, slug)),
        "state_differs": differing(nina, await get(served, f"/api/nina/{slug}/session-state")),
        "ingest": (await get(served, f"/api/nina/{slug}/health"))["ingest"],
    }


def report(found: dict, options, results: Results) -> None:
    target, rigs = results.target, found["rigs"].values()

    def total(name: str) -> int:
        return sum(rig[name] if isinstance(rig[name], int) else len(rig[name]) for rig in rigs)

    target("events lost", "<=", 0, total("lost"), "events")
    target("events counted twice", "<=", 0, total("counted_twice"), "events")
    target("values of the state unlike a fresh machine's", "<=", 0, total("state_differs"), "values")
    if options.size == FULL:
        objects, memory = found["objects_per_event"], found["memory_slope_mib_per_simulated_hour"]
        target("objects held per stored event, second half", "<=", OBJECTS_PER_EVENT, objects, "objects")
        target("memory, slope over the second half", "<=", MIB_PER_HOUR, memory, "MiB per simulated hour")
    table = results.table("The day", "what", "figure")
    table.rows += [
        (
            "simulated hours, at this speed, of so many rigs",
            f"{options.hours:g}, {options.speed:g}x, {len(rigs)}",
        ),
        ("frames sent, of which twice", f"{found['frames_sent']:,}, {options.dup:.0%}"),
        ("connections (one cut every so many seconds)", f"{found['connections']} ({options.cut_every:g})"),
        ("events in the histories of NINA", total("events_in_nina")),
        ("stored: heard on the socket", total("heard")),
        ("stored: only read from the history", total("events_stored") - total("heard")),
        ("frames found by a rebuild to repeat an event", total("repeats")),
        ("messages on open panels", sum(found["on_the_panels"].values())),
        ("objects in each quarter of the day, thousands", shown(found["objects"], 1000)),
        ("own memory in each quarter, MiB", shown(found["memory_mib"])),
        ("its slope over the second half, MiB per real hour", found["memory_slope_mib_per_real_hour"]),
        ("processor time of the server, % of a core", found["cpu_percent"]),
    ]


def shown(figures: list[float], divisor: int = 1) -> str:
    return " / ".join(f"{figure / divisor:.1f}" for figure in figures)


async def watch(
    served: Ours, counts: Path, ninas: list[SimulatedNina], samples: list[dict], every_s: float
) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(every_s)
        with suppress(OSError, ValueError):  # the count is just being written
            sample = {"at_s": round(time.monotonic() - began, 1), "objects": int(counts.read_text())}
            sample["mib"] = round(private_bytes(served.pid) / 2**20, 2)
            samples.append({**sample, "events": sum(len(events_of(nina)) for nina in ninas)})


async def follow(served: Ours, slug: str, seen: Counter) -> None:
    """A panel that stays; `seen` counts its messages by type."""
    while True:
        try:
            address = f"ws://127.0.0.1:{served.port}/ws/unified/{slug}"
            async with connect(address, proxy=None, max_size=None) as panel:
                async for text in panel:
                    seen[json.loads(text)["type"]] += 1
        except (OSError, WebSocketException):
            await asyncio.sleep(0.5)


def growth(samples: list[dict], speed: float) -> dict:
    """Objects and memory in each quarter, and how they grow in the second half, when caches have filled.

    Of the objects the least count of a quarter: what a rebuild under way holds comes and goes.
    """
    cuts = [len(samples) * n // 4 for n in range(5)]
    quarters = [samples[begin:end] or samples for begin, end in pairwise(cuts)]
    objects = [min(sample["objects"] for sample in quarter) for quarter in quarters]
    events = max(quarters[3][-1]["events"] - quarters[1][-1]["events"], 1)
    slope = slope_of([(sample["at_s"], sample["mib"]) for sample in samples[cuts[2] :]]) * 3600
    return {
        "objects": objects,
        "objects_per_event": round((objects[3] - objects[1]) / events, 2),
        "memory_mib": [median(sample["mib"] for sample in quarter) for quarter in quarters],
        "memory_slope_mib_per_real_hour": round(slope, 3),
        "memory_slope_mib_per_simulated_hour": round(slope / speed, 4),
    }


def slope_of(points: list[tuple[float, float]]) -> float:
    """Of the straight line with the least squares; 0 for fewer than three points."""
    if len(points) < 3:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def events_of(nina: SimulatedNina) -> list[Event]:
    """All that its histories have told."""
    told = [*nina.past, (nina.history, nina.images)]
    return [event for entries, images in told for event in read_history(entries, images, ZONE).events]


def compare(nina: SimulatedNina, stored: list[dict]) -> dict:
    """Every event of NINA's own history against what the server has stored, by type and moment."""
    wanted = Counter((event.type, iso(event.at)) for event in events_of(nina))
    counted = [
        event
        for event in stored
        if not event["is_repeat"] and event["type"] != "IMAGE-PREPARED"  # never in a history
    ]
    found = Counter((event["type"], event["at"]) for event in counted)
    return {
        "events_in_nina": wanted.total(),
        "events_stored": found.total(),
        "heard": sum(event["is_live"] for event in counted),
        "repeats": sum(event["is_repeat"] for event in stored),
        "lost": [" ".join(key) for key in (wanted - found).elements()],
        "counted_twice": [" ".join(key) for key in (found - wanted).elements()],
    }


def differing(nina: SimulatedNina, shown: dict) -> dict:
    """{key: (shown, wanted)} of what a fresh machine makes otherwise of the same history."""
    machine = Machine(ZONE)
    for event in events_of(nina):
        machine.apply(event)
    wanted = json.loads(json.dumps(unified(machine.state, now=nina.now())))
    return {key: (shown[key], wanted[key]) for key in SAME if shown[key] != wanted[key]}


def draw(samples: list[dict], results: Results) -> None:
    """The memory over the day as a picture beside the table."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        say("no chart: matplotlib is not installed (requirements-bench.txt)")
        return
    minutes = [sample["at_s"] / 60 for sample in samples]
    figure, axis = pyplot.subplots(figsize=(9, 3.2))
    axis.plot(minutes, [sample["mib"] for sample in samples], color="#2f6f8f", label="own memory, MiB")
    axis.set_ylim(0, 1.25 * max(sample["mib"] for sample in samples))
    axis.set_xlabel("real minutes", fontsize=8)
    axis.set_ylabel("own memory of the server, MiB", fontsize=8)
    events = axis.twinx()
    events.plot(minutes, [sample["events"] for sample in samples], color="#b8862f", linewidth=1)
    events.set_ylabel("events in the histories", fontsize=8)
    events.set_ylim(bottom=0)
    for each in (axis, events):
        each.tick_params(labelsize=8)
        each.spines["top"].set_visible(False)
    axis.set_title(f"{results.title} at {results.options.speed:g}x speed", fontsize=10, loc="left")
    figure.tight_layout()
    figure.savefig(results.path.with_name(f"{results.path.name}.png"), dpi=110, metadata={"Software": ""})
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
