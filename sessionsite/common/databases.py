"""What an error of the database means to the one who asked."""

from __future__ import annotations

import sqlite3

from django.db import InterfaceError, OperationalError

from sessionsite.common.errors import Busy, DomainError, NoRoom

UNAVAILABLE = (OperationalError, InterfaceError)  # of the database as a whole, not of a row
_NO_ROOM_SQLSTATE = "53100"  # disk_full of PostgreSQL
# A full disk where the log is written, and where its index in shared memory must grow.
_NO_ROOM_SQLITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}


def is_out_of_room(error: Exception) -> bool:
    """The database could not write because its disk is full."""
    cause = error.__cause__
    return (
        getattr(cause, "sqlite_errorcode", None) in _NO_ROOM_SQLITE
        or getattr(cause, "sqlstate", None) == _NO_ROOM_SQLSTATE
    )


def unavailable(error: Exception) -> DomainError:
    """The refusal for one of UNAVAILABLE: no room, or come again."""
    if is_out_of_room(error):
        return NoRoom("The disk of the database is full; free some space and send again.")
    return Busy("The database does not answer; send again.", retry_after_s=1)
