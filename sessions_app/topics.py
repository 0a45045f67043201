"""session:<key>: the state of one session and its journal, entry by entry."""

from __future__ import annotations

from collections.abc import Iterable

from sessions_app.messages import ENTRY_COLUMNS, entry_json, session_json
from sessions_app.models import Session, SessionEvent
from sessions_app.states import TERMINAL
from sessionsite.common.access import Caller
from sessionsite.common.live import Snapshot, Topic


class SessionTopic(Topic):
    prefix = "session"
    has_events = True

    def authorise(self, caller: Caller, name: str) -> bool:
        return Session.objects.visible_to(caller).filter(key=name).exists()

    def snapshot(self, name: str) -> Snapshot | None:
        session = Session.objects.for_messages().filter(key=name).first()
        if session is None:
            return None
        return Snapshot(session.revision, session.last_seq, session_json(session), session.state in TERMINAL)

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        rows = Session.objects.filter(key__in=list(names)).values_list("key", "revision", "last_seq")
        return {key: (revision, seq) for key, revision, seq in rows}

    def events(self, name: str, after: int, limit: int) -> list[tuple[int, dict]]:
        entries = SessionEvent.objects.filter(session__key=name, seq__gt=after).order_by("seq")
        rows = entries.values_list("seq", *ENTRY_COLUMNS)
        return [(seq, entry_json(*entry)) for seq, *entry in rows[:limit]]

    def gap_address(self, name: str, after: int) -> str:
        return f"/api/v1/sessions/{name}/events/?after={after}"
