"""Names for the audit trail of what is no row: files and folders."""

from __future__ import annotations

from types import SimpleNamespace

KEY_MAX = 100  # of AuditEntry.object_key


class OnDisk:
    """Something below the data folder, as the object of an audit row. kind: file, quarantine, backup, …"""

    pk = None

    def __init__(self, kind: str, key: str) -> None:
        self.key = key[-KEY_MAX:]
        self._meta = SimpleNamespace(model_name=kind)
