"""Many readers of one live topic in one process: `python -m benchmarks.lib.readers <specification.json>`.

Connects them all, says `ready` on stdout, then obeys lines on stdin, each answered by one JSON line:
`reset` starts a count, `count` ends it, `quit` ends the process. Readers look for the mark that each state
carries once, so a delivery is counted at the cost of a search, and the process can follow a fast server.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.lib import machine
from benchmarks.lib.peers.state import MARK, TIME_DIGITS
from benchmarks.lib.processes import REPOSITORY, Server, end_with_parent, environment
from benchmarks.lib.stats import percentile

CONNECT_S = 60.0
BUFFER_BYTES = 256 * 1024
AT_ONCE = 100  # handshakes in flight
STALLED_WINDOW_BYTES = 4096
STALLED_SEGMENT_BYTES = 1400  # a network's: with loopback's 64 kB the kernel keeps 2.6 MB for each
TIME_FIELD = b'"t":"'
PING, PONG, MASKED = 0x89, 0x8A, 0x80  # first bytes of these frames (RFC 6455, 5.2), and the bit of a mask
MOST_LATENCIES = 400_000


@dataclass
class Specification:
    """kind: ws or sse. stalled: how many of `count` never read after the handshake.

    sample: every so many-th reader measures latencies. snapshot: the server greets with a state.
    tokens: taken in turn, since a server may limit the connections of one.
    """

    port: int
    path: str
    kind: str = "ws"
    tokens: list[str] = field(default_factory=list)
    count: int = 100
    stalled: int = 0
    sample: int = 1
    snapshot: bool = False
    watch: list[int] = field(default_factory=list)


class Readers:
    """The process of readers, seen from the benchmark. As a context manager they are connected inside."""

    def __init__(self, server: Server, folder: Path, **specification: Any) -> None:
        values = {"port": server.port, "watch": [server.pid], **specification}
        self._path = folder / f"readers-{server.name}.json"
        self._path.write_text(json.dumps(asdict(Specification(**values))))
        self._log = folder / f"readers-{server.name}.log"

    def __enter__(self) -> Readers:
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.lib.readers", str(self._path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(),
                cwd=REPOSITORY,
                preexec_fn=end_with_parent,
            )
        self._line()
        return self

    def __exit__(self, *exc) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def reset(self) -> None:
        self._tell("reset")

    def count(self) -> dict[str, Any]:
        """What arrived since `reset`; see Group.result."""
        return self._tell("count")

    def _tell(self, word: str) -> dict[str, Any]:
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the readers ended:\n{self._log.read_text()[-3000:]}")
        return json.loads(line)


class Reader:
    """One connected reader. deliveries: since the last reset."""

    __slots__ = ("deliveries", "is_sampled", "rest", "socket")

    def __init__(self, connection: socket.socket, *, is_sampled: bool) -> None:
        self.socket, self.is_sampled = connection, is_sampled
        self.deliveries = 0
        self.rest = b""  # of a sampled reader: the beginning of a state whose end has not come


class Group:
    def __init__(self, wanted: Specification) -> None:
        self.wanted = wanted
        self.poll = select.epoll()
        self.readers: dict[int, Reader] = {}
        self.stalled: list[socket.socket] = []
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.latencies_ns: list[int] = []
        self.closed = 0
        self.last_delivery = 0.0
        self.before: dict[str, Any] = {}

    # --- connecting -------------------------------------------------------------------------------------

    def connect(self) -> None:
        """All readers are connected and have seen what the server greets with. Raises TimeoutError."""
        for start in range(0, self.wanted.count, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, self.wanted.count))
            opened = [self._open(number) for number in numbers]
            for number, connection in zip(numbers, opened, strict=True):
                self._admit(number, connection, *self._handshake(connection))
        end = time.monotonic() + CONNECT_S
        while self.wanted.snapshot and any(not r.deliveries for r in self.readers.values()):
            self.step(0.1)
            if time.monotonic() > end:
                raise TimeoutError("some readers got no snapshot")
        self.step(0.0)
        if self.closed:
            raise ConnectionError(f"{self.closed} of {self.wanted.count} readers were closed at once")

    def _open(self, number: int) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(CONNECT_S)
        if number < self.wanted.stalled:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_WINDOW_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, STALLED_SEGMENT_BYTES)
        connection.connect(("127.0.0.1", self.wanted.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(self._request(number))
        return connection

    def _request(self, number: int) -> bytes:
        lines = [f"GET {self.wanted.path} HTTP/1.1", "Host: 127.0.0.1"]
        if tokens := self.wanted.tokens:
            lines.append(f"Authorization: Bearer {tokens[number % len(tokens)]}")
        if self.wanted.kind == "ws":
            key = base64.b64encode(os.urandom(16)).decode()
            lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
            lines.append(f"Sec-WebSocket-Key: {key}")
        else:
            lines.append("Accept: text/event-stream")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _handshake(self, connection: socket.socket) -> tuple[int, bytes]:
        """(deliveries, bytes) that came with the answer's head. Raises ConnectionError for a refusal."""
        got = b""
        while b"\r\n\r\n" not in got:
            more = connection.recv(4096)
            if not more:
                raise ConnectionError(f"closed in the handshake: {got[:300]!r}")
            got += more
        if got[9:12] not in (b"101", b"200"):
            raise ConnectionError(f"refused: {got[:300]!r}")
        rest = got.partition(b"\r\n\r\n")[2]
        return rest.count(MARK), rest

    def _admit(self, number: int, connection: socket.socket, deliveries: int, rest: bytes) -> None:
        if number < self.wanted.stalled:
            self.stalled.append(connection)
            return
        connection.setblocking(False)
        reader = Reader(connection, is_sampled=number % self.wanted.sample == 0)
        reader.deliveries = deliveries
        self.readers[connection.fileno()] = reader
        self.poll.register(connection.fileno(), select.EPOLLIN)

    # --- reading ----------------------------------------------------------------------------------------

    def step(self, wait_s: float) -> bool:
        """Read what is there; True when stdin has something to say."""
        is_told = False
        for fd, _ in self.poll.poll(wait_s):
            reader = self.readers.get(fd)
            if reader is None:
                is_told = True
            else:
                self._read(fd, reader)
        return is_told

    def _read(self, fd: int, reader: Reader) -> None:
        try:
            size = reader.socket.recv_into(self.view)
        except BlockingIOError:
            return
        except ConnectionError:
            size = 0
        if not size:
            self.closed += 1
            self.poll.unregister(fd)
            reader.socket.close()
            del self.readers[fd]
            return
        found = self.buffer.count(MARK, 0, size)
        if self.wanted.kind == "ws":
            found -= self._answer_ping(reader, size)
        if found:
            reader.deliveries += found
            self.last_delivery = time.monotonic()
        if reader.is_sampled:
            self._take_times(reader, size)

    def _answer_ping(self, reader: Reader, size: int) -> int:
        """How many marks stood in a ping, whose bytes are any. A server gives up a socket that answers none.

        No byte of a state, all ASCII, looks like a ping.
        """
        at = self.buffer.find(PING, 0, size)
        if at < 0 or at + 2 > size:
            return 0
        end = at + 2 + (length := self.buffer[at + 1])
        if length >= MASKED or end > size:  # it was the length of a frame
            return 0
        reader.socket.send(bytes((PONG, MASKED | length, 0, 0, 0, 0)) + self.buffer[at + 2 : end])
        return self.buffer.count(MARK, at + 2, end)

    def _take_times(self, reader: Reader, size: int) -> None:
        now_ns = time.monotonic_ns()
        data = reader.rest + self.buffer[:size]
        at = data.find(TIME_FIELD)
        end = 0
        while at >= 0 and at + len(TIME_FIELD) + TIME_DIGITS <= len(data):
            start = at + len(TIME_FIELD)
            end = start + TIME_DIGITS
            if len(self.latencies_ns) < MOST_LATENCIES:
                self.latencies_ns.append(now_ns - int(data[start:end]))
            at = data.find(TIME_FIELD, end)
        keep_from = at if at >= 0 else max(end, len(data) - len(TIME_FIELD) + 1)
        reader.rest = bytes(data[keep_from:])

    # --- counting ---------------------------------------------------------------------------------------

    def reset(self) -> dict[str, Any]:
        for reader in self.readers.values():
            reader.deliveries = 0
        self.latencies_ns.clear()
        self.before = self._moment()
        return {"readers": len(self.readers)}

    def _moment(self) -> dict[str, Any]:
        return {
            "at": time.monotonic(),
            "own_s": time.process_time(),
            "cpu_s": [machine.cpu_seconds(pid) for pid in self.wanted.watch],
            "memory": sum(machine.memory_bytes(pid) for pid in self.wanted.watch),
            "machine": machine.Moment.now(),
        }

    def result(self) -> dict[str, Any]:
        """Of the time since `reset`. fewest, most: deliveries of the reader that got least and most."""
        after, before = self._moment(), self.before
        counts = [reader.deliveries for reader in self.readers.values()] or [0]
        delivered, seconds = sum(counts), after["at"] - before["at"]
        cpu_s = [b - a for a, b in zip(before["cpu_s"], after["cpu_s"], strict=True)]
        return {
            "seconds": seconds,
            "delivered": delivered,
            "delivered_per_s": delivered / seconds,
            "fewest": min(counts),
            "most": max(counts),
            "closed": self.closed,
            "quiet_s": time.monotonic() - max(self.last_delivery, before["at"]),
            "cpu_s": cpu_s,
            "cpu_s_per_100k": 1e5 * sum(cpu_s) / delivered if delivered else None,
            "memory_bytes": after["memory"],
            "p50_ms": _ms(percentile(self.latencies_ns, 50)),
            "p99_ms": _ms(percentile(self.latencies_ns, 99)),
            "generator_cpu_percent": 100 * (after["own_s"] - before["own_s"]) / seconds,
            **machine.busy_between(before["machine"], after["machine"]),
        }

    def obey(self) -> None:
        """Read and answer until stdin ends."""
        self.poll.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            if not self.step(1.0):
                continue
            word = os.read(sys.stdin.fileno(), 100).decode().strip()
            if not word or word == "quit":
                return
            print(json.dumps(self.reset() if word == "reset" else self.result()), flush=True)


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6


def allow_many_files() -> None:
    """Sockets up to the hard limit of this process."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(path: str) -> None:
    allow_many_files()
    group = Group(Specification(**json.loads(Path(path).read_text())))
    group.connect()
    print(json.dumps({"ready": len(group.readers)}), flush=True)
    group.obey()


if __name__ == "__main__":
    main(sys.argv[1])
