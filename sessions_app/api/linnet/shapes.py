"""What Linnet clients read: bodies in the published order of their keys, errors as `{"detail": …}`."""

from __future__ import annotations

from sessions_app.models import Session, SessionEvent
from sessions_app.states import OPEN, Kind, State
from sessionsite.common.access import Caller
from sessionsite.common.api.permissions import lacks
from sessionsite.common.dialects import REALM, Refusal, register_dialect
from sessionsite.common.errors import DomainError, Missing, NotAuthenticated

PREFIX = "/session/"


class SessionNotFound(Missing):
    """Unknown, foreign, of another kind, or over: these look the same."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Session {key} not found")


def find_session(caller: Caller, key: str, right: str) -> Session:
    """The open annotation session `key` that the caller may `right`. Raises SessionNotFound, NotAllowed."""
    if not key.isprintable() or len(key) > 40:
        raise SessionNotFound(key)
    named = Session.objects.filter(key=key, kind=Kind.ANNOTATION, state__in=OPEN)
    if (session := named.visible_to(caller, right).first()) is not None:
        return session
    raise lacks(right) if named.visible_to(caller).exists() else SessionNotFound(key)


def session_body(session: Session) -> dict:
    state = "starting" if session.state == State.CREATED else "running"
    return {"session_id": session.key, "state": state, "elcor": bool(session.data.get("elcor"))}


def history_body(entry: SessionEvent) -> dict:
    """timestamp: seconds since the session began."""
    frame = entry.detail
    return {
        "label": frame["label"],
        "confidence": frame["confidence"],
        "speaker_id": frame["speaker_id"],
        "shift_magnitude": frame["shift_magnitude"],
        "timestamp": frame["t_s"],
        "subtext": frame["subtext"] or None,
        "affect": frame["affect"] or None,
    }


def export_body(entry: SessionEvent) -> dict:
    return history_body(entry) | {"shift_direction": entry.detail["shift_direction"]}


def tone_body(event: dict) -> dict:
    """A journal entry of kind `frame`, as it is pushed, as a tone-event."""
    frame = event["detail"]
    return {
        "event_type": "tone",
        "label": frame["label"],
        "confidence": frame["confidence"],
        "speaker_id": frame["speaker_id"],
        "shift_magnitude": frame["shift_magnitude"],
        "timestamp": frame["t_s"],
        "session_id": event["session"],
        "subtext": frame["subtext"] or None,
        "affect": frame["affect"] or None,
        "shift_direction": frame["shift_direction"],
        "prosody_flags": frame["prosody_flags"],
    }


def refusal_of(error: DomainError) -> Refusal:
    """`error` in the shape of this wire, for lanes and for what fails before a view."""
    headers = [(b"www-authenticate", REALM.encode())] if error.status == 401 else []
    if (retry_after_s := getattr(error, "retry_after_s", None)) is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    text = "Not authenticated" if isinstance(error, NotAuthenticated) else error.message
    return Refusal(error.status, {"detail": text}, tuple(headers))


def register() -> None:
    register_dialect(PREFIX, refusal_of)
