"""Verbs of sessions."""

from sessions_app.services.journal import append, mark
from sessions_app.services.lifecycle import (
    IllegalMove,
    MonitorBusy,
    end_session,
    interrupt,
    move,
    open_session,
    set_name_notes,
    start_recording,
    stop_recording,
)

__all__ = [
    "IllegalMove",
    "MonitorBusy",
    "append",
    "end_session",
    "interrupt",
    "mark",
    "move",
    "open_session",
    "set_name_notes",
    "start_recording",
    "stop_recording",
]
