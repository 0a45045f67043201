"""How each server of the benchmarks is started: ours in its variants, and the peers."""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.lib.peers import nchan
from benchmarks.lib.processes import Server, environment, free_port, run_module

SETTINGS = "benchmarks.lib.ours.settings"
PREPARE = "benchmarks.lib.ours.prepare"
PEER_TOKEN = "a-token-of-the-benchmark"


class Ours(Server):
    """`manage.py serve`. After `prepare` it has a token; `sessions`: running monitor -> its session."""

    sessions: dict[str, str]
    tokens: list[str]  # of viewers: the connections of one token are limited
    cookie = ""

    def prepare(self, monitors: list[str], *, start: list[str] | None = None) -> Ours:
        """The data folder holds the monitors, those of `start` (default: all) run, and there is a token."""
        running = monitors if start is None else start
        arguments = ("--monitors", ",".join(monitors), "--start", ",".join(running))
        data = Path(self.env["DATA_DIR"])
        if "DATABASE_URL" in self.env or data.exists():
            made = run_module(PREPARE, *arguments, env=self.env)
        else:
            template, made = _template(arguments)
            shutil.copytree(template, data)
        self.token, self.tokens = made["token"], made["viewers"]
        self.sessions, self.cookie = made["sessions"], made["cookie"]
        return self


@cache
def _template(arguments: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    """A data folder that was prepared with these arguments, to be copied; gone at the end of this process."""
    folder = Path(tempfile.mkdtemp(prefix="bench-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    data = folder / "data"
    env = environment(DATA_DIR=str(data), DJANGO_SETTINGS_MODULE=SETTINGS, LOG_LEVEL="WARNING")
    return data, run_module(PREPARE, *arguments, env=env)


def ours(
    folder: Path,
    *,
    name: str = "",
    server: str = "uvicorn",
    durability: str = "power",
    application: str = "",
    data_dir: Path | None = None,
    **env: str,
) -> Ours:
    """Ours, not started. application: live or stock, see benchmarks/lib/ours; data_dir: else its own."""
    name = name or f"ours-{server}-{durability}"
    port = free_port()
    values = {
        "DATA_DIR": str(data_dir or folder / name),
        "DURABILITY": durability,
        "DISK_RESERVE_BYTES": "0",
        "LOG_LEVEL": "WARNING",
        "RATE_LIMIT_PER_MIN": "1000000000",  # counted as for everybody, and never refused
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        **({"BENCH_APPLICATION": f"benchmarks.lib.ours.{application}.application"} if application else {}),
        **env,
    }
    command = [sys.executable, "manage.py", "serve", "--port", str(port), "--server", server]
    return Ours(name, command, port=port, folder=folder, env=environment(**values), accepts="/healthz")


def has_starlette() -> bool:
    return importlib.util.find_spec("starlette") is not None


def starlette_ingest(folder: Path, name: str, **way: str) -> Server:
    """way: PEER_DECODE, PEER_CODEC, PEER_FSYNC, see peers/work.py."""
    return _peer(folder, name, "starlette_ingest", **way)


def starlette_live(folder: Path) -> Server:
    return _peer(folder, "starlette", "starlette_live")


def _peer(folder: Path, name: str, module: str, **env: str) -> Server:
    port = free_port()
    data = folder / name
    data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.lib.peers.uvicorn_peer", module, str(port)]
    peer = Server(name, command, port=port, folder=folder, env=environment(DATA_DIR=str(data), **env))
    peer.token = PEER_TOKEN
    return peer


def drf(folder: Path, *, server: str = "daphne", is_lean: bool = False, **env: str) -> Server:
    """A Django REST site under daphne or uvicorn: plain or lean, see peers/drf.py."""
    name = f"drf-lean-{server}" if is_lean else f"drf-{server}"
    env = {**env, "PEER_LEAN": "1"} if is_lean else env
    if server == "uvicorn":
        return _peer(folder, name, "drf", **env)
    port = free_port()
    data = folder / name
    data.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0",
        "--access-log", "/dev/null", "benchmarks.lib.peers.drf:application",
    ]  # fmt: skip
    peer = Server(name, command, port=port, folder=folder, env=environment(DATA_DIR=str(data), **env))
    peer.token = PEER_TOKEN
    return peer


def websockets_broadcast(folder: Path) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.lib.peers.websockets_live", str(port)]
    return Server("websockets", command, port=port, folder=folder)


def nginx_nchan(folder: Path) -> Server | None:
    """None when nginx or nchan is not installed."""
    if nchan.find_module() is None:
        return None
    port = free_port()
    configuration = nchan.write_configuration(folder / "nchan", port)
    command = [nchan.find_nginx(), "-c", str(configuration)]
    return Server("nchan", command, port=port, folder=folder, accepts="/ready")


def redis(folder: Path) -> Server | None:
    """A Redis of its own that keeps nothing; None when redis-server is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        return None
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server("redis", [*command, "--dir", str(folder)], port=port, folder=folder)
