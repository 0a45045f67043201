"""Simulated cameras for a first look, a demonstration or a load: they speak the published wire over HTTP."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator

from django.core.management.base import BaseCommand, CommandError

from monitoring.management.client import (
    add_token_arguments,
    http_client,
    positive_seconds,
    tokens_of,
)
from monitoring.rosepetal_client import Wire
from monitoring.simulator.cameras import Camera, Habits, run
from monitoring.simulator.line import KINDS, Line
from sessionsite.common.stop_signals import stopped_by_signals

LONGEST_WAIT_S = 2.0


class Command(BaseCommand):
    help = (
        "Draw pictures of an inspection line and post them to running monitors, with the true boxes of the "
        "defects as tags. Ends with Ctrl-C, after --count pictures each or after --duration."
    )
    requires_system_checks = ()  # it is a client: the server may be another machine

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--url", default="http://127.0.0.1:8000", help="the server (default %(default)s)")
        add_token_arguments(parser)
        add("--monitors", default="cam-1", help="slugs, separated by commas (default %(default)s)")
        seconds = {"type": positive_seconds, "metavar": "SECONDS"}
        add("--interval", **seconds, default=2.0, help="default %(default)s")
        add("--jitter", type=_share, default=0.1, help="share of the interval, 0 to 1 (default %(default)s)")
        add("--count", type=int, metavar="N", help="end after N pictures of each camera")
        add("--duration", **seconds, help="end after this time")
        add("--defect-rate", type=_share, default=0.15, help="share of pictures (default %(default)s)")
        add("--drop-out", **seconds, default=0.0, help="let the last camera fall silent for so long")
        add("--drop-out-after", **seconds, default=60.0, help="each time after so long (default %(default)s)")
        add("--start", action=argparse.BooleanOptionalAction, default=False, help="start the monitors first")
        add("--uid", default="simulator", help="who starts them (default %(default)s)")
        add("--dataset", default="simulated-parts", help="default %(default)s")
        add("--kind", choices=KINDS, help="what is on the line (default: another part for each camera)")
        add("--seed", default="1", help="other parts, other defects (default %(default)s)")
        add("--png", action="store_true", help="PNG in place of JPEG")

    def handle(self, **options) -> None:
        monitors = [slug.strip() for slug in options["monitors"].split(",") if slug.strip()]
        if not monitors:
            raise CommandError("--monitors names no monitor")
        tokens = tokens_of(monitors, options["token"], options["token_file"])
        stop = threading.Event()
        with stopped_by_signals(stop), http_client(options["url"], len(monitors)) as http:
            cameras = [
                Camera(slug, self._line(place, options), Wire(http, tokens[slug]), habits, self._say)
                for place, (slug, habits) in enumerate(zip(monitors, _habits(monitors, options), strict=True))
            ]
            if self._wait_until_ready(cameras[0].wire, options["url"], stop):
                run(cameras, stop, duration_s=options["duration"])
        if any(camera.failed for camera in cameras):
            raise CommandError("a token was refused")

    def _line(self, place: int, options: dict) -> Line:
        kind = options["kind"] or KINDS[place % len(KINDS)]
        return Line(f"{options['seed']}/{place}", kind=kind, defect_rate=options["defect_rate"])

    def _wait_until_ready(self, wire: Wire, url: str, stop: threading.Event) -> bool:
        """True once the server can work; False when stopped before."""
        pause_s, has_said = 0.1, False
        while not wire.is_ready():
            if not has_said:
                self._say(f"waiting for {url} to be ready")
                has_said = True
            if stop.wait(pause_s):
                return False
            pause_s = min(LONGEST_WAIT_S, pause_s * 2)
        return not stop.is_set()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _habits(monitors: list[str], options: dict) -> Iterator[Habits]:
    for slug in monitors:
        yield Habits(
            interval_s=options["interval"],
            jitter=options["jitter"],
            count=options["count"],
            picture_format="PNG" if options["png"] else "JPEG",
            dataset=options["dataset"],
            drop_out_s=options["drop_out"] if slug == monitors[-1] else 0.0,
            drop_out_after_s=options["drop_out_after"],
            start=options["start"],
            uid=options["uid"],
        )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value
