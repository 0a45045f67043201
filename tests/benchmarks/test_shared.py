"""The arithmetic, the tables and the page of the benchmarks."""

from __future__ import annotations

import argparse

import pytest

from benchmarks import report
from benchmarks.lib.load import _parse
from benchmarks.lib.peers.state import MARK, state_text
from benchmarks.lib.requests import Requests
from benchmarks.lib.results import MET, MISSED, UNKNOWN, Results, Target
from benchmarks.lib.stats import percentile, ratio


@pytest.mark.parametrize(
    ("percent", "value"), [(1, 1), (50, 50), (95, 95), (99, 99), (100, 100)], ids=lambda number: str(number)
)
def test_percentiles_of_one_to_a_hundred_are_themselves(percent, value):
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_nothing_has_no_percentile_and_no_ratio():
    assert percentile([], 50) is None
    assert ratio(None, 2) is None
    assert ratio(2, None) is None
    assert ratio(2, 0) is None


@pytest.mark.parametrize(
    ("relation", "measured", "verdict"),
    [(">=", 2.0, MET), (">=", 1.99, MISSED), ("<=", 2.0, MET), ("<=", 2.01, MISSED), ("<=", None, UNKNOWN)],
)
def test_a_target_is_met_or_missed_or_not_measured(relation, measured, verdict):
    assert Target("what", relation, 2.0, measured).verdict == verdict


def test_results_tell_the_targets_that_were_missed(tmp_path):
    options = argparse.Namespace(size="full", results=tmp_path, rounds=1)
    results = Results("thing", "A thing", options, tmp_path)
    results.table("Rows", "case", "per s").rows.append(("ours", 1234.5))
    results.target("fast", ">=", 2.0, 1.0)
    results.target("small", "<=", 2.0, 1.0)
    assert [target.what for target in results.write()] == ["fast"]
    text = (tmp_path / "thing.md").read_text()
    assert "| ours | 1,234 |" in text
    assert "| fast | >= 2.00 x | 1.00 | **missed** |" in text


def test_the_page_takes_the_newest_table_between_its_markers(tmp_path):
    other = "<!-- begin other -->\nkept\n<!-- end other -->\n"
    page = f"before\n<!-- begin thing -->\nold\n<!-- end thing -->\n{other}"
    (tmp_path / "thing.md").write_text("new\n")
    after = report.filled(page, tmp_path)
    assert after == page.replace("old", "new")
    assert report.filled(after, tmp_path) == after


def test_every_state_has_the_same_length_and_one_mark():
    texts = [state_text(600, revision) for revision in (1_000_001, 1_999_999)]
    assert [len(text) for text in texts] == [600, 600]
    assert [text.count(MARK) for text in texts] == [1, 1]


def test_two_pictures_of_a_load_never_have_one_date(tmp_path):
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"picture")
    requests = Requests("json", "/monitor/cam/image", token="t", pictures=[str(picture)])
    first, second = (b"".join(requests.next()) for _ in range(2))
    head, _, body = first.partition(b"\r\n\r\n")
    assert b"Authorization: Bearer t" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert first != second


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", (200, b"ok", True)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", None),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", (304, b"", True)),
        (b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", (503, b"", False)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", None),
    ],
)
def test_an_answer_is_read_when_it_is_complete(answer, found):
    assert _parse(bytearray(answer)) == found


def test_an_answer_in_chunks_ends_with_the_last_one():
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    status, body, is_kept = _parse(bytearray(answer))
    assert (status, is_kept) == (200, True)
    assert b"ok" in body
