"""The options that every program has, and the folder it works in."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results"
FULL, QUICK, TINY = "full", "quick", "tiny"


def parser(description: str | None) -> argparse.ArgumentParser:
    """With --quick, --tiny, --seconds, --rounds, --results and --keep."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = made.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const=QUICK, default=FULL,
                      help="fewer cases and short windows: an indication, no proof")  # fmt: skip
    size.add_argument("--tiny", dest="size", action="store_const", const=TINY,
                      help="the smallest run that touches everything; its figures mean nothing")  # fmt: skip
    made.add_argument("--seconds", type=float, help="length of one measured window")
    made.add_argument("--rounds", type=int, help="how often each case is measured, in turn with the others")
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON, table and chart")
    made.add_argument("--dir", type=Path, help="where data folders are made; the disk decides about fsync")
    made.add_argument("--keep", action="store_true", help="leave the data folder with its logs")
    return made


def defaults(options: argparse.Namespace, **by_size: tuple) -> argparse.Namespace:
    """Options that were not given get the value of their size: name=(full, quick, tiny)."""
    index = (FULL, QUICK, TINY).index(options.size)
    for name, values in by_size.items():
        if getattr(options, name, None) is None:
            setattr(options, name, values[index])
    return options


@contextlib.contextmanager
def work_folder(options: argparse.Namespace) -> Iterator[Path]:
    """An empty folder that is gone afterwards, unless --keep."""
    base = options.dir or os.environ.get("BENCH_DIR")
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=base))
    folder.chmod(0o711)  # a database server that runs as another user has its folder in here
    try:
        yield folder
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
