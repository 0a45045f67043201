"""Cameras that post without pause, and live pages that come back by themselves as a browser's do."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect as connect_socket

from tests.pictures import picture
from tests.site.processes import Server

AGAIN_S = 0.2
ADDRESS = "/api/v1/monitors/cam-1/images/"


@dataclass
class Cameras:
    """Clients that post to cam-1 until `end`; what they were told."""

    server: Server
    clients: int = 8
    acknowledged: set[str] = field(default_factory=set)
    statuses: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._threads = [
            threading.Thread(target=self._post, args=(number,)) for number in range(self.clients)
        ]

    def __enter__(self) -> Cameras:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _post(self, client: int) -> None:
        headers = {**self.server.http.headers, "Content-Type": "image/jpeg"}
        number = 0
        with httpx.Client(base_url=self.server.url, headers=headers, timeout=30, trust_env=False) as http:
            while not self._stopping.is_set():
                number += 1
                try:
                    answer = http.post(ADDRESS, content=picture(client * 10_000 + number))
                except httpx.HTTPError as error:
                    self.problems.append(repr(error))
                    continue
                with self._lock:
                    self.statuses[answer.status_code] += 1
                    if answer.status_code == 201:
                        self.acknowledged.add(answer.json()["key"])
                    elif answer.status_code != 503 or "retry-after" not in answer.headers:
                        self.problems.append(f"{answer.status_code} {answer.text[:200]}")
                if answer.status_code == 503:
                    self._stopping.wait(AGAIN_S)


class Page(threading.Thread):
    """Follows a session of a server; `total` is what it shows, `seqs` the events in the order they came."""

    def __init__(self, server: Server, session: str) -> None:
        super().__init__(name=f"{type(self).__name__} of {server.port}", daemon=True)
        self.server, self.topic = server, f"session:{session}"
        self.authorization = {"Authorization": server.http.headers["Authorization"]}
        self.total = 0
        self.seqs: list[int] = []
        self.problems: list[str] = []
        self.connections = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self.follow()
            except (OSError, TimeoutError, httpx.HTTPError, WebSocketException):
                pass
            except Exception as error:
                self.problems.append(repr(error))
            self.stopping.wait(AGAIN_S)

    def follow(self) -> None:
        """One connection, from its opening to its end."""
        raise NotImplementedError

    def note(self, frame: dict) -> None:
        if frame["type"] in ("snapshot", "state"):
            self.total = max(self.total, frame["data"]["total_counter"])
        elif frame["type"] == "event":
            self.seqs.append(frame["seq"])
        elif frame["type"] in ("gap", "error"):
            self.problems.append(str(frame))

    @property
    def last_seq(self) -> int:
        return self.seqs[-1] if self.seqs else 0

    def check(self, last_seq: int) -> None:
        """Every event came once, in order."""
        assert not self.problems, self.problems
        assert self.seqs == list(range(1, last_seq + 1))


class SocketPage(Page):
    def follow(self) -> None:
        address = f"ws://127.0.0.1:{self.server.port}/ws/live/"
        with connect_socket(address, additional_headers=self.authorization, proxy=None) as socket:
            self.connections += 1
            asked = {"type": "subscribe", "topic": self.topic, "after": self.last_seq}
            socket.send(orjson.dumps(asked).decode())
            while not self.stopping.is_set():
                try:
                    self.note(orjson.loads(socket.recv(timeout=AGAIN_S)))
                except TimeoutError:
                    continue


class StreamPage(Page):
    def follow(self) -> None:
        headers = {**self.authorization, "Last-Event-ID": str(self.last_seq)}
        address = f"{self.server.url}/stream/{self.topic}"
        with httpx.stream("GET", address, headers=headers, timeout=20, trust_env=False) as answer:
            if answer.status_code != 200:
                answer.read()
                if answer.status_code != 503:
                    self.problems.append(f"{answer.status_code} {answer.text[:200]}")
                return
            self.connections += 1
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    self.note(orjson.loads(line.removeprefix("data:")))
                if self.stopping.is_set():
                    return


def seconds_until(is_true, within_s: float, what: str) -> float:
    """How long it took until `is_true()`."""
    begun = time.monotonic()
    while not is_true():
        assert time.monotonic() - begun < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - begun
