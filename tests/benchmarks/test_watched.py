"""The benchmark of watched sessions in its tiny form: everything happens, its times mean nothing here."""

from __future__ import annotations

import json

import pytest

from benchmarks import watched

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_readers_leave_no_lease_nothing_leaks_and_sound_is_acknowledged(tmp_path):
    pytest.importorskip("numpy", reason="the tone classifier: the extra `audio`")
    status = watched.main(["--tiny", "--results", str(tmp_path), "--dir", str(tmp_path)])
    found = json.loads((tmp_path / "watched-tiny.json").read_text())
    assert status == 0
    assert found["raw"]["readers"]["count"] == 10
    assert found["raw"]["audio"]["chunks"] == 10
    assert len(found["raw"]["resume"]["ms"]) == 5
    assert len(found["raw"]["leaks"]["open_files"]) == 4
