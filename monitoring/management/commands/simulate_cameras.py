"""Simulated cameras for a first look, a demonstration or a load: they speak the published wire over HTTP."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from django.core.management.base import BaseCommand, CommandError

from monitoring.simulator.cameras import Camera, Habits, run
from monitoring.simulator.line import KINDS, Line
from monitoring.simulator.wire import TIMEOUT, Wire

TOKEN_VARIABLE = "SESSIONSITE_TOKEN"
LONGEST_WAIT_S = 2.0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Command(BaseCommand):
    help = (
        "Draw pictures of an inspection line and post them to running monitors, with the true boxes of the "
        "defects as tags. Ends with Ctrl-C, after --count pictures each or after --duration."
    )
    requires_system_checks = ()  # it is a client: the server may be another machine

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--url", default="http://127.0.0.1:8000", help="the server (default %(default)s)")
        add("--monitors", default="cam-1", help="slugs, separated by commas (default %(default)s)")
        add("--token", help=f"others on this machine can see it; better: --token-file or {TOKEN_VARIABLE}")
        add("--token-file", type=Path, help="holds one token, or a line `slug token` for each monitor")
        add("--interval", type=_positive, default=2.0, metavar="SECONDS", help="default %(default)s")
        add("--jitter", type=_share, default=0.1, help="share of the interval, 0 to 1 (default %(default)s)")
        add("--count", type=int, metavar="N", help="end after N pictures of each camera")
        add("--duration", type=_positive, metavar="SECONDS", help="end after this time")
        add(
            "--defect-rate", type=_share, default=0.15, help="share of pictures, 0 to 1 (default %(default)s)"
        )
        add(
            "--drop-out",
            type=_positive,
            default=0.0,
            metavar="SECONDS",
            help="the last camera falls silent so long",
        )
        add("--drop-out-after", type=_positive, default=60.0, metavar="SECONDS", help="default %(default)s")
        add("--start", action=argparse.BooleanOptionalAction, default=False, help="start the monitors first")
        add("--uid", default="simulator", help="who starts them (default %(default)s)")
        add("--dataset", default="simulated-parts", help="default %(default)s")
        add("--kind", choices=KINDS, help="what is on the line (default: another part for each camera)")
        add("--seed", default="1", help="other parts, other defects (default %(default)s)")
        add("--png", action="store_true", help="PNG in place of JPEG")

    def handle(self, **options) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request otherwise
        monitors = [slug.strip() for slug in options["monitors"].split(",") if slug.strip()]
        if not monitors:
            raise CommandError("--monitors names no monitor")
        tokens = _tokens(monitors, options["token"], options["token_file"])
        stop = threading.Event()
        with _stopped_by_signals(stop), _http(options["url"], len(monitors)) as http:
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


def _http(url: str, cameras: int) -> httpx.Client:
    try:
        base = httpx.URL(url.rstrip("/"))
    except httpx.InvalidURL as exc:
        raise CommandError(f"--url: {exc}") from exc
    if base.scheme not in {"http", "https"} or not base.host:
        raise CommandError("--url must look like http://127.0.0.1:8000")
    return httpx.Client(
        base_url=base,
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=cameras + 1),
        trust_env=base.host not in LOOPBACK,  # a proxy of the environment cannot reach this machine's server
    )


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


def _tokens(monitors: list[str], token: str | None, token_file: Path | None) -> dict[str, str]:
    """The token of each monitor. Raises CommandError; no message ever holds a token."""
    if token_file is not None:
        return _tokens_in(token_file, monitors)
    token = token or os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise CommandError(f"a token is needed: --token-file, {TOKEN_VARIABLE} or --token")
    return dict.fromkeys(monitors, token.strip())


def _tokens_in(path: Path, monitors: list[str]) -> dict[str, str]:
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        raise CommandError(f"the token file cannot be read: {path}") from exc
    lines = [words for words in lines if words and not words[0].startswith("#")]
    if len(lines) == 1 and len(lines[0]) == 1:
        return dict.fromkeys(monitors, lines[0][0])
    if any(len(words) != 2 for words in lines):
        raise CommandError("the token file must hold one token, or lines `slug token`")
    tokens = dict(lines)
    missing = [slug for slug in monitors if slug not in tokens]
    if missing:
        raise CommandError(f"the token file has no token for {', '.join(missing)}")
    return tokens


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`. Outside of the main thread (a test) signals stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value
