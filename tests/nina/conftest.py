"""A rig in Madrid, and its recorded night."""

from __future__ import annotations

import pytest

from tests.nina import night


@pytest.fixture
def rig(organisation):
    from monitoring.nina.verbs import add_rig

    return add_rig(organisation, slug="rig-1", name="Rig 1", site_zone="Europe/Madrid", by="test")


@pytest.fixture
def script():
    return night.script()
