"""The benchmark of watched sessions in its tiny form: everything happens, its times mean nothing here."""

from __future__ import annotations

import json

import pytest

from benchmarks import watched
from tests.services import need_numpy

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]
COUNTED = ("task_count", "open_files", "readers", "feeds", "waiting_bytes")


def test_readers_leave_nothing_what_was_missed_comes_in_order_and_sound_is_acknowledged(tmp_path):
    need_numpy()
    status = watched.main(["--tiny", "--results", str(tmp_path), "--dir", str(tmp_path)])
    found = json.loads((tmp_path / "watched-tiny.json").read_text())
    assert status == 0
    assert found["raw"]["readers"]["count"] == 20
    assert found["raw"]["audio"]["chunks"] == 10
    resumed = [name for name in found["raw"] if name.startswith("resume ")]
    assert len(resumed) == 6 and all(len(found["raw"][name]["ms"]) == watched.TRIES for name in resumed)
    rounds = found["raw"]["leaks"]["rounds"]
    assert len(rounds) == 4
    for name in COUNTED:
        assert rounds[-1][name] <= rounds[1][name], rounds
