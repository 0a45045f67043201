"""docs/states.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitoring import presence
from monitoring.services.watch import KINDS
from sessions_app.services.frames import FRAME
from sessions_app.services.journal import ON_THE_WALL
from sessions_app.severity import SEVERITIES
from sessions_app.states import ACCEPTING, MOVES, OPEN, TERMINAL, State
from tests.sessions_app.journal_kinds import kinds_in, written_kinds

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "states.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first heading is this one, without quotes of code."""
    lines = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_states_is_the_one_of_the_code():
    told = {row[0]: row[2:] for row in table("state")}
    assert sorted(told) == sorted(state.value for state in State)
    for state in State:
        is_open, accepts, moves = told[state]
        assert (is_open == "yes") is (state in OPEN)
        assert (accepts == "yes") is (state in ACCEPTING)
        assert set(moves.split(", ")) - {""} == {to.value for to in MOVES[state]}
    assert {row[0] for row in table("state")[-3:]} == {state.value for state in TERMINAL}


def test_every_kind_of_entry_is_on_the_page_and_no_other():
    told = [row[0] for row in table("kind")]
    assert sorted(told) == sorted(written_kinds() | set(KINDS.values()) | {FRAME})


def test_severities_and_the_wall_are_as_told():
    for kind, _, severity, on_the_wall in table("kind"):
        if kind != "marker":
            assert severity == SEVERITIES.get(kind, "info"), kind
        assert (on_the_wall == "yes") is (kind in ON_THE_WALL), kind
    assert set(SEVERITIES) <= {row[0] for row in table("kind")}


def test_the_limits_of_a_camera_are_as_told():
    told = {row[0]: (float(row[1]), float(re.search(r"([\d.]+) s$", row[2])[1])) for row in table("limit")}
    assert told == {
        "LATE": (presence.LATE_AFTER, presence.LATE_FLOOR_S),
        "LOST": (presence.LOST_AFTER, presence.LOST_FLOOR_S),
        "in step": (presence.STEADY_WITHIN, presence.STEADY_FLOOR_S),
    }


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("sessions.append(session, 'new_kind', by=by)", {"new_kind"}),
        ("note_change(image, kind, {}, by=by)", set()),
        ("move(session, to, kind='a' if x == 'b' else 'c')", {"a", "c"}),
        ("rows.append('word')", set()),
        ("append(session, 'x' if late else 'y')", {"x", "y"}),
    ],
)
def test_a_new_kind_would_be_found(source, kinds):
    assert kinds_in(source) == kinds
