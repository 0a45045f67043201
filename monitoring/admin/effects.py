"""What a verb would do to a monitor or a session, in words: (whether anything happens, the sentence)."""

from __future__ import annotations

from django.template.defaultfilters import pluralize
from django.utils import timezone

from monitoring.models import Monitor
from sessions_app.models import Session
from sessions_app.states import OPEN, SHOWN, State
from sessionsite.accounts.admin_parts import duration, span

AFTER_END = "Capture for training is switched off and the controller is asked to stop."


def running_session(monitor: Monitor) -> Session | None:
    """The open session that the monitor shows; needs current_session selected."""
    session = monitor.current_session
    return session if session and session.state in OPEN else None


def summary(session: Session) -> str:
    """ "se_… (0:44:02, 45 pictures, the last 3 h ago)"."""
    last = ""
    if session.last_item_at:
        last = f", the last {span(timezone.now() - session.last_item_at)} ago"
    ran = duration(session.started_at, session.stopped_at)
    pictures = f"{session.total_counter:,} picture{pluralize(session.total_counter)}"
    return f"{session.key} ({ran}, {pictures}{last})"


def starting(monitor: Monitor) -> tuple[bool, str]:
    if monitor.archived_at:
        return False, "It is archived; restore it first."
    if session := running_session(monitor):
        return False, f"It runs already: {summary(session)}."
    return True, "A session begins with its counter at zero; the controller is asked to capture."


def stopping(monitor: Monitor) -> tuple[bool, str]:
    session = running_session(monitor)
    return ending(session) if session else (False, "It is stopped already.")


def closing(monitor: Monitor) -> tuple[bool, str]:
    session = running_session(monitor)
    return interrupting(session) if session else (False, "It is stopped already.")


def resetting(monitor: Monitor) -> tuple[bool, str]:
    session = running_session(monitor)
    return going_on(session) if session else (False, "Nothing runs on it.")


def archiving(monitor: Monitor) -> tuple[bool, str]:
    if monitor.archived_at:
        return False, "It is archived already."
    if session := running_session(monitor):
        return False, f"Stop it first: {summary(session)} is open."
    return True, "It leaves the wall; its sessions and pictures stay, and it takes no new ones."


def restoring(monitor: Monitor) -> tuple[bool, str]:
    if monitor.archived_at is None:
        return False, "It is not archived."
    return True, "It is on the wall again, stopped."


def ending(session: Session) -> tuple[bool, str]:
    if session.state not in OPEN:
        return False, f"It is {_word(session)} already."
    how = " as interrupted" if session.state in (State.CREATED, State.ERROR) else ""
    recording = " Its recording is stopped first." if session.state == State.RECORDING else ""
    return True, f"{summary(session)} ends{how}.{recording}{_after(session)}"


def interrupting(session: Session) -> tuple[bool, str]:
    if session.state not in OPEN:
        return False, f"It is {_word(session)} already."
    return True, f"{summary(session)} is closed as interrupted; its pictures stay.{_after(session)}"


def going_on(session: Session) -> tuple[bool, str]:
    if session.state != State.ERROR:
        return False, f"It is {_word(session)}, not in error."
    return True, f"{summary(session)} goes on and takes pictures again."


def pinning(session: Session) -> tuple[bool, str]:
    if session.pinned_at:
        return False, "It is pinned already."
    return True, f"Retention keeps the pictures of {summary(session)}."


def unpinning(session: Session) -> tuple[bool, str]:
    if session.pinned_at is None:
        return False, "It is not pinned."
    return True, f"Retention may remove the pictures of {summary(session)} again."


def _word(session: Session) -> str:
    return SHOWN[session.state][1]


def _after(session: Session) -> str:
    return f" {AFTER_END}" if session.monitor_id else ""
