"""Who may post pictures to which monitor."""

from __future__ import annotations

from dataclasses import dataclass

from devices.services import device_of, note_seen
from monitoring.models import Monitor
from sessions_app.states import ACCEPTING
from sessionsite.accounts.callers import caller_of_token
from sessionsite.common.access import Caller
from sessionsite.common.api.errors import DEFAULT_TEXTS
from sessionsite.common.api.permissions import lacks
from sessionsite.common.errors import Missing, NotAuthenticated


@dataclass(frozen=True)
class Entry:
    """`caller` may post to `monitor`. is_running: something took pictures at the moment of the question."""

    caller: Caller
    monitor: Monitor
    is_running: bool


def enter(secret: str, slug: str) -> Entry:
    """The entry for this token and monitor. Raises NotAuthenticated, NotAllowed, Missing."""
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
    return Entry(caller, monitor, session is not None and session.state in ACCEPTING)
