"""Sessions with their newest pictures, and the verbs that end them."""

from __future__ import annotations

from django.contrib import admin

from monitoring import services
from monitoring.admin import effects
from monitoring.admin.monitors import CLOSED
from monitoring.models import Image
from sessions_app.admin import SessionAdmin
from sessions_app.models import Session
from sessions_app.services import move, pin_session
from sessions_app.states import State
from sessionsite.accounts.admin_base import verb_action

PICTURES = 24


@admin.register(Session)
class WatchedSessionAdmin(SessionAdmin):
    actions = [
        verb_action(
            title="End sessions",
            right="control",
            effect=effects.ending,
            verb=lambda session, by: services.end_any_session(session, by=by),
        ),
        verb_action(
            title="Close as interrupted",
            right="control",
            effect=effects.interrupting,
            verb=lambda session, by: services.close_stale(session, by=by, reason=CLOSED),
            about="For a session that nobody feeds any more: its end is marked as not regular.",
        ),
        verb_action(
            title="Reset after an error",
            right="control",
            effect=effects.going_on,
            verb=lambda session, by: move(session, State.ACTIVE, by=by),
        ),
        verb_action(
            title="Pin sessions",
            right="control",
            effect=effects.pinning,
            verb=lambda session, by: pin_session(session, by=by),
            about="Pictures of pinned sessions are never removed by retention.",
        ),
        verb_action(
            title="Unpin sessions",
            right="control",
            effect=effects.unpinning,
            verb=lambda session, by: pin_session(session, by=by, pinned=False),
        ),
    ]

    def sections(self, request, session):
        pictures = Image.objects.kept().filter(session=session).newest_first()[:PICTURES]
        return {**super().sections(request, session), "pictures": list(pictures)}
