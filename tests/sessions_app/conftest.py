"""Watched sessions and a time that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

START = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


class Clock:
    """`clock.at(5)`: five seconds after the watched session began."""

    start = START

    def at(self, seconds: float) -> datetime:
        return self.start + timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(organisation):
    """An annotation session with 90 s to live unwatched, begun at `clock.start`."""
    from sessions_app.services import start_annotation

    session = start_annotation(organisation, by="ann", idle_ttl_s=90)
    type(session).objects.filter(pk=session.pk).update(started_at=START)
    session.refresh_from_db()
    return session
