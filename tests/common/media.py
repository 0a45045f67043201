"""What lies in a media folder, and processes that die while they work on it."""

import os
from collections.abc import Callable
from pathlib import Path


def kept_files(media: Path) -> set[str]:
    return {
        str(file.relative_to(media))
        for file in media.rglob("*")
        if file.is_file() and file.relative_to(media).parts[0] != "inflight"
    }


def leftovers(media: Path) -> set[str]:
    return {file.name for file in (media / "inflight").rglob("*") if file.is_file()} - {"lock", "leases.lock"}


def dead_process(work: Callable[[], None]) -> None:
    """`work` has run in a process that was then killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os.kill(os.getpid(), 9)
        finally:
            os._exit(1)  # `work` failed: no second test run in the child
    assert os.waitpid(child, 0)[1] == 9
