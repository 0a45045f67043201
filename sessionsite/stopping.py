"""How this process ends: readers are told first, requests get their time, and 10 s later it is over."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection, connections

from monitoring.nina import consumers as rig_sockets
from sessionsite.common import hub
from sessionsite.common.files import close_leases

logger = logging.getLogger(__name__)

DRAIN_S = 6.0  # for requests in flight
SOCKETS_S = 1.0  # for the closing handshake of sockets
OVER_AFTER_S = 9.5
STEP_S = 0.02
JOURNAL_MS = 1000
GOING_AWAY = 4012  # close code: the server goes away, reconnect

_watchdog: threading.Timer | None = None


async def dismiss_readers() -> None:
    """Every live reader of this process is told to reconnect (4012); new ones are refused."""
    try:
        await hub.shutdown()
        await rig_sockets.shutdown()
    except Exception:
        logger.exception("the live readers could not be told that the server stops")


async def until(is_true: Callable[[], bool], within_s: float) -> bool:
    """Waits for a condition that nothing announces; False when it did not come true in time."""
    end = asyncio.get_running_loop().time() + within_s
    while not is_true():
        if asyncio.get_running_loop().time() >= end:
            return False
        await asyncio.sleep(STEP_S)
    return True


def end_in_any_case() -> None:
    """From now on this process has OVER_AFTER_S seconds; then it ends with code 1, whatever still runs."""
    global _watchdog
    if _watchdog is None:
        _watchdog = threading.Timer(OVER_AFTER_S, _end_hard)
        _watchdog.daemon = True
        _watchdog.start()


def _end_hard() -> None:
    logger.error("something did not end within %g s after the stop signal; ending without it", OVER_AFTER_S)
    logging.shutdown()
    os._exit(1)


@contextmanager
def stop_signals_end_us() -> Iterator[None]:
    """A stop signal that the server does not handle itself ends this command in good order, with code 0."""
    before = {sig: signal.signal(sig, _end) for sig in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except SystemExit as exc:
        if exc.code:
            raise
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _end(signum, frame) -> None:
    raise SystemExit(0)


def fold_journal() -> None:
    """SQLite's write-ahead journal is in the database file, so that the file alone can be copied.

    Connections of other threads are still open; SQLite does this by itself only when the last one closes.
    """
    if connection.vendor != "sqlite":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout={JOURNAL_MS}")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except DatabaseError:  # nothing is lost: it is read again at the next start
        logger.warning("the journal of the database could not be folded", exc_info=True)


def end_process() -> None:
    """End with code 0 without tearing the interpreter down: everything is closed, threads may still wait.

    CPython 3.11 was seen to crash in that last step after daphne had served event streams.
    """
    fold_journal()
    connections.close_all()
    with suppress(OSError):  # the next start would put it right
        close_leases()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
