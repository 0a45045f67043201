"""Processes of a benchmark: each ends with it, whatever happens, and nothing else is ended."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
START_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
PR_SET_PDEATHSIG = 1
# What a child takes over from the environment; DATABASE_URL and the like are given on purpose only.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "NATIVE")
_libc = ctypes.CDLL(None)


class DidNotStart(RuntimeError):
    """A server did not answer in time; the text ends with its log."""


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(REPOSITORY), **more}


def free_port() -> int:
    """A loopback port that nobody listens on now, out of BENCH_PORTS (`8700-8799`) when that is set."""
    first, _, last = os.environ.get("BENCH_PORTS", "0-0").partition("-")
    for port in range(int(first), int(last or first) + 1):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise OSError(f"no free port in {first}-{last}")


class Server:
    """A server process on a loopback port. As a context manager it runs inside and is gone after.

    `accepts`: the path that answers below 500 once it works; empty means that an open port is enough.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        folder: Path,
        env: dict[str, str] | None = None,
        accepts: str = "",
        user: str | None = None,
    ) -> None:
        self.name, self.command, self.port, self.folder = name, list(command), port, folder
        self.env, self.accepts, self.user = env or environment(), accepts, user
        self.process: subprocess.Popen | None = None
        self.token = ""
        self.start_s = 0.0  # how long the last start took until it answered

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> Server:
        """The server answers. Raises DidNotStart."""
        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=REPOSITORY,
                start_new_session=True,
                preexec_fn=end_with_parent,
                user=self.user,
                group=self.user,
            )
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - began > START_WITHIN_S:
                self.stop()
                raise DidNotStart(f"{self.name}: {' '.join(self.command)}\n{self._end_of_log()}")
            time.sleep(0.02)
        self.start_s = time.monotonic() - began
        return self

    def stop(self) -> None:
        """The process is gone: asked first, killed when it does not go."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """The process is gone without a chance to say anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *exc) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            return not self.accepts or ask(self, "GET", self.accepts, timeout_s=2)[0] < 500
        except OSError:
            return False

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])


def end_with_parent() -> None:
    """In the child: the kernel ends it when the benchmark dies without a word."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ask(
    server: Server, method: str, path: str, body: Any = None, *, headers: dict | None = None, timeout_s=30.0
) -> tuple[int, Any]:
    """(status, decoded JSON or text) of one request with the server's token."""
    sent = {**({"Authorization": f"Bearer {server.token}"} if server.token else {}), **(headers or {})}
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        sent["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout_s)
    try:
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        status, content = answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content.decode(errors="replace")


def run_module(
    module: str, *arguments: str, env: dict[str, str] | None = None, timeout_s: float = 600.0
) -> Any:
    """What `python -m module` printed, decoded from JSON. Raises RuntimeError with its errors."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        env=env or environment(),
        cwd=REPOSITORY,
        timeout=timeout_s,
        preexec_fn=end_with_parent,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])
