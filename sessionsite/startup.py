"""What must be true before this process works: the schema is there, somebody can log in."""

from __future__ import annotations

import fcntl
import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from monitoring.services.recovery import recover
from sessionsite.accounts.services import bootstrap
from sessionsite.backup.swap import be_at_work
from sessionsite.common.errors import DomainError

logger = logging.getLogger(__name__)

DATABASE_WITHIN_S = 60.0
LOCK_ID = 7_305_117  # of PostgreSQL's advisory lock: any number that is always the same


def prepare() -> str | None:
    """The schema is up to date, a first user exists, what dead processes left is put right.

    Safe in several processes at once. No restore begins on this data folder while this process lives.

    Returns the password when the first user was made just now. Raises CommandError when the database does
    not answer, or a restore is at work.
    """
    try:
        be_at_work()
    except DomainError as error:
        raise CommandError(str(error)) from error
    with _alone():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
        password = bootstrap(settings.DATA_DIR)
        recover()
        return password


def keep_for_good() -> None:
    """The garbage collector never looks again at what there is now; called when all is imported.

    A full collection stops every thread. Over the 176,000 objects of a process that has only started it takes
    0.1 s, in which no state leaves; over what 500 readers add to them, 0.02 s.
    """
    gc.collect()
    gc.freeze()


def _wait_for_database() -> None:
    """A database server may start later than this process: ask again with a growing pause, up to a minute."""
    pause_s, end = 0.5, time.monotonic() + DATABASE_WITHIN_S
    while True:
        try:
            connection.ensure_connection()
            return
        except OperationalError as exc:
            if time.monotonic() + pause_s > end or connection.vendor == "sqlite":
                raise CommandError(f"The database does not answer: {exc}") from exc
            logger.warning("the database does not answer yet: %s", exc)
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 8.0)


@contextmanager
def _alone() -> Iterator[None]:
    """One process of this data folder, and of this database, which answers, is inside at a time."""
    with open(settings.DATA_DIR / ".start.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Not before: SQLite refuses at once, without its timeout, the second of two that make a file WAL.
        _wait_for_database()
        if connection.vendor != "postgresql":
            yield
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK_ID])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK_ID])
