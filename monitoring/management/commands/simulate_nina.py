"""`manage.py simulate_nina FOLDER`: a NINA that plays a recorded night, for a first look or a test."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import zoneinfo
from datetime import UTC, datetime
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from monitoring.nina.script import Script
from monitoring.nina.simulator import SimulatedNina


class Command(BaseCommand):
    help = (
        "Play night_history.json, night_image_history.json and night_live.jsonl of a folder as NINA's "
        "Advanced API does: the history is there at once, live frames follow at their pace. Ends with Ctrl-C."
    )
    requires_system_checks = ()  # it is another program as far as the server is concerned

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("folder", type=Path, help="where the recording is")
        add("--host", default="127.0.0.1")
        add("--port", type=int, default=1888, help="default %(default)s")
        add("--speed", type=_positive, default=1.0, help="60 plays an hour in a minute")
        add("--drop-every", type=_positive, metavar="SECONDS", help="cut all connections so often")
        add("--down", type=float, default=0.0, metavar="SECONDS", help="and refuse new ones for so long")
        add("--dup", type=_share, default=0.0, help="share of frames sent twice, 0 to 1")
        add("--site-zone", default="Europe/Madrid", type=_zone, help="default %(default)s")
        add("--newer-plugin", action="store_true", help="lose nested values as 2.2.12.1 and later do")
        add(
            "--as-recorded",
            action="store_true",
            help="keep the recorded times; default: the night goes on now",
        )

    def handle(self, *, folder, as_recorded, **options) -> None:
        try:
            script = Script.load(folder, options["site_zone"], loses_nested=options["newer_plugin"])
        except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
            raise CommandError(f"{folder} holds no recorded night: {error}") from error
        begins_at = script.frames[0].at.astimezone(UTC) if script.frames else None
        if begins_at and not as_recorded:
            script = script.shifted(datetime.now(UTC) - begins_at)
            begins_at = None
        nina = SimulatedNina(script, speed=options["speed"], dup=options["dup"], begins_at=begins_at)
        asyncio.run(self._run(nina, options))

    async def _run(self, nina: SimulatedNina, options) -> None:
        stop = asyncio.Event()
        for sig in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sig, stop.set)
        async with nina.serving(options["host"], options["port"]):
            self._say(f"NINA answers on {nina.url} with {len(nina.history)} events in its history.")
            playing = asyncio.create_task(nina.play())
            playing.add_done_callback(lambda task: self._say(f"All {nina.sent} live frames are out."))
            tasks = [playing]
            if options["drop_every"]:
                tasks.append(asyncio.create_task(nina.drop_every(options["drop_every"], options["down"])))
            await stop.wait()
            for task in tasks:
                task.cancel()

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _positive(text: str) -> float:
    if (value := float(text)) <= 0:
        raise argparse.ArgumentTypeError("give a number above zero")
    return value


def _share(text: str) -> float:
    if not 0 <= (value := float(text)) <= 1:
        raise argparse.ArgumentTypeError("give a number from 0 to 1")
    return value


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise argparse.ArgumentTypeError(f"there is no time zone {name!r}") from None
