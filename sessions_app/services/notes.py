"""A session's notes: one text that several people write, with a revision of its own."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from sessions_app.messages import notes_json
from sessions_app.models import Session
from sessions_app.services import journal, lifecycle
from sessionsite.common.errors import PreconditionFailed


class NotesMismatch(PreconditionFailed):
    """Somebody else wrote meanwhile; the details hold both sides."""

    code = "notes_mismatch"


@transaction.atomic
def set_notes(session: Session, text: str, *, by: str, revision: int | None = None) -> Session:
    """The notes are `text`, written by `by`; the journal has the text before. The same text changes nothing.

    revision: of the notes that the writer saw; None takes any. Raises NotesMismatch with both sides.
    """
    lifecycle.lock(session)
    if revision is not None and revision != session.notes_revision:
        yours = {"text": text, "revision": revision}
        raise NotesMismatch("The notes changed meanwhile.", yours=yours, current=notes_json(session))
    if text == session.notes:
        return session
    journal.append(
        session,
        "notes_changed",
        detail={"before": session.notes, "revision": session.notes_revision + 1},
        by=by,
        notes=text,
        notes_revision=F("notes_revision") + 1,
        notes_by=by,
        notes_at=timezone.now(),
    )
    lifecycle.show_on_monitor(session)
    return session


@transaction.atomic
def set_name_notes(
    session: Session, *, by: str, name: str | None = None, notes: str | None = None
) -> Session:
    """The session's name or notes are as given; a change is in the journal with the old value."""
    lifecycle.lock(session)
    if name is not None and name != session.name:
        journal.append(session, "renamed", detail={"before": session.name, "after": name}, by=by, name=name)
    if notes is not None:
        set_notes(session, notes, by=by)
    return session
