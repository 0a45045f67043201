"""Load over keep-alive HTTP/1.1 from one process: `python -m benchmarks.lib.load <specification.json>`.

Each connection sends its next request when the last one was answered (a closed loop), or at fixed times when
`rate` is given; then a late start counts as latency. Prints one JSON object. The process measures itself and
the server in the same window, so that its share of the machine is known.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.lib import machine
from benchmarks.lib.processes import Server, run_module
from benchmarks.lib.requests import Requests
from benchmarks.lib.stats import percentile

DRAIN_S = 10.0
CONNECT_S = 30.0


@dataclass
class Specification:
    """seconds: of the measured window, after `warm_s`. rate: requests per second of each connection.

    rate 0: a closed loop. requests: see requests.py. watch: pids whose CPU time is taken. until_cut: the end
    of the server is the end of the load, not an error. acks: a file that gets the id of every accepted item.
    """

    port: int
    requests: dict[str, Any]
    connections: int = 8
    seconds: float = 5.0
    warm_s: float = 0.5
    rate: float = 0.0
    watch: list[int] = field(default_factory=list)
    until_cut: bool = False
    acks: str = ""


def run_load(server: Server, folder: Path, **specification: Any) -> dict[str, Any]:
    """What the load on `server` measured; see Load.result."""
    values = {"port": server.port, "watch": [server.pid], **specification}
    path = folder / f"load-{server.name}.json"  # two loads may run at once
    path.write_text(json.dumps(asdict(Specification(**values))))
    return run_module("benchmarks.lib.load", str(path))


class Load:
    """All connections and what they saw."""

    def __init__(self, wanted: Specification) -> None:
        self.wanted = wanted
        self.requests = Requests(**wanted.requests)
        self.is_over = False
        self.is_measuring = False
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.accepted = self.refused = self.cut = 0
        self.acks: list[str] = []
        self.refusal = ""
        self.clients: list[Client] = []

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for number in range(self.wanted.connections):
            client = Client(self, number)
            self.clients.append(client)
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda c=client: c, "127.0.0.1", self.wanted.port)
        for client in self.clients:
            client.begin()
        await self._pass(self.wanted.warm_s)
        self._reset()
        before = self._moment()
        await self._pass(self.wanted.seconds)
        after = self._moment()
        self.is_measuring, self.is_over = False, True
        measured = (self.accepted, self.refused)
        await self._drain()
        return self.result(before, after, *measured)

    async def _pass(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.25))
            if self.cut and self.cut == len(self.clients):
                if not self.wanted.until_cut:
                    raise ConnectionError("the server closed every connection")
                return

    def _reset(self) -> None:
        """The warm-up does not count, except in `total_accepted`."""
        self.total_before = self.accepted
        self.accepted = self.refused = 0
        self.latencies.clear()
        self.is_measuring = True

    async def _drain(self) -> None:
        """What was sent is answered, so that the server's counters can be compared with ours."""
        end = time.monotonic() + DRAIN_S
        while any(client.is_waiting for client in self.clients) and time.monotonic() < end:
            await asyncio.sleep(0.01)
        for client in self.clients:
            client.close()

    def _moment(self) -> dict[str, Any]:
        cpu_s = {}
        for pid in self.wanted.watch:
            try:
                cpu_s[pid] = machine.cpu_seconds(pid)
            except FileNotFoundError:  # it was killed, as crash.py does
                cpu_s[pid] = 0.0
        return {
            "at": time.monotonic(),
            "own_s": time.process_time(),
            "cpu_s": cpu_s,
            "machine": machine.Moment.now(),
        }

    def result(self, before: dict, after: dict, accepted: int, refused: int) -> dict[str, Any]:
        """Figures of the window; times in milliseconds unless the name says otherwise.

        total_accepted counts from the first request to the last answer, warm-up and drain included.
        """
        seconds = after["at"] - before["at"]
        server_s = sum(after["cpu_s"][pid] - before["cpu_s"][pid] for pid in self.wanted.watch)
        return {
            "seconds": round(seconds, 3),
            "accepted": accepted,
            "accepted_per_s": accepted / seconds,
            "refused": refused,
            "refusal": self.refusal,
            "statuses": dict(self.statuses),
            "total_accepted": self.total_before + self.accepted,
            "cut": self.cut,
            "p50_ms": _ms(percentile(self.latencies, 50)),
            "p95_ms": _ms(percentile(self.latencies, 95)),
            "p99_ms": _ms(percentile(self.latencies, 99)),
            "server_cpu_ms_each": 1000 * server_s / accepted if accepted else None,
            "server_cpu_percent": 100 * server_s / seconds,
            "generator_cpu_percent": 100 * (after["own_s"] - before["own_s"]) / seconds,
            **machine.busy_between(before["machine"], after["machine"]),
        }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


