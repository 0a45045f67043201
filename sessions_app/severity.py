"""How severe a journal entry is: what it says itself, else what its kind is."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Func, TextField

SEVERITY_WORDS = ("info", "warning", "error")
# The index severe_events_newest holds these words: a change needs a migration that makes it anew.
SEVERITIES = {
    "camera_late": "warning",
    "camera_lost": "error",
    "stale": "error",
    "server_restarted": "warning",
    "image_deleted": "warning",
    "late_image_added": "warning",
}


def severity_of(kind: str, detail: dict[str, Any]) -> str:
    """One of SEVERITY_WORDS."""
    return detail.get("severity") or SEVERITIES.get(kind, "info")


class Severity(Func):
    """What `severity_of` says, in SQL, of the columns kind and detail.

    Without parameters: a database that plans before it sees them would not know it for what an index has.
    """

    arity, output_field = 2, TextField()
    template = "COALESCE(%(told)s, CASE %(kind)s %(kinds)s ELSE 'info' END)"

    def as_sqlite(self, compiler, connection):
        return self._literal(compiler, "JSON_EXTRACT({}, '$.severity')")

    def as_postgresql(self, compiler, connection):
        return self._literal(compiler, "({} ->> 'severity')")

    def _literal(self, compiler, told: str):
        kind, detail = (compiler.compile(column)[0] for column in self.get_source_expressions())
        kinds = " ".join(f"WHEN '{name}' THEN '{word}'" for name, word in sorted(SEVERITIES.items()))
        return self.template % {"told": told.format(detail), "kind": kind, "kinds": kinds}, []


class IsSevere(Severity):
    """Not just for information: the condition of the index of such entries."""

    output_field = BooleanField()
    template = f"{Severity.template} <> 'info'"
