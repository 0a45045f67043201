"""The lanes of the site: sockets, event streams, and Django for everything else."""

from __future__ import annotations

from collections.abc import Callable

from monitoring.api.lane import NativePictures
from monitoring.api.rosepetal.lane import RosepetalPictures
from monitoring.api.state_lane import NativeFleet, NativeState, RosepetalState, StateLane
from monitoring.ingest import PictureLane
from monitoring.nina import consumers as rig_sockets
from sessions_app.api.linnet.audio import PATH as LINNET_AUDIO
from sessions_app.api.linnet.audio import audio_socket
from sessions_app.api.linnet.stream import PATH as LINNET_STREAM
from sessions_app.api.linnet.stream import linnet_stream
from sessions_app.api.marker_lane import MarkerLane
from sessionsite import background
from sessionsite.accounts.credentials import AccountsIdentify
from sessionsite.common import hub
from sessionsite.common.consumers import live_consumer
from sessionsite.common.sse import PREFIX as STREAM_PREFIX
from sessionsite.common.sse import event_stream
from sessionsite.handler import PooledHandler

SOCKET_PATHS = ("/ws/live", "/ws/live/")


class Site:
    """The ASGI application: routes by kind of connection.

    It starts this process's loops with the server, or with its first request where no lifespan event comes.
    """

    def __init__(self) -> None:
        identify = AccountsIdentify()
        self._live = live_consumer(identify)
        self._unified = rig_sockets.UnifiedSockets(identify)
        self._streams = event_stream(identify)
        self._linnet_audio = audio_socket(identify)
        self._linnet_streams = linnet_stream(identify)
        self._pictures = PictureLane([RosepetalPictures(), NativePictures()])
        self._states = StateLane([NativeState(), RosepetalState(), NativeFleet()])
        self._markers = MarkerLane()
        self._pages = PooledHandler()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._live_on(receive, send)
            return
        self._begin()
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif (claimed := self._claim(scope)) is not None:
            await claimed(scope, receive, send)
        elif scope["path"].startswith(STREAM_PREFIX):
            await self._streams(scope, receive, send)
        elif LINNET_STREAM.fullmatch(scope["path"]):
            await self._linnet_streams(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    def _claim(self, scope) -> Callable | None:
        """The fast lane's application for this request; None when it is for one of the others."""
        return self._pictures.claim(scope) or self._states.claim(scope) or self._markers.claim(scope)

    @staticmethod
    def _begin() -> None:
        background.start()
        hub.get_hub()  # also without a reader: it tells other processes what is committed here

    async def _socket(self, scope, receive, send) -> None:
        if scope["path"] in SOCKET_PATHS:
            await self._live(scope, receive, send)
            return
        if LINNET_AUDIO.fullmatch(scope["path"]):
            await self._linnet_audio(scope, receive, send)
            return
        if self._unified.claims(scope["path"]):
            await self._unified(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4404})

    async def _live_on(self, receive, send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                self._begin()
                await send({"type": "lifespan.startup.complete"})
            elif event == "lifespan.shutdown":
                await hub.shutdown()
                await rig_sockets.shutdown()
                await background.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
