"""Verbs of sessions."""

from sessions_app.services.annotation import start_annotation
from sessions_app.services.frames import add_frames
from sessions_app.services.journal import append
from sessions_app.services.lifecycle import (
    IllegalMove,
    MonitorBusy,
    end_session,
    interrupt,
    lock,
    move,
    open_session,
    start_recording,
    stop_recording,
)
from sessions_app.services.markers import NewMarker, mark, mark_all
from sessions_app.services.membership import attach_device, detach_device
from sessions_app.services.notes import NotesMismatch, set_name_notes, set_notes
from sessions_app.services.pins import pin_session

__all__ = [
    "IllegalMove",
    "MonitorBusy",
    "NewMarker",
    "NotesMismatch",
    "add_frames",
    "append",
    "attach_device",
    "detach_device",
    "end_session",
    "interrupt",
    "lock",
    "mark",
    "mark_all",
    "move",
    "open_session",
    "pin_session",
    "set_name_notes",
    "set_notes",
    "start_annotation",
    "start_recording",
    "stop_recording",
]
