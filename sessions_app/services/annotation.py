"""Watched sessions: opened by a person who looks, ended when nobody looks any more."""

from __future__ import annotations

from sessions_app.models import Session
from sessions_app.services.lifecycle import open_session
from sessions_app.states import Kind
from sessionsite.accounts.models import Organisation


def start_annotation(
    organisation: Organisation, *, by: str, idle_ttl_s: int | None, name: str = "", elcor: bool = False
) -> Session:
    """An active annotation session. Its time without a reader runs from now on, also when nobody ever comes.

    idle_ttl_s: whole seconds; None: it is never reaped. elcor: its frames get a subtext.
    """
    data = {"elcor": True} if elcor else {}
    return open_session(
        organisation, kind=Kind.ANNOTATION, by=by, name=name, data=data, idle_ttl_s=idle_ttl_s
    )
