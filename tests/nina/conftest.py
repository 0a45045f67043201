"""A rig in Madrid, and its recorded night."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.nina import night


@pytest.fixture
def rig(organisation):
    from monitoring.nina.verbs import add_rig

    return add_rig(organisation, slug="rig-1", name="Rig 1", site_zone="Europe/Madrid", by="test")


@pytest.fixture
def script():
    return night.script()


@pytest.fixture
def our_clock(monkeypatch):
    """The clock of this server, which `move_to` sets."""

    class Clock:
        moment = datetime(2025, 11, 15, tzinfo=UTC)

        def move_to(self, moment: datetime) -> None:
            self.moment = moment

    ours = Clock()
    monkeypatch.setattr("sessionsite.common.clock.now", lambda: ours.moment)
    return ours
