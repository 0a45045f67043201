"""The benchmark of a telescope's day in its tiny form: everything happens, its times mean nothing here."""

from __future__ import annotations

import json

import pytest

from benchmarks import rig_night

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]


def test_twelve_hours_in_seconds_lose_nothing_and_count_nothing_twice(tmp_path):
    status = rig_night.main(["--tiny", "--results", str(tmp_path), "--dir", str(tmp_path)])
    assert status == 0
    found = json.loads((tmp_path / "rig-tiny.json").read_text())["raw"]
    assert found["latency-uvicorn"]["events"] == found["latency-daphne"]["events"] == 3
    assert found["burst-SQLite"]["events"] == 100
    day = json.loads((tmp_path / "rig-day-tiny.json").read_text())["raw"]["day"]
    for rig in day["rigs"].values():
        assert rig["events_in_nina"] == rig["events_stored"] > 300
        assert (rig["lost"], rig["counted_twice"], rig["state_differs"]) == ([], [], {})
    assert day["connections"] >= 2 and len(day["samples"]) > 0
