"""The backend: every outermost transaction (all of them IMMEDIATE) passes this process's gate.

Its cursors put a statement into SQLite's words once, not at every call.
"""

from functools import lru_cache

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from sessionsite.common.sqlite.gate import Gate, gate_of

LONG_STATEMENT = 8000  # characters, more than a batch of pictures takes; longer ones are seldom, and not kept


@lru_cache(maxsize=512)
def _with_question_marks(statement: str) -> str:
    return base.FORMAT_QMARK_REGEX.sub("?", statement).replace("%%", "%")


class Cursor(base.SQLiteCursorWrapper):
    """Looks for the `%s` of a statement once; Django's looks at every call, a tenth of a commit's time."""

    def convert_query(self, query, *, param_names=None):
        if param_names is None and len(query) < LONG_STATEMENT:
            return _with_question_marks(query)
        return super().convert_query(query, param_names=param_names)


class DatabaseWrapper(base.DatabaseWrapper):
    """Holds the gate from BEGIN to COMMIT or ROLLBACK."""

    _held_gate: Gate | None = None

    def create_cursor(self, name=None):
        return self.connection.cursor(factory=Cursor)

    def _start_transaction_under_autocommit(self) -> None:
        gate = gate_of(str(self.settings_dict["NAME"]))
        timeout_s = self.settings_dict["OPTIONS"].get("timeout", 5.0)
        if not gate.acquire(timeout_s):
            raise OperationalError("database is locked: another transaction of this process does not end")
        self._held_gate = gate
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            self._open_gate()
            raise

    def _commit(self):
        try:
            return super()._commit()
        finally:
            self._open_gate_unless_in_transaction()

    def _rollback(self):
        try:
            return super()._rollback()
        finally:
            self._open_gate()

    def _close(self):
        try:
            return super()._close()
        finally:
            self._open_gate()

    def _open_gate_unless_in_transaction(self) -> None:
        """A COMMIT that failed as busy leaves the transaction open: its rollback follows."""
        if self.connection is None or not self.connection.in_transaction:
            self._open_gate()

    def _open_gate(self) -> None:
        if self._held_gate is not None:
            gate, self._held_gate = self._held_gate, None
            gate.release()
