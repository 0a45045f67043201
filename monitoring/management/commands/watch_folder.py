"""A camera that drops files: each whole file in a folder becomes a picture of a monitor, once."""

from __future__ import annotations

import argparse
import threading
from contextlib import ExitStack
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from monitoring.boxes import BadTag, validate_label
from monitoring.drop_folder import DropFolder, VerbSink, WireSink
from monitoring.management.client import (
    add_token_arguments,
    http_client,
    positive_seconds,
    tokens_of,
)
from monitoring.models import Monitor
from monitoring.rosepetal_client import Wire
from sessionsite.common.stop_signals import stopped_by_signals

LONGEST_PAUSE_S = 5.0


class Command(BaseCommand):
    help = (
        "Take each whole file that appears in PATH as a picture of what runs on --monitor, then move it to "
        "PATH/done. What is no picture goes to PATH/rejected with its reason. While nothing runs, files "
        "wait. Works in the server's own database, or with --url through another server. Ends with Ctrl-C."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("path", type=Path, metavar="PATH")
        add("--monitor", required=True, metavar="SLUG")
        add("--url", help="post to this server in place of writing to the database here")
        add_token_arguments(parser)
        add("--delete", action="store_true", help="delete what was taken in place of moving it to done/")
        add("--label", default="", help="of every picture")
        add("--dataset", help="id of the dataset of every picture")
        add(
            "--interval", type=positive_seconds, default=1.0, metavar="SECONDS",
            help="between two looks; a file that stays the same so long is whole (default %(default)s)",
        )  # fmt: skip

    def handle(self, *, path: Path, url: str | None, interval: float, **options) -> None:
        if not path.is_dir():
            raise CommandError(f"{path} is no folder")
        try:
            options["label"] = validate_label(options["label"], empty_allowed=True)
        except BadTag as refusal:
            raise CommandError(f"--label: {refusal}") from refusal
        with ExitStack() as ending:
            stop = threading.Event()
            ending.enter_context(stopped_by_signals(stop))
            if url:
                wire = Wire(ending.enter_context(http_client(url, 1)), self._token(options))
                sink = WireSink(wire, options["monitor"], options["label"], options["dataset"])
            else:
                sink = self._verb_sink(options)
            folder = DropFolder(path, sink, say=self._say, delete=options["delete"])
            self._watch(folder, interval, stop)

    def _token(self, options: dict) -> str:
        return tokens_of([options["monitor"]], options["token"], options["token_file"])[options["monitor"]]

    def _verb_sink(self, options: dict) -> VerbSink:
        slug = options["monitor"]
        if not Monitor.objects.present().filter(slug=slug).exists():
            raise CommandError(f"there is no monitor {slug}")
        return VerbSink(slug, options["label"], options["dataset"])

    def _watch(self, folder: DropFolder, interval: float, stop: threading.Event) -> None:
        try:
            folder.prepare()
        except OSError as exc:
            raise CommandError(f"{folder.path} cannot be written: {exc.strerror}") from exc
        pause_s = interval
        while not stop.is_set():
            close_old_connections()  # a database that was restarted is reached again
            folder.scan_once()
            pause_s = min(LONGEST_PAUSE_S, pause_s * 1.5) if folder.is_waiting else interval
            stop.wait(max(interval, pause_s))
        self._say(f"{folder.taken} taken, {folder.rejected} rejected")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
