"""daphne as `serve` runs it: it drains on a stop signal, speaks the lifespan protocol and always ends.

Plain daphne cuts requests in flight and sockets at SIGTERM, and stays for ever when one of them waits for a
thread.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet import defer, reactor

from sessionsite.daphne_transport import Connection
from sessionsite.network import BACKLOG, PING_S, PONG_WITHIN_S
from sessionsite.stopping import DRAIN_S, GOING_AWAY, SOCKETS_S, dismiss_readers, end_in_any_case, until

logger = logging.getLogger(__name__)
access = logging.getLogger("daphne.access")

LIFESPAN_S = 20.0
LAST_TASKS_S = 1.0
CLOSING_S = 10
PIECE_BYTES = 1024 * 1024  # of a body that daphne has whole by then; its own 8 kB are ten messages a picture


class Lifespan:
    """The two lifespan messages, which daphne does not send, for one application."""

    def __init__(self, application) -> None:
        self.application = application
        self.messages: asyncio.Queue = asyncio.Queue()
        self.answers: asyncio.Queue = asyncio.Queue()
        self.task: asyncio.Task | None = None

    async def startup(self) -> None:
        """The application has started. Raises RuntimeError when it says that it cannot."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self.task = asyncio.ensure_future(self.application(scope, self.messages.get, self.answers.put))
        await self._tell("startup")

    async def shutdown(self) -> None:
        """The application has let go of everything; a failure is logged."""
        if self.task is not None and not self.task.done():
            try:
                await self._tell("shutdown")
            except Exception:
                logger.exception("the application did not shut down cleanly")

    async def _tell(self, what: str) -> None:
        self.messages.put_nowait({"type": f"lifespan.{what}"})
        answer = asyncio.ensure_future(self.answers.get())
        await asyncio.wait({answer, self.task}, timeout=LIFESPAN_S, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            reason = self.task.exception() if self.task.done() else f"no answer within {LIFESPAN_S:g} s"
            raise RuntimeError(f"lifespan {what}: {reason}")
        if answer.result()["type"] != f"lifespan.{what}.complete":
            raise RuntimeError(f"lifespan {what}: {answer.result().get('message', '')}")


class Request(WebRequest):
    """daphne keeps its requests in a dict and asks it fourteen times for each: not by functions in Python."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Connections(HTTPFactory):
    """Leaves forms to the application, and writing requests down to `log_access`."""

    def buildProtocol(self, addr):
        protocol = super().buildProtocol(addr)
        # Twisted would parse forms too, on the event loop, whole in memory, and answer a broken one itself.
        protocol.requestFactory = partial(Request, parsePOSTFormSubmission=False)
        return protocol

    def log(self, request):
        """Nothing: Twisted makes a line of each request before it looks whether there is a file for it."""


class DrainingServer(Server):
    """Serves `listeners`; a stop signal lets requests in flight be answered and closes sockets with 4012."""

    def __init__(
        self, application, listeners: list[socket.socket], on_ready: Callable[[], None], **options
    ) -> None:
        super().__init__(
            application,
            endpoints=["adopted"],  # daphne insists on one; ours is an open socket
            signal_handlers=False,
            ready_callable=self._adopt,
            **options,
        )
        self.endpoints = []
        self.listeners = listeners
        self.on_ready = on_ready
        self.lifespan = Lifespan(application)
        self.stop_signal: asyncio.Event = asyncio.Event()
        self.failure = ""

    def _adopt(self) -> None:
        # The default is a second: a phone that answers later is reset, and the close code is lost.
        self.ws_factory.setProtocolOptions(closeHandshakeTimeout=CLOSING_S)
        reactor.callWhenRunning(lambda: setattr(self, "life", asyncio.ensure_future(self._live())))

    def _stop_requested(self) -> None:
        end_in_any_case()
        self.stop_signal.set()

    async def _live(self) -> None:
        """The whole life of the server: start the application, take connections, wait, drain."""
        try:
            for sig in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(sig, self._stop_requested)
            await self.lifespan.startup()
            self.ports = [await self.listen(listener) for listener in self.listeners]
            self.on_ready()
            await self.stop_signal.wait()
            await self.drain()
        except Exception as exc:
            self.failure = f"{type(exc).__name__}: {exc}"
            logger.exception("the server ends")
        finally:
            reactor.stop()

    async def listen(self, listener: socket.socket) -> asyncio.Server:
        """Connections are taken from `listener` until the returned server is closed."""
        make = partial(Connection, Connections(self))
        return await asyncio.get_running_loop().create_server(make, sock=listener, backlog=BACKLOG)

    async def drain(self) -> None:
        """No request is in flight and no socket is open, within DRAIN_S + SOCKETS_S seconds."""
        for port in self.ports:
            port.close()
        for request in self._requests():
            self._make_last(request)
        await dismiss_readers()
        await until(lambda: not self._requests(), DRAIN_S)
        for protocol in self._sockets():
            with suppress(Exception):  # a handshake that was never finished
                protocol.serverClose(code=GOING_AWAY)
        await until(lambda: not self._sockets(), SOCKETS_S)
        await self.lifespan.shutdown()

    def create_application(self, protocol, scope):
        if self.stop_signal.is_set() and isinstance(protocol, WebRequest):
            self._make_last(protocol)
        queue = super().create_application(protocol, scope)
        if queue is not None:
            application = self.connections[protocol]["application_instance"]
            application.add_done_callback(partial(self._forget, protocol))
        return queue

    def _forget(self, protocol: WebRequest | WebSocketProtocol, application: asyncio.Task) -> None:
        """What was answered goes at once. What failed stays until daphne has logged it, once a second."""
        has_failed = application.cancelled() or application.exception() is not None
        if not has_failed and "disconnected" in self.connections.get(protocol, ()):
            del self.connections[protocol]

    @staticmethod
    def _make_last(request: WebRequest) -> None:
        """The connection closes after this answer, so that no further request arrives on it."""
        if request.channel is not None:
            request.channel.persistent = False
            if not request._response_started:
                request.responseHeaders.setRawHeaders(b"connection", [b"close"])

    def _requests(self) -> list[WebRequest]:
        return self._open(WebRequest)

    def _sockets(self) -> list[WebSocketProtocol]:
        return self._open(WebSocketProtocol)

    def _open(self, kind: type) -> list:
        return [
            protocol
            for protocol, details in self.connections.items()
            if isinstance(protocol, kind) and "disconnected" not in details
        ]

    def kill_all_applications(self):
        """What still runs is cancelled and gets LAST_TASKS_S to notice; a thread is not waited for."""
        left = [
            task
            for details in self.connections.values()
            if (task := details.get("application_instance")) is not None and not task.done()
        ]
        for task in left:
            task.cancel()
        waiting = asyncio.wait(left, timeout=LAST_TASKS_S) if left else asyncio.sleep(0)
        return defer.Deferred.fromFuture(asyncio.ensure_future(waiting))


def log_access(protocol: str, action: str, details: dict) -> None:
    """One line per finished request, without its query string."""
    if protocol == "http" and action == "complete":
        path = details["path"].partition("?")[0]
        milliseconds = details["time_taken"] * 1000
        access.info(
            "%s %s %s %s %.0f ms", details["client"], details["method"], path, details["status"], milliseconds
        )


def run(application, listeners: list[socket.socket], on_ready: Callable[[], None]) -> None:
    """Serve until a stop signal; returns after the drain. Raises RuntimeError when it could not start."""
    proxied = settings.TRUST_PROXY
    server = DrainingServer(
        application,
        listeners,
        on_ready,
        action_logger=log_access if settings.ACCESS_LOG else None,
        proxy_forwarded_address_header="X-Forwarded-For" if proxied else None,
        proxy_forwarded_port_header="X-Forwarded-Port" if proxied else None,
        proxy_forwarded_proto_header="X-Forwarded-Proto" if proxied else None,
        request_buffer_size=PIECE_BYTES,
        websocket_timeout=-1,
        ping_interval=PING_S,
        ping_timeout=PONG_WITHIN_S,
        server_name="",
    )
    server.run()
    if server.failure:
        raise RuntimeError(server.failure)
