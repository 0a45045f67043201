"""A listener that has been silent for a while, without waiting for it: written into the running database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from sessionsite.common import clock


def last_heard(data_dir: Path, ago_s: float) -> None:
    """The one rig gave its last sign of life so long ago, and its readers are shown that."""
    heard_at = clock.iso(clock.now() - timedelta(seconds=ago_s))
    with closing(sqlite3.connect(data_dir / "db.sqlite3", timeout=20, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        ((key, link),) = database.execute("SELECT id, link FROM monitoring_rig").fetchall()
        changed = json.dumps({**json.loads(link), "heard_at": heard_at})
        database.execute(
            "UPDATE monitoring_rig SET link = ?, revision = revision + 1 WHERE id = ?", (changed, key)
        )
        database.execute("COMMIT")
