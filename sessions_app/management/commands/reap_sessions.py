"""End watched sessions that nobody looks at, once or for as long as the command runs."""

from __future__ import annotations

import threading

from django.core.management.base import BaseCommand, CommandError

from sessions_app.reaper import TICK_S, Idle, Reaper, reap_once
from sessionsite.common.stop_signals import stopped_by_signals


class Command(BaseCommand):
    help = "End the watched sessions that nobody has looked at for longer than their idle_ttl_s."

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="say which, change nothing")
        parser.add_argument("--loop", action="store_true", help="go on until SIGTERM or SIGINT")

    def handle(self, *, dry_run, loop, **options):
        if dry_run and loop:
            raise CommandError("--dry-run looks once: leave --loop out.")
        if loop:
            self._go_on()
        else:
            self._tell(reap_once(dry_run=dry_run), "would expire" if dry_run else "expired")

    def _go_on(self) -> None:
        stopping = threading.Event()
        reaper = Reaper()
        with stopped_by_signals(stopping):
            while not stopping.is_set():
                self._tell(reaper.step(), "expired")
                stopping.wait(TICK_S)

    def _tell(self, found: list[Idle], what: str) -> None:
        for idle in found:
            self.stdout.write(f"{idle.key} {what}: idle for {idle.idle_s:.0f} s of {idle.ttl_s} s")
        self.stdout.flush()  # whoever reads a pipe hears of it now
