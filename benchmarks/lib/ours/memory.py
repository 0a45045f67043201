"""What the server holds in memory: tells a leak of a few bytes per event from caches that fill once."""

from __future__ import annotations

import _sqlite3
import ctypes
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path

from benchmarks.lib.machine import private_bytes

FILE, EVERY_S = "BENCH_MEMORY", "BENCH_MEMORY_EVERY_S"


class MallInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`, summed over all arenas."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
            "keepcost",
        )
    ]  # fmt: skip


def tell_memory() -> None:
    """The file that BENCH_MEMORY names holds the newest figures; without it nothing is done."""
    if FILE in os.environ:
        path, every_s = Path(os.environ[FILE]), float(os.environ[EVERY_S])
        threading.Thread(target=_tell, args=(path, every_s), daemon=True).start()


def _tell(path: Path, every_s: float) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    while True:
        gc.collect()  # what waits for the collector is no leak
        unfinished.write_text(json.dumps(held()))
        unfinished.replace(path)
        time.sleep(every_s)


def held() -> dict[str, float]:
    """Objects of up to 512 bytes by number; larger ones are malloc's, and so is what SQLite has cached.

    malloc_bytes: in use. free_bytes: what malloc keeps for the next request. own_bytes: anonymous pages.
    """
    info = _mallinfo2()
    return {
        "at": time.time(),
        "objects": sys.getallocatedblocks(),
        "malloc_bytes": info.uordblks + info.hblkhd,
        "free_bytes": info.fordblks,
        "sqlite_bytes": _sqlite_memory_used(),
        "own_bytes": private_bytes(os.getpid()),
    }


_mallinfo2 = ctypes.CDLL(None).mallinfo2
_mallinfo2.restype = MallInfo
_sqlite_memory_used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used  # of all connections
_sqlite_memory_used.restype = ctypes.c_int64
