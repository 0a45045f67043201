"""What the machine is and how busy it was: figures mean little without it."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NAMED_PACKAGES = ("Django", "djangorestframework", "uvicorn", "daphne", "starlette", "websockets", "Pillow")


def cpu_seconds(pid: int) -> float:
    """User and system time that the process and its threads have used. Raises FileNotFoundError."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_bytes(pid: int) -> int:
    """The process's proportional share of resident memory."""
    return _rollup(pid, "Pss:")


def private_bytes(pid: int) -> int:
    """The process's own resident memory, without files: what other processes do changes nothing in it."""
    return _rollup(pid, "Anonymous:")


def _rollup(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/{pid}/smaps_rollup has no line {name}")


@dataclass(frozen=True)
class Moment:
    """Ticks of all cores since boot, and the load average over one minute."""

    load: float
    total: int
    idle: int
    steal: int

    @classmethod
    def now(cls) -> Moment:
        ticks = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return cls(os.getloadavg()[0], sum(ticks), ticks[3] + ticks[4], ticks[7])


def busy_between(before: Moment, after: Moment) -> dict[str, float]:
    """How loaded the machine was meanwhile, this benchmark included; percent of all cores."""
    total = max(after.total - before.total, 1)
    return {
        "load_before": round(before.load, 2),
        "load_after": round(after.load, 2),
        "busy_percent": round(100 * (1 - (after.idle - before.idle) / total), 1),
        "steal_percent": round(100 * (after.steal - before.steal) / total, 2),
    }


def describe(folder: Path) -> dict[str, str | int]:
    """The machine in a few words. folder: where the benchmark keeps its data."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "file_system": _file_system(folder),
        "packages": ", ".join(f"{name} {_version(name)}" for name in NAMED_PACKAGES),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def _file_system(folder: Path) -> str:
    command = ["stat", "-f", "-c", "%T", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
