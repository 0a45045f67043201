from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from sessionsite.common import clock
from sessionsite.common.clock import BadTime

MOMENT = datetime(2026, 11, 21, 2, 15, 0, 123_456, tzinfo=UTC)


def test_now_is_aware_and_utc():
    with time_machine.travel(MOMENT, tick=False):
        assert clock.now() == MOMENT
        assert clock.now().utcoffset() == timedelta(0)


def test_iso_has_milliseconds_and_z_whatever_the_zone():
    assert clock.iso(MOMENT) == "2026-11-21T02:15:00.123Z"
    assert clock.iso(MOMENT.astimezone(ZoneInfo("America/St_Johns"))) == "2026-11-21T02:15:00.123Z"
    assert clock.iso(MOMENT.replace(microsecond=0)) == "2026-11-21T02:15:00.000Z"


@pytest.mark.parametrize("function", [clock.iso, clock.to_epoch_ms, clock.to_ns])
def test_a_time_without_a_zone_is_a_bug_of_the_caller(function):
    with pytest.raises(ValueError):
        function(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T02:15:00.123456Z", "2026-11-21T02:15:00.123456+00:00", "2026-11-20T22:45:00.123456-03:30"],
)
def test_iso_times_with_an_offset_are_read(text):
    assert clock.parse_iso(text) == MOMENT
    assert clock.parse_iso(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "value",
    [
        None, 5, "", "yesterday", "2026-11-21", "2026-11-21T02:15:00", "1970-01-01T00:00:00Z",
        "2100-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\ud800",
    ],
)  # fmt: skip
def test_other_times_are_refused(value):
    with pytest.raises(BadTime) as refusal:
        clock.parse_iso(value)
    assert (refusal.value.code, refusal.value.status) == ("bad_time", 400)


def test_epoch_milliseconds_go_there_and_back():
    assert clock.from_epoch_ms(1_795_227_300_123) == datetime(2026, 11, 21, 2, 15, 0, 123_000, tzinfo=UTC)
    assert clock.to_epoch_ms(MOMENT) == 1_795_227_300_123
    assert clock.from_epoch_ms(1_795_227_300_123.456).microsecond == 123_456


@pytest.mark.parametrize(
    "value",
    [
        None, True, "1795227300123", 0, -1, 1_795_227_300, 1_795_227_300_123_000, float("nan"), float("inf"),
        10**400, -(10**400), [], 4_102_444_800_000,
    ],
)  # fmt: skip
def test_nonsense_milliseconds_are_refused(value):
    with pytest.raises(BadTime):
        clock.from_epoch_ms(value)


@given(st.integers(0, clock.MAX_NS))
def test_nanoseconds_keep_their_microseconds(value):
    moment = clock.from_ns(value)
    assert clock.to_ns(moment) == value // 1000 * 1000


@pytest.mark.parametrize("value", [None, True, 1.0, "5", -1, 2**63, 10**400])
def test_nonsense_nanoseconds_are_refused(value):
    with pytest.raises(BadTime):
        clock.check_ns(value)


def test_times_beyond_64_bits_of_nanoseconds_are_refused():
    with pytest.raises(BadTime):
        clock.to_ns(datetime(2263, 1, 1, tzinfo=UTC))
    with pytest.raises(BadTime):
        clock.to_ns(datetime(1969, 12, 31, tzinfo=timezone(timedelta(hours=1))))


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans()))
def test_any_input_is_a_time_within_bounds_or_refused(value):
    for read in (clock.parse_iso, clock.from_epoch_ms):
        try:
            assert clock.EARLIEST <= read(value) < clock.LATEST
        except BadTime as refusal:
            assert refusal.as_json()["code"] == "bad_time"
