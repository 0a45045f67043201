"""The arithmetic and the words of the scripts, called one by one in a browser."""

import pytest


@pytest.fixture
def call(people):
    """call(module, expression): the expression's value, with the module's exports as `m`."""
    page = people.open("/login/")

    def call(module: str, expression: str):
        address = f"/static/monitoring/js/{module}.js"
        return page.evaluate(f"async () => {{ const m = await import('{address}'); return {expression}; }}")

    return call


def test_a_gap_is_a_run_of_empty_buckets_that_is_long_enough(call):
    assert call("chart", "m.gapsIn([1, 0, 0, 0, 1, 0, 1, 0, 0, 0], 10, 30)") == [[1, 3], [7, 9]]
    assert call("chart", "m.gapsIn([0, 0], 10, 30)") == []
    assert call("chart", "m.gapsIn([], 10, 30)") == []


def test_a_rate_is_a_mean_per_minute_and_nothing_inside_a_gap(call):
    assert call("chart", "m.ratesIn([5, 5, 5, 0, 0, 0], 10, [[3, 5]])") == [30, 30, 30, None, None, None]
    assert call("sparkline", "m.ratesOf([0, 5, 10], 5, 3)") == [0, 30, 60]


def test_a_rate_with_nothing_beside_it_is_a_point(call):
    assert call("chart", "m.lonely({data: [[], [3, null, 4, 5, null, 6]]}, 1)") == [0, 5]
    assert call("chart", "m.lonely({data: [[], [null, 2, null]]}, 1)") == [1]


def test_a_box_stays_inside_the_picture(call):
    box = "{x: 0.9, y: 0, w: 0.1, h: 0.5}"
    assert call("geometry", f"m.movedBy({box}, 0.05, -0.1)") == {"x": 0.9, "y": 0, "w": 0.1, "h": 0.5}
    assert call("geometry", f"m.sizedBy({box}, 0.5, -0.6)") == {
        "x": 0.9, "y": 0, "w": pytest.approx(0.1), "h": 0.004,
    }  # fmt: skip
    assert call("geometry", "m.boxBetween({x: 0.75, y: 0.25}, {x: 0.5, y: 0.5})") == {
        "x": 0.5, "y": 0.25, "w": 0.25, "h": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ms", "age", "elapsed"),
    [
        (-500, "0 s", "0:00"),
        (59_999, "59 s", "0:59"),
        (60_000, "1 min", "1:00"),
        (3_900_000, "1 h 05 min", "1:05:00"),
        (187_200_000, "2 d 4 h", "52:00:00"),
    ],
)
def test_ages_and_elapsed_times_in_words(call, ms, age, elapsed):
    assert call("times", f"[m.formatAge({ms}), m.formatElapsed({ms})]") == [age, elapsed]


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        ("{days_left: 12.4, free_bytes: 1, status: 'ok'}", "Disk 12 days"),
        ("{days_left: 1.26, free_bytes: 1, status: 'low'}", "Disk 1.3 days"),
        ("{days_left: 4000, free_bytes: 1, status: 'ok'}", "Disk > 999 days"),
        ("{days_left: null, free_bytes: 83400000000, status: 'ok'}", "83.4 GB free"),
        ("{days_left: 0, free_bytes: 1, status: 'full'}", "Disk full"),
    ],
)
def test_room_on_the_disk_in_words(call, disk, words):
    assert call("bar", f"m.formatDaysLeft({disk})") == words


@pytest.mark.parametrize(
    ("kind", "detail", "words"),
    [
        ("started", "{by: 'ann'}", "started by ann"),
        ("stopped", "{by: 'ann', total_counter: 1}", "stopped by ann at 1 picture"),
        ("tags_changed", "{by: 'ann', count: 1, changes: [{verb: 'added', after: {label: 'dent'}}]}",
         "box dent added by ann"),
        ("tags_changed", "{by: 'ann', count: 3, changes: []}", "3 boxes changed by ann"),
        ("marker", "{label: 'belt cleaned', by: 'ann'}", "mark: belt cleaned by ann"),
        ("renamed", "{before: '', after: 'Night', by: 'ann'}", "renamed to “Night” by ann"),
        ("something_new", "{}", "something new"),
        ("controller_requested", "{command: 'start_capture'}", "asked the controller to start capture"),
    ],
)  # fmt: skip
def test_events_in_words_and_an_unknown_kind_by_its_name(call, kind, detail, words):
    assert call("events", f"m.wordsOf({{kind: '{kind}', detail: {detail}}})") == words


def test_the_link_badge_in_words(call):
    assert call("badge", "m.textOf({word: 'live'})") == "live"
    assert call("badge", "m.textOf({word: 'stale', since: Date.now() - 12000})") == "stale 12 s"
    assert (
        call("badge", "m.textOf({word: 'stale', since: Date.now() - 3000, isPolling: true})")
        == "stale 3 s, polling"
    )
    assert call("badge", "m.textOf({word: 'offline', since: null})") == "offline"


def test_a_label_has_the_same_colour_everywhere_and_the_usual_ones_differ(call):
    labels = ["OK", "DEFECT", "scratch", "dent", "stain", "missing_hole"]
    assert len(set(call("marks", f"{labels}.map(m.labelColour)"))) == 6
