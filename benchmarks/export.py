"""The export of a large dataset: when it begins, how long it takes, what it costs in memory.

    python -m benchmarks.export [--quick] [--formats coco,yolo] [--database URL]

100,000 pictures with 500,000 boxes without the files of the pictures, downloaded from a real server whose
memory is read all the while. A small export goes before, so that only what grows with size is counted.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.lib.machine import memory_bytes
from benchmarks.lib.options import FULL, defaults, parser, work_folder
from benchmarks.lib.processes import run_module
from benchmarks.lib.results import Results, say
from benchmarks.lib.servers import Ours, ours

FORMATS = ["coco", "yolo", "voc", "csv", "label_studio", "cvat"]
FILL_WITHIN_S = 600.0
PIECE_BYTES = 256 * 1024
MIB = 1024 * 1024
GROWTH_MIB, BEGIN_S = 64, 2.0  # what must hold of COCO


@dataclass(frozen=True)
class Found:
    """begin_s: until the first byte of the archive; growth_mib: the most memory over that before."""

    begin_s: float
    took_s: float
    size_mib: float
    growth_mib: float


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with work_folder(options) as folder:
        results = Results("export", "Export of a large dataset", options, folder)
        server = ours(folder, **({"DATABASE_URL": options.database} if options.database else {})).prepare([])
        filled = fill(server, options.pictures, options.boxes)
        table = results.table(
            f"{options.pictures:,} pictures, {options.boxes:,} boxes", "format", "begins, s", "takes, s",
            "size, MiB", "memory, MiB more",
        )  # fmt: skip
        with server:
            download(server, filled["dataset"], "csv", "&before=2000-01-02T00:00:00Z")
            for format in options.formats:
                found = download(server, filled["dataset"], format)
                results.raw[format] = vars(found)
                table.rows.append((format, found.begin_s, found.took_s, found.size_mib, found.growth_mib))
        if coco := results.raw.get("coco"):
            results.target("COCO begins within", "<=", BEGIN_S, coco["begin_s"], "s")
            results.target("COCO: memory of the server", "<=", GROWTH_MIB, coco["growth_mib"], "MiB")
    return 1 if results.write() and options.size == FULL else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--formats", type=lambda text: text.split(","), default=FORMATS)
    made.add_argument("--database", default="", help="URL of an empty PostgreSQL database; else SQLite")
    made.add_argument("--pictures", type=int)
    made.add_argument("--boxes", type=int)
    return defaults(
        made.parse_args(arguments), pictures=(100_000, 20_000, 200), boxes=(500_000, 100_000, 1000)
    )


def fill(server: Ours, pictures: int, boxes: int) -> dict:
    filled = run_module(
        "benchmarks.lib.ours.boxed", "--pictures", str(pictures), "--boxes", str(boxes),
        env=server.env, timeout_s=FILL_WITHIN_S,
    )  # fmt: skip
    say(f"  {pictures} pictures, {boxes} boxes in {filled['took_s']} s")
    return filled


def download(server: Ours, dataset: str, format: str, query: str = "", keep=lambda piece: None) -> Found:
    """One export, thrown away unless `keep` takes its pieces."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    path = f"/api/v1/datasets/{dataset}/export/?format={format}&pictures=false{query}"
    with _watched(server.pid) as memory:
        began, size_bytes = time.monotonic(), 0
        connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}")
        begin_s = None
        while piece := answer.read1(PIECE_BYTES):
            begin_s = begin_s or time.monotonic() - began
            size_bytes += len(piece)
            keep(piece)
        took_s = time.monotonic() - began
    connection.close()
    return Found(begin_s or took_s, took_s, size_bytes / MIB, (max(memory) - memory[0]) / MIB)


@contextmanager
def _watched(pid: int):
    """The memory of the process, read every 20 ms while the block runs, and once before."""
    seen, over = [memory_bytes(pid)], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(memory_bytes(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
