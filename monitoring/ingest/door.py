"""Who may post pictures to which monitor: asked of the database, remembered for a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

from devices.services import device_of, note_seen
from monitoring.models import Monitor
from sessions_app.states import ACCEPTING
from sessionsite.accounts.callers import caller_of_token, digest_of
from sessionsite.common.access import Caller
from sessionsite.common.api.errors import DEFAULT_TEXTS
from sessionsite.common.api.permissions import lacks
from sessionsite.common.errors import Missing, NotAuthenticated
from sessionsite.common.threads import read_in_thread

REMEMBERED_S = 1.0
REMEMBERED_MAX = 10_000


@dataclass(frozen=True)
class Entry:
    """caller may post to monitor. is_running: something took pictures when it was asked, at most 1 s ago."""

    caller: Caller
    monitor: Monitor
    is_running: bool
    until: float


class Door:
    """Entries by (digest of the token, slug); refusals are not remembered."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}

    async def enter(self, secret: str, slug: str) -> Entry:
        """Raises NotAuthenticated, NotAllowed, Missing."""
        key = digest_of(secret), slug
        entry = self._entries.get(key)
        if entry is None or entry.until < time.monotonic():
            entry = await read_in_thread(_ask, secret, slug)
            if len(self._entries) >= REMEMBERED_MAX:
                self._entries.clear()
            self._entries[key] = entry
        return entry


def _ask(secret: str, slug: str) -> Entry:
    until = time.monotonic() + REMEMBERED_S
    caller = caller_of_token(secret)
    if caller is None:
        raise NotAuthenticated("This token is unknown, expired or revoked.")
    monitors = Monitor.objects.present().select_related("organisation", "dataset", "current_session")
    monitor = monitors.filter(slug=slug).visible_to(caller).first()
    if monitor is None:
        raise Missing(DEFAULT_TEXTS[404])
    if not caller.may("ingest", monitor.organisation_id):
        raise lacks("ingest")
    if device := device_of(caller):
        note_seen(device)
    session = monitor.current_session
    return Entry(caller, monitor, session is not None and session.state in ACCEPTING, until)
