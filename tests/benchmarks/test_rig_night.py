"""The benchmark of a telescope's nights in its tiny form: everything happens, its times mean nothing here."""

from __future__ import annotations

import json

import pytest

from benchmarks import rig_night

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]


def test_a_night_and_the_next_evening_lose_nothing_and_count_nothing_twice(tmp_path):
    status = rig_night.main(["--tiny", "--results", str(tmp_path), "--dir", str(tmp_path)])
    assert status == 0
    found = json.loads((tmp_path / "rig-tiny.json").read_text())["raw"]
    assert found["latency-uvicorn"]["events"] == found["latency-daphne"]["events"] == 3
    burst = found["burst-SQLite"]
    assert burst["events"] > 100 and burst["images_paired"] > 50
    assert burst["sessions"] == 2 and burst["journal_entries"] > 10
    day = json.loads((tmp_path / "rig-day-tiny.json").read_text())["raw"]["day"]
    assert len(day["rigs"]) == 2 and len(day["samples"]) > 0
    for rig in day["rigs"].values():
        assert (rig["lost"], rig["counted_twice"], rig["state_differs"]) == ([], [], {})
        assert rig["restarts"] == 1 and rig["cuts"] > 1 and rig["connections"] > 2
        assert rig["events_in_nina"] == rig["events_stored"] > rig["entries_forgotten"] > 300
