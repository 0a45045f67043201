"""Every benchmark program runs in a tiny form against the real servers; its figures mean nothing here.

crash.py has its test in tests/races/test_kill.py.
"""

from __future__ import annotations

import json

import pytest

from benchmarks import deflate, events, export, fanout, history, ingest, mixed, reads
from benchmarks.lib.servers import has_starlette

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]
needs_starlette = pytest.mark.skipif(not has_starlette(), reason="starlette: requirements-bench.txt")


@pytest.fixture
def run(tmp_path):
    """run(program, *arguments): what its tiny run found, decoded from the JSON that it wrote."""

    def runner(program, *arguments: str) -> dict:
        name = program.__name__.rpartition(".")[2]
        status = program.main(["--tiny", "--results", str(tmp_path), "--dir", str(tmp_path), *arguments])
        found = json.loads((tmp_path / f"{name}-tiny.json").read_text())
        assert status == 0
        assert (tmp_path / f"{name}-tiny.md").read_text().startswith(f"**{found['title']}**")
        assert {"load_before", "load_after", "steal_percent"} <= found["busy"].keys()
        assert not list(tmp_path.glob("bench-*")), "the data folder is left"
        return found

    return runner


def test_ingest_counts_what_was_acknowledged(run):
    found = run(ingest, "--only", "ours-uvicorn-process,ceiling-bare")
    for case in ("ours-uvicorn-process", "ceiling-bare"):
        [window] = found["raw"][case]
        assert window["accepted"] > 0
        assert window["server_cpu_ms_each"] > 0
    # A refusal or a wrong counter would be told here; so is a peer whose packages are not installed.
    assert [note for note in found["notes"] if "is not installed" not in note] == []
    ceiling = [target for target in found["targets"] if "without HTTP" in target["what"]]
    assert ceiling[0]["measured"] > 0


@needs_starlette
def test_ingest_measures_the_peers_beside_ours(run):
    names = ["starlette-scaled", "drf-daphne", "drf-lean-daphne"]
    found = run(ingest, "--only", ",".join(names))
    assert found["notes"] == []
    assert all(found["raw"][name][0]["accepted"] > 0 for name in names)


def test_fanout_delivers_every_state_to_every_reader(run):
    found = run(fanout, "--only", "ours-uvicorn,websockets", "--parts", "paced,saturated,memory")
    for key in ("paced ws 5 ours-uvicorn", "paced sse 5 ours-uvicorn", "paced ws 5 websockets"):
        [window] = found["raw"][key]
        assert window["published"] == 10
        assert window["most"] <= 10
        assert window["p99_ms"] > 0
    assert found["raw"]["paced ws 5 websockets"][0]["fewest"] == 10
    assert found["raw"]["saturated ws 5 ours-uvicorn"][0]["delivered"] > 10
    assert "memory sse 10 ours-uvicorn" in found["raw"]


def test_fanout_takes_windows_with_and_without_stalled_readers_in_turn(run):
    wanted = ("--parts", "stalled", "--kinds", "ws", "--only", "ours-uvicorn,websockets")
    found = run(fanout, *wanted, "--rounds", "2")
    for name, rounds in (("ours-uvicorn", 2), ("websockets", 1)):
        for stalled in (0, 1):
            windows = found["raw"][f"stalled ws {stalled} {name}"]
            assert len(windows) == rounds
            assert all(window["published"] == 10 and window["others_percent"] <= 100 for window in windows)
    [got] = [target["measured"] for target in found["targets"] if "the others get" in target["what"]]
    assert 0 < got <= 100


def test_reads_are_answered_by_every_handler(run):
    found = run(reads, "--servers", "drf")
    for case in (
        "ours state, saturated",
        "ours state, polled",
        "drf state, saturated",
        "ours sessions, saturated",
    ):
        assert found["raw"][case][0]["accepted"] > 0
    assert found["notes"] == []


def test_history_finds_every_page(run):
    found = run(history)
    assert found["notes"] == []
    pages = found["raw"]["pages"]
    asked = ("sessions, newest", "images, depth 50 %", "images, by tag, rare", "admin, sessions")
    for page in (*asked, "work: start", "work: a picture", "work: stop"):
        assert pages[f"SQLite, 60, {page}"]["p50_ms"] > 0
    assert found["raw"]["SQLite 60"]["images"] == 600


def test_events_are_numbered_as_often_as_acknowledged(run):
    found = run(events)
    for name in ("ours", "drf", "drf-lean"):
        assert found["raw"][f"SQLite, {name}"][0]["accepted"] > 0
    assert [peer for peer, _ in found["tables"][-1]["rows"]] == ["SQLite, drf", "SQLite, drf-lean"]
    assert not [note for note in found["notes"] if "accepted" in note or "refused" in note]


def test_mixed_starts_and_stops_beside_a_load(run):
    found = run(mixed)["raw"]["SQLite"]
    assert found["cameras"]["accepted"] > 0
    assert found["busy"]["start"] and found["busy"]["stop"]


def test_export_downloads_every_format_and_watches_the_server(run):
    found = run(export)
    assert set(found["raw"]) == set(export.FORMATS)
    assert all(one["size_mib"] > 0 for one in found["raw"].values())


def test_deflate_makes_frames_smaller_and_is_negotiated_as_asked(run):
    found = run(deflate)["raw"]
    assert (
        found["deflate"][0]["bytes_each"] < found["plain"][0]["bytes_each"] == found["ours"][0]["bytes_each"]
    )
