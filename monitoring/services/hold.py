"""While a backup is made nothing is removed for good: what its rows name must still be there for it to copy.

The hold is a lease that its process renews; when that process dies, the hold ends by itself. Who removes
pictures asks under a lock of the lease's row, in the transaction of the removal. So a removal either commits
before the backup looks at the rows, or is refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from sessions_app.leases import drop_lease, hold_lease
from sessions_app.models import Lease
from sessionsite.common.errors import Busy, Conflict

logger = logging.getLogger(__name__)

NAME = "hold:removal"
TTL_S, RENEW_S = 60.0, 10.0
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class BackupRunning(Conflict):
    """Another backup is being made."""

    code = "backup_running"


class RemovalHeld(Busy):
    """Nothing can be removed for good while a backup is made."""

    code = "removal_held"


@contextmanager
def nothing_is_removed() -> Iterator[None]:
    """No picture is removed for good inside. Raises BackupRunning when somebody else holds this already."""
    if hold_lease(NAME, TTL_S) is None:
        raise BackupRunning("A backup is being made already; one at a time.")
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(ended,), name="hold", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        drop_lease(NAME)


def _renew(ended: threading.Event) -> None:
    try:
        while not ended.wait(RENEW_S):
            try:
                hold_lease(NAME, TTL_S)
            except DatabaseError:
                logger.warning("the hold of removals could not be renewed", exc_info=True)
    finally:
        connection.close()


def is_held() -> bool:
    """Whether a backup is being made now."""
    return Lease.objects.filter(name=NAME, expires_at__gt=timezone.now()).exists()


def check_not_held() -> None:
    """Nobody begins to hold before the caller's transaction ends. Raises RemovalHeld."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("ask in the transaction of the removal")
    Lease.objects.get_or_create(name=NAME, defaults={"holder": "", "expires_at": LONG_AGO})
    lease = Lease.objects.select_for_update().get(name=NAME)
    if lease.expires_at > timezone.now():
        raise RemovalHeld("A backup is being made; nothing is removed until it is done.", retry_after_s=60)
