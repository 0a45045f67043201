from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from monitoring import flow
from sessionsite.common.clock import iso

NOW = datetime(2026, 11, 21, 12, 0, 3, 500_000, tzinfo=UTC)
SECOND = int(NOW.timestamp())


def test_the_rate_is_the_pictures_of_the_last_60_seconds():
    counts = {SECOND: 2, SECOND - 30: 5, SECOND - 59: 1, SECOND - 60: 100, SECOND + 1: 100}
    assert flow.rate_per_minute(counts, NOW.timestamp()) == 8.0


def test_one_picture_each_two_seconds_is_30_a_minute():
    counts = {SECOND - age: 1 for age in range(0, 120, 2)}
    assert flow.rate_per_minute(counts, NOW.timestamp()) == 30.0


def test_the_rate_falls_with_time_alone():
    counts = {SECOND: 12}
    rates = [flow.rate_per_minute(counts, SECOND + age) for age in (0, 59, 60)]
    assert rates == [12.0, 12.0, 0.0]


def test_nothing_is_a_rate_of_zero():
    assert flow.rate_per_minute({}, 0.0) == 0.0
    assert flow.recent({}, NOW.timestamp()) == [0] * 60


def test_the_sparkline_is_60_sums_of_5_seconds_on_the_clocks_grid():
    counts = {SECOND: 1, SECOND - 3: 2, SECOND - 4: 4, SECOND - 8: 8, SECOND - 9: 16}
    recent = flow.recent(counts, NOW.timestamp())
    assert len(recent) == 60
    assert recent[-3:] == [16, 12, 3]  # 12:00:03 is in the bucket that began at 12:00:00


def test_what_is_older_than_the_sparkline_or_in_the_future_is_not_in_it():
    first = flow.first_second(NOW.timestamp())
    assert sum(flow.recent({first: 1, first - 1: 100, SECOND + 1: 100}, NOW.timestamp())) == 1


@given(
    st.dictionaries(st.integers(SECOND - 1000, SECOND + 10), st.integers(0, 50), max_size=60),
    st.floats(0, 4.99, allow_nan=False),
)
def test_every_picture_of_the_five_minutes_is_counted_once(counts, offset):
    now_s = NOW.timestamp() + offset
    expected = sum(n for second, n in counts.items() if flow.first_second(now_s) <= second <= now_s)
    assert sum(flow.recent(counts, now_s)) == expected


def test_a_line_is_moving_until_its_last_picture_has_left_the_sparkline():
    counts = {SECOND: 1}
    assert flow.is_moving(counts, SECOND)
    assert flow.is_moving(counts, SECOND + 290)
    assert not flow.is_moving(counts, SECOND + 301)


def test_the_flow_object_names_its_units_and_its_end():
    shown = flow.flow({SECOND: 3}, NOW, total=45)
    assert shown == {
        "current_flow_rate": 3.0,
        "unit": "images/min",
        "window_s": 60,
        "total_processed": 45,
        "bucket_s": 5,
        "recent": [0] * 59 + [3],
        "until": iso(NOW.replace(second=5, microsecond=0)),
    }
