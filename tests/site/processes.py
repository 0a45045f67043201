"""The real commands as processes of their own, each with its own data folder and a port the system picks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx

from tests.site.settings_of import ROOT, settings_variables
from tests.waiting import PATIENCE_S

READY_WITHIN_S = 60
ADDRESS = re.compile(r"Listening on (https?)://([\d.]+):(\d+)/")


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """The environment of the test run without any variable that the settings read, plus `more`."""
    ours = {name for variable in settings_variables() for name in (variable, f"{variable}_FILE")}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    unhurried = {"RATE_LIMIT_PER_MIN": "0", "RATE_LIMIT_EXPORTS_PER_MIN": "0"}  # tests wait by asking
    return {**kept, **unhurried, "DATA_DIR": str(data_dir), **more}


def manage(*words: str, data_dir: Path, **more: str) -> str:
    """What a finished command printed; it must end with code 0."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(data_dir, **more),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


@cache
def up_to_date() -> Path:
    """A database that is empty and up to date, made once by each process of the test run."""
    folder = Path(tempfile.mkdtemp(prefix="up-to-date-", dir=os.environ["DATA_DIR"]))
    manage("migrate", "--verbosity", "0", data_dir=folder)
    assert not (folder / "db.sqlite3-wal").exists(), "the file alone is not the whole database"
    return folder / "db.sqlite3"


class Process:
    """A running command; `lines` is what it has printed so far, on both channels."""

    before: tuple[str, ...] = ()  # a program that runs the command

    def __init__(self, *words: str, data_dir: Path, **more: str) -> None:
        self.data_dir, self.more = data_dir, more
        self.lines: list[str] = []
        self._printed = threading.Condition()
        self.child = subprocess.Popen(
            [*self.before, sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=environment(data_dir, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.child.stdout:
            with self._printed:
                self.lines.append(line.rstrip())
                self._printed.notify_all()
        with self._printed:
            self._printed.notify_all()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, pattern: str | re.Pattern) -> re.Match:
        """The first printed line that matches. Fails when the process ends or stays silent."""
        end = time.monotonic() + READY_WITHIN_S
        with self._printed:
            while True:
                for line in self.lines:
                    if found := re.search(pattern, line):
                        return found
                assert self._reader.is_alive(), f"ended with {self.child.poll()}:\n{self.output}"
                assert time.monotonic() < end, f"no {pattern!r} within {READY_WITHIN_S} s:\n{self.output}"
                self._printed.wait(0.5)

    def stop(self, sig: int = signal.SIGTERM) -> tuple[int, float]:
        """(exit code, seconds it took); a process that does not end fails the test."""
        begun = time.monotonic()
        self.child.send_signal(sig)
        code = self.child.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code, time.monotonic() - begun

    def end(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait(PATIENCE_S)


class Server(Process):
    """A `serve` that takes requests at `url`.

    In a folder without a database it finds one that is up to date: making it is most of a first start.
    """

    def __init__(self, *options: str, data_dir: Path, **more: str) -> None:
        self.prepare(data_dir, more)
        self.begun, self.more = time.monotonic(), more
        super().__init__("serve", "--port", "0", *options, data_dir=data_dir, **more)
        listening = self.wait_for_line(ADDRESS)
        self.host, self.port = listening[2], int(listening[3])
        self.url = f"http://{self.host}:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=20, trust_env=False)

    def prepare(self, data_dir: Path, more: dict[str, str]) -> None:
        if "DATABASE_URL" not in more and not (data_dir / "db.sqlite3").exists():
            data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
            shutil.copy(up_to_date(), data_dir / "db.sqlite3")

    def token(self, name: str = "test", role: str = "admin") -> str:
        command = ("create_token", name, "--role", role, "--skip-checks")
        return manage(*command, data_dir=self.data_dir, **self.more).strip()

    def end(self) -> None:
        if hasattr(self, "http"):
            self.http.close()
        super().end()


class FirstServer(Server):
    """A `serve` that finds what there is, at first nothing at all."""

    def prepare(self, data_dir: Path, more: dict[str, str]) -> None:
        pass


@contextmanager
def running(kind: type[Process], *words: str, data_dir: Path, **more: str):
    """A process that is gone afterwards, however the test went."""
    process = kind.__new__(kind)
    try:
        process.__init__(*words, data_dir=data_dir, **more)
        yield process
    finally:
        if hasattr(process, "child"):
            process.end()
