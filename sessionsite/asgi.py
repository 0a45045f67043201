"""The application that servers run: sockets, event streams and everything else, each in its lane."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessionsite.settings")

import django

django.setup(set_prefix=False)

from sessionsite import background
from sessionsite.accounts.credentials import AccountsIdentify
from sessionsite.common import hub
from sessionsite.common.consumers import live_consumer
from sessionsite.handler import PooledHandler

SOCKET_PATHS = ("/ws/live", "/ws/live/")


class Site:
    """Routes by kind of connection. Starts this process's loops with the server, or with its first request.

    daphne under `runserver` sends no lifespan event, hence the second way.
    """

    def __init__(self) -> None:
        self._live = live_consumer(AccountsIdentify())
        self._pages = PooledHandler()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._live_on(receive, send)
            return
        background.start()
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _socket(self, scope, receive, send) -> None:
        if scope["path"] in SOCKET_PATHS:
            await self._live(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4404})

    async def _live_on(self, receive, send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                background.start()
                await send({"type": "lifespan.startup.complete"})
            elif event == "lifespan.shutdown":
                await hub.shutdown()
                await background.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


application = Site()
