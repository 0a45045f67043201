"""Sessions that must never lose their pictures by themselves."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from sessions_app.models import Session
from sessions_app.services import journal
from sessions_app.services.lifecycle import lock, show_on_monitor


@transaction.atomic
def pin_session(session: Session, *, by: str, pinned: bool = True) -> Session:
    """No retention touches the session's pictures, or it may again. Twice changes nothing."""
    lock(session)
    if (session.pinned_at is not None) != pinned:
        at = timezone.now() if pinned else None
        journal.append(session, "pinned" if pinned else "unpinned", by=by, pinned_at=at)
        show_on_monitor(session)
    return session
