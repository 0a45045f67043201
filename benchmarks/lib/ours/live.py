"""The whole site and one topic more, `bench:state`, which is published on request at any rate.

The topic's truth is a small file that is mapped into memory, so that it costs no query and is the same in
several processes. All else is the product's: hub, outboxes, frames, wires, both servers.
"""

from __future__ import annotations

import mmap
import re
import struct
import threading
import time

import orjson
from django.conf import settings

from benchmarks.lib.peers.publisher import wanted
from benchmarks.lib.peers.state import FIRST_REVISION, state_data
from monitoring.api.state_lane import Encoded, NativeState, StateLane
from sessionsite.asgi import application as site
from sessionsite.common.live import Snapshot, Topic, publish_on_commit, register_topic
from sessionsite.metrics import measured

TOPIC = "bench:state"
RECORD = struct.Struct("<qqq")  # revision, CLOCK_MONOTONIC at publishing in ns, bytes of a frame
CONSTANT_BYTES = 600


def _shared() -> mmap.mmap:
    path = settings.DATA_DIR / "bench.state"
    with open(path, "a+b") as file:
        if file.seek(0, 2) < RECORD.size:
            file.write(RECORD.pack(FIRST_REVISION - 1, time.monotonic_ns(), 600))
            file.flush()
        return mmap.mmap(file.fileno(), RECORD.size)


class BenchTopic(Topic):
    prefix = "bench"

    def __init__(self) -> None:
        self.record = _shared()
        self.was_read = threading.Event()

    def authorise(self, caller, name: str) -> bool:
        return name == "state"

    def snapshot(self, name: str) -> Snapshot:
        revision, t_ns, size = RECORD.unpack(self.record[:])
        self.was_read.set()
        return Snapshot(revision, None, state_data(size, t_ns))

    def revisions(self, names) -> dict[str, tuple[int, int | None]]:
        return {name: (RECORD.unpack(self.record[:])[0], None) for name in names}


class Publishing:
    """Publishes from a thread of its own, as a verb does from a thread of the request pool."""

    def __init__(self, topic: BenchTopic) -> None:
        self._topic = topic
        self.published = 0
        self.is_done = True

    def start(self, query: str) -> None:
        self.published, self.is_done = 0, False
        threading.Thread(target=self._run, args=wanted(query), name="publisher", daemon=True).start()

    def _run(self, rate: float, seconds: float, size: int) -> None:
        began = time.monotonic()
        while self.published < rate * seconds if rate else time.monotonic() < began + seconds:
            if rate:
                time.sleep(max(0.0, began + self.published / rate - time.monotonic()))
            self._publish(size)
            if not rate:
                self._topic.was_read.wait(0.1)
                self._topic.was_read.clear()
            self.published += 1
        self.is_done = True

    def _publish(self, size: int) -> None:
        revision = RECORD.unpack(self._topic.record[:])[0] + 1
        self._topic.record[:] = RECORD.pack(revision, time.monotonic_ns(), size)
        # Urgent, as a transition is: counters would be held to ten states a second.
        publish_on_commit(TOPIC, revision=revision, urgent=True)


class ConstantState(NativeState):
    """Any monitor, in the form of the native wire."""

    name = "constant"
    path = re.compile(r"/bench/lane/(?P<name>[^/]+)/")


class ConstantLane(StateLane):
    """The lane of state reads with constant bytes: it lets in, counts and answers as that does."""

    def __init__(self, body: bytes) -> None:
        super().__init__([ConstantState()])
        self._constant = Encoded(body, '"constant"')

    async def encoded(self, wire, name: str, secret: str) -> Encoded:
        await self.admit(wire, name, secret)
        return self._constant

    async def __call__(self, scope, receive, send) -> None:
        await self.claim(scope)(scope, receive, send)


class WithBench:
    """The site. `/bench/...` drives the publisher.

    `/bench/constant` costs what the server itself costs, `/bench/lane/<monitor>/` what the lane costs too.
    """

    def __init__(self) -> None:
        topic = BenchTopic()
        register_topic(topic)
        self.publishing = Publishing(topic)
        self.constant = orjson.dumps({"constant": "x" * CONSTANT_BYTES})
        self.lane = measured(ConstantLane(self.constant))

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/bench/lane/"):
            await self.lane(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/bench/"):
            await self._control(scope, receive, send)
        else:
            await site(scope, receive, send)

    async def _control(self, scope, receive, send) -> None:
        body = b"{}"
        if scope["path"] == "/bench/constant":
            body = self.constant
        elif scope["path"] == "/bench/publish":
            self.publishing.start(scope["query_string"].decode())
        else:
            body = orjson.dumps({"published": self.publishing.published, "is_done": self.publishing.is_done})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


application = WithBench()