class Client(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, load: Load, number: int) -> None:
        self._load, self._number = load, number
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._sent_at = 0.0
        self._due_at = 0.0
        self.is_waiting = False

    def connection_made(self, transport) -> None:
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc) -> None:
        self._transport, self.is_waiting = None, False
        if not self._load.is_over:
            self._load.cut += 1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def begin(self) -> None:
        rate = self._load.wanted.rate
        if not rate:
            self._send(time.monotonic())
            return
        phase_s = self._number / self._load.wanted.connections / rate
        self._due_at = time.monotonic() + phase_s
        asyncio.get_running_loop().call_later(phase_s, self._send_on_time)

    def _send_on_time(self) -> None:
        if not self.is_waiting:
            self._send(self._due_at)

    def _send(self, counted_from: float) -> None:
        if self._transport is None or self._load.is_over:
            return
        self._sent_at, self.is_waiting = counted_from, True
        self._transport.writelines(self._load.requests.next())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = _parse(self._buffer)
        if answer is None:
            return
        status, body, is_kept = answer
        self._buffer.clear()
        self.is_waiting = False
        now = time.monotonic()
        self._note(status, body, now - self._sent_at)
        if not is_kept:
            self.close()
        elif self._load.wanted.rate:
            self._due_at += 1 / self._load.wanted.rate
            asyncio.get_running_loop().call_later(max(0.0, self._due_at - now), self._send_on_time)
        else:
            self._send(now)

    def _note(self, status: int, body: bytes, latency_s: float) -> None:
        load = self._load
        load.statuses[status] += 1
        if self._is_accepted(status, body):
            load.accepted += load.requests.items
            if load.wanted.acks:
                load.acks.append(load.requests.id_in(body))
        else:
            load.refused += 1
            load.refusal = load.refusal or f"{status} {body[:300].decode(errors='replace')}"
        if load.is_measuring:
            load.latencies.append(latency_s)

    @staticmethod
    def _is_accepted(status: int, body: bytes) -> bool:
        """An envelope may carry its refusal in a 200."""
        return status in (200, 201, 304) and b'"error":true' not in body[:200].replace(b" ", b"")


def _parse(buffer: bytearray) -> tuple[int, bytes, bool] | None:
    """(status, body, whether the connection is kept) once the answer is complete."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end]).lower()
    is_kept = b"\r\nconnection: close" not in head
    status = int(head[9:12])
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        body = bytes(buffer[end + 4 :])
        return (status, body, is_kept) if len(body) >= length else None
    if b"\r\ntransfer-encoding: chunked" in head:
        body = bytes(buffer[end + 4 :])
        return (status, body, is_kept) if body.endswith(b"0\r\n\r\n") else None
    return status, b"", is_kept  # 204 and 304 have no body


async def main(path: str) -> None:
    wanted = Specification(**json.loads(Path(path).read_text()))
    load = Load(wanted)
    result = await load.run()
    if wanted.acks:
        Path(wanted.acks).write_text("\n".join(load.acks))
    print(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
