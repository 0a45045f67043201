"""Verbs of sessions."""

from sessions_app.services.annotation import start_annotation
from sessions_app.services.frames import add_frames
from sessions_app.services.journal import append, mark
from sessions_app.services.lifecycle import (
    IllegalMove,
    MonitorBusy,
    end_session,
    interrupt,
    lock,
    move,
    open_session,
    set_name_notes,
    start_recording,
    stop_recording,
)
from sessions_app.services.membership import attach_device, detach_device

__all__ = [
    "IllegalMove",
    "MonitorBusy",
    "add_frames",
    "append",
    "attach_device",
    "detach_device",
    "end_session",
    "interrupt",
    "lock",
    "mark",
    "move",
    "open_session",
    "set_name_notes",
    "start_annotation",
    "start_recording",
    "stop_recording",
]
