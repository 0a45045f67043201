"""What threads do with no HTTP around them: `--work bare`, the peers' functions, or `verb`, our own verb.

bare: two threads decode and write files, one writer commits what has queued, as a server at its best would.
bare-fsync: the same with every file, folder and commit synced; eight threads, so that somebody decodes while
others wait for the disk. verb: two threads call `add_images` with small batches in this process.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

THREADS = {"bare": 2, "bare-fsync": 8, "verb": 2}
UNCOMMITTED = 16  # pictures on their way at once, as many clients would have
VERB_BATCH = 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", choices=tuple(THREADS), required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm", type=float, default=0.5)
    options = parser.parse_args()
    bodies = [body_of(path) for path in sorted(options.pictures.glob("*.jpg"))]
    work = Verb(bodies) if options.work == "verb" else Bare(bodies, fsync=options.work == "bare-fsync")
    threads = THREADS[options.work]
    print(json.dumps(measured(work.step, work.finish, threads, options.warm, options.seconds)))


def body_of(path: Path) -> tuple[bytes, bytes]:
    """The base64 JSON body in two halves; the date comes between them."""
    after = f', "name": "{path.name}", "tag": "OK"}}, "image": "'.encode()
    return b'{"image_data": {"date": ', after + base64.b64encode(path.read_bytes()) + b'"}'


def measured(
    step: Callable[[int], int], finish: Callable[[], None], count: int, warm_s: float, seconds: float
) -> dict:
    """step(number) does some work and returns how many pictures that were; `count` threads call it."""
    over = threading.Event()
    done = [0] * count
    failures: list[BaseException] = []

    def run(thread: int) -> None:
        number = thread
        try:
            while not over.is_set():
                done[thread] += step(number)
                number += count
        except BaseException as error:
            failures.append(error)
            over.set()

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    over.wait(warm_s)
    began, cpu, before = time.monotonic(), time.process_time(), sum(done)
    over.wait(seconds)
    seconds, cpu, accepted = time.monotonic() - began, time.process_time() - cpu, sum(done) - before
    over.set()
    for thread in threads:
        thread.join()
    finish()
    if failures:
        raise failures[0]
    return {
        "seconds": round(seconds, 3),
        "accepted": accepted,
        "accepted_per_s": accepted / seconds,
        "server_cpu_ms_each": 1000 * cpu / accepted if accepted else None,
        "server_cpu_percent": 100 * cpu / seconds,
    }


class Bare:
    """The peers' work with scaled decoding and the fast codecs."""

    def __init__(self, bodies: list[tuple[bytes, bytes]], *, fsync: bool) -> None:
        from benchmarks.lib.peers.work import TOKEN, Store, Way

        self._bodies, self._header = bodies, f"Bearer {TOKEN}"
        self._store = Store(Path(os.environ["DATA_DIR"]), Way("scaled", "fast", fsync))
        self._date_ms = int(time.time() * 1000)
        self._rows: queue.SimpleQueue = queue.SimpleQueue()
        self._room = threading.Semaphore(UNCOMMITTED)
        self._writer = threading.Thread(target=self._write)
        self._writer.start()

    def step(self, number: int) -> int:
        from benchmarks.lib.peers.work import parse

        before, after = self._bodies[number % len(self._bodies)]
        self._store.check_token(self._header)
        data, about = parse(before + b"%d" % (self._date_ms + number) + after, self._store.way)
        self._room.acquire()
        self._rows.put(self._store.keep_files(data, about))
        return 1

    def _write(self) -> None:
        while (row := self._rows.get()) is not None:
            rows = [row]
            while not self._rows.empty() and (row := self._rows.get()) is not None:
                rows.append(row)
            self._store.commit(rows)
            self._room.release(len(rows))
            if row is None:
                return

    def finish(self) -> None:
        self._rows.put(None)
        self._writer.join()


class Verb:
    """Our own verb; the body is taken apart with the product's own decoder."""

    def __init__(self, bodies: list[tuple[bytes, bytes]]) -> None:
        import django

        django.setup(set_prefix=False)
        from monitoring.models import Monitor
        from monitoring.services import create_monitor, start_monitor
        from sessionsite.accounts.models import Organisation
        from sessionsite.startup import prepare

        prepare()
        organisation = Organisation.objects.get(slug="default")
        start_monitor(create_monitor(organisation, slug="ceiling", by="benchmark"), by="benchmark")
        self._monitor = Monitor.objects.select_related("organisation", "dataset").get(slug="ceiling")
        self._bodies = bodies
        self._date_ms = int(time.time() * 1000) - 600_000

    def step(self, number: int) -> int:
        from monitoring.services import add_images
        from sessionsite.common.errors import DomainError

        results = add_images([self._new(number * VERB_BATCH + offset) for offset in range(VERB_BATCH)])
        for result in results:
            if isinstance(result, DomainError):
                raise result
        return VERB_BATCH

    def _new(self, number: int):
        from datetime import UTC, datetime

        import orjson

        from monitoring.imaging import decode_base64
        from monitoring.services import NewImage

        before, after = self._bodies[number % len(self._bodies)]
        content = orjson.loads(before + b"%d" % (self._date_ms + number) + after)
        about = content["image_data"]
        return NewImage(
            data=decode_base64(content["image"]),
            monitor=self._monitor,
            name=about["name"],
            label=about["tag"],
            taken_at=datetime.fromtimestamp(about["date"] / 1000, UTC),
        )

    def finish(self) -> None:
        """Every batch was committed when its call returned."""


if __name__ == "__main__":
    main()
