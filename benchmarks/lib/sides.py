"""The servers of the fan-out benchmark: how each is started, read and published to."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.lib.processes import REPOSITORY, Server, ask, end_with_parent, environment
from benchmarks.lib.readers import Readers
from benchmarks.lib.results import Results
from benchmarks.lib.servers import (
    Ours,
    has_starlette,
    nginx_nchan,
    ours,
    starlette_live,
    websockets_broadcast,
)

WS, SSE = "ws", "sse"
STUCK_S = 5.0  # not one state was published for so long: it will not go on


@dataclass
class Side:
    """A server and how it is read."""

    server: Server
    paths: dict[str, str]  # kind -> path
    snapshot: bool = False
    publisher: Server | None = None  # where states are published, when not here

    @property
    def name(self) -> str:
        return self.server.name

    def watched(self) -> list[int]:
        return [self.server.pid]

    def tokens(self) -> list[str]:
        return self.server.tokens if isinstance(self.server, Ours) else []

    def readers(self, folder: Path, kind: str, count: int, **more: Any) -> Readers:
        return Readers(
            self.server, folder, path=self.paths[kind], kind=kind, tokens=self.tokens(), count=count,
            snapshot=self.snapshot, watch=self.watched(), **more,
        )  # fmt: skip


def make_sides(options, folder: Path, results: Results, stack) -> list[Side]:
    """Every server that is wanted and installed, started until `stack` ends."""
    sides = []
    for name in ("uvicorn", "daphne"):
        if is_wanted(options, f"ours-{name}"):
            server = ours(folder, name=f"ours-{name}", server=name, application="live").prepare([])
            sides.append(our_side(stack.enter_context(server)))
    if not has_starlette():
        results.note("skipped: starlette is not installed (requirements-bench.txt)")
    elif is_wanted(options, "starlette"):
        sides.append(Side(stack.enter_context(starlette_live(folder)), {WS: "/ws", SSE: "/stream"}))
    if is_wanted(options, "websockets"):
        sides.append(Side(stack.enter_context(websockets_broadcast(folder)), {WS: "/"}))
    if is_wanted(options, "nchan"):
        server = nginx_nchan(folder)
        if server is None:
            results.note("skipped: nginx with nchan is not installed (apt-get install libnginx-mod-nchan)")
        else:
            sides.append(Side(stack.enter_context(server), {WS: "/ws", SSE: "/stream"}))
    return sides


def our_side(server: Server, publisher: Server | None = None) -> Side:
    paths = {WS: "/ws/live/?topic=bench:state", SSE: "/stream/bench:state"}
    return Side(server, paths, snapshot=True, publisher=publisher)


def is_wanted(options, name: str) -> bool:
    return not options.only or name in options.only


@contextlib.contextmanager
def fresh(side: Side, folder: Path) -> Iterator[Side]:
    """The same server once more, in a process of its own."""
    name = side.name
    if name.startswith("ours-"):
        server = ours(folder, name=name, server=name.removeprefix("ours-"), application="live",
                      data_dir=folder / f"{name}-stalled")  # fmt: skip
        server.prepare([])
    elif name == "starlette":
        server = starlette_live(folder)
    elif name == "websockets":
        server = websockets_broadcast(folder)
    else:
        server = nginx_nchan(folder / "stalled")
    with server:
        yield Side(server, side.paths, side.snapshot)


class Publishing:
    """States on their way, published by the server itself or, for nchan, by a small process beside it."""

    def __init__(self, side: Side, *, rate: float, seconds: float, size: int) -> None:
        self._side, self._seconds = side, seconds
        self._query = f"rate={rate}&seconds={seconds}&size={size}"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        if self._side.name == "nchan":
            command = [
                sys.executable,
                "-m",
                "benchmarks.lib.peers.nchan",
                str(self._side.server.port),
                self._query,
            ]
            self._process = subprocess.Popen(
                command,
                env=environment(),
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=end_with_parent,
            )
        else:
            self._ask(f"/bench/publish?{self._query}")

    def wait(self) -> int | None:
        """How many states were published; None when it stops before its end: a stalled reader does that."""
        if self._process is not None:
            text, _ = self._process.communicate(timeout=self._seconds + 15)
            return int(text.rpartition(":")[2].strip(" }\n"))
        published, moved_at = -1, time.monotonic()
        while time.monotonic() < moved_at + STUCK_S:
            progress = self._ask("/bench/published")
            if progress["is_done"]:
                return progress["published"]
            if progress["published"] > published:
                published, moved_at = progress["published"], time.monotonic()
            time.sleep(0.05)
        return None

    def _ask(self, path: str) -> dict:
        status, answer = ask(self._side.publisher or self._side.server, "GET", path)
        if status != 200:
            raise RuntimeError(f"{path} was answered {status}: {answer}")
        return answer
