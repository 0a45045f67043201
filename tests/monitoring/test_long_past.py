"""What a camera does costs the same however many sessions its monitor has had."""

from __future__ import annotations

import pytest
from django.db import connection

from monitoring.models import Monitor
from monitoring.services import NewImage, NotStarted, add_image, open_session_of, start_monitor, stop_monitor
from monitoring.services.doctor.truth import with_monitor_truth
from sessions_app.models import Session
from tests.pictures import picture

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by its statistics"),
]
OPEN_ONES = "one_open_session_per_monitor"


@pytest.fixture
def looked_up(settings, tmp_path):
    """How the statements inside find rows of sessions: a list of lines of SQLite's plans."""
    settings.MEDIA_ROOT = tmp_path / "media"
    seen: list[str] = []

    def plan(execute, sql, params, many, context):
        if sql.startswith(("SELECT", "UPDATE", "DELETE")) and not many:
            raw = connection.create_cursor()  # not wrapped; the parameters stay parameters
            seen.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(plan):
        yield lambda: [line for line in seen if "sessions_app_session " in line or " s " in f"{line} "]


def is_quick(line: str) -> bool:
    return OPEN_ONES in line or "INTEGER PRIMARY KEY" in line or "(key=?)" in line


def test_starting_taking_pictures_and_stopping_never_read_the_past(monitor, looked_up):
    start_monitor(monitor, by="ann")
    add_image(NewImage(data=picture(1), monitor=monitor))
    stop_monitor(monitor, by="ann")
    with pytest.raises(NotStarted):
        add_image(NewImage(data=picture(2), monitor=monitor))
    lines = looked_up()
    assert any(OPEN_ONES in line for line in lines)
    assert [line for line in lines if not is_quick(line)] == []


def test_the_open_session_of_a_monitor_is_found_among_the_open_ones(monitor, looked_up):
    assert open_session_of(monitor) is None
    assert not Session.objects.accepting().filter(monitor=monitor).exists()
    list(with_monitor_truth(Monitor.objects.all()).values("open_session_id"))
    assert sum(OPEN_ONES in line for line in looked_up()) >= 2
