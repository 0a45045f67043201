"""`manage.py worker`: the background loops without a web server."""

from __future__ import annotations

import asyncio
import signal

from django.core.management.base import BaseCommand

from sessionsite import background
from sessionsite.common import hub
from sessionsite.startup import prepare
from sessionsite.stopping import end_in_any_case, end_process


class Command(BaseCommand):
    help = "Run the background loops until a stop signal. Several workers share them out by leases."

    def handle(self, **options):
        prepare()
        asyncio.run(self.work())
        self.stdout.write("Stopped.")
        end_process()

    async def work(self) -> None:
        stopping = asyncio.Event()

        def stop() -> None:
            end_in_any_case()
            stopping.set()

        for sig in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sig, stop)
        hub.get_hub()  # the web processes hear at once of what the loops commit
        background.start(always=True)
        self.stdout.write("Working. Stop with Ctrl-C.")
        self.stdout.flush()
        await stopping.wait()
        await background.stop()
        await hub.shutdown()
