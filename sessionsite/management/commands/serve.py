"""`manage.py serve`: everything one machine needs, in one process."""

from __future__ import annotations

import importlib
from contextlib import ExitStack

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from sessionsite.accounts.services import FIRST_PASSWORD
from sessionsite.checks import TAG
from sessionsite.common.loops import register_loop
from sessionsite.common.scheduling import take_short_turns
from sessionsite.demo import demo_cameras, prepare_demo
from sessionsite.network import allow_hosts_of, host_in_url, is_wildcard, machine_addresses, open_listener
from sessionsite.startup import keep_for_good, prepare
from sessionsite.stopping import end_process, stop_signals_end_us

SERVERS = {"uvicorn": "sessionsite.uvicorn_server", "daphne": "sessionsite.daphne_server"}
FOLLOW_ADDRESSES_S = 30.0


class Command(BaseCommand):
    help = "Bring the database up to date, then serve pages, API and live updates until a stop signal."
    requires_system_checks = (TAG,)  # all of them take a second that the first page does not have

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 serves the whole network")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--legacy-port", type=int, metavar="PORT", help="listen there too: rig panels insist on 3001"
        )
        parser.add_argument("--server", choices=sorted(SERVERS), default="uvicorn")
        parser.add_argument("--demo", action="store_true", help="with two simulated cameras, marked as such")

    def handle(self, *, host, port, legacy_port, server, demo, **options):
        with stop_signals_end_us(), ExitStack() as stack:
            listener = stack.enter_context(open_listener(host, port))
            listeners = [listener]
            if legacy_port is not None:
                listeners.append(stack.enter_context(open_listener(host, legacy_port)))
            ports = [each.getsockname()[1] for each in listeners]
            port = ports[0]
            self.tell_about_password(new_password=prepare())
            self.follow_addresses(host, port)
            url = f"http://{host_in_url('127.0.0.1' if is_wildcard(host) else host)}:{port}"
            stack.enter_context(demo_cameras(url, prepare_demo() if demo else []))
            connections.close_all()
            self.serve(server, listeners, on_ready=lambda: self.tell_addresses(host, ports))
        self.stdout.write("Stopped.")
        end_process()

    def serve(self, server: str, listeners, on_ready) -> None:
        module, name = settings.ASGI_APPLICATION.rsplit(".", 1)
        application = getattr(importlib.import_module(module), name)
        runner = importlib.import_module(SERVERS[server])
        keep_for_good()
        take_short_turns()
        runner.run(application, listeners, on_ready)

    def follow_addresses(self, host: str, port: int) -> None:
        """A machine that moves to another network is reached there too."""
        allow_hosts_of(host, port)
        if is_wildcard(host):
            register_loop("host-names", FOLLOW_ADDRESSES_S, lambda: allow_hosts_of(host, port), leased=False)

    def tell_about_password(self, new_password: str | None) -> None:
        path = settings.DATA_DIR / FIRST_PASSWORD
        if new_password:
            self.say(f"Log in as admin with the password {new_password} (kept in {path}).")
        elif path.exists():
            self.say(f"The password of the first user, admin, is in {path}.")

    def tell_addresses(self, host: str, ports: list[int]) -> None:
        scheme = "https" if settings.TLS else "http"
        names = ["127.0.0.1", *machine_addresses(host)] if is_wildcard(host) else [host]
        for port in ports:
            for name in names:
                self.say(f"Listening on {scheme}://{host_in_url(name)}:{port}/")
        self.say(f"Everything is kept in {settings.DATA_DIR}. Stop with Ctrl-C.")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
