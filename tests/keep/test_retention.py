"""Retention by age and by size, of a monitor and of an organisation; pins; what a preview says comes true."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from monitoring import disk
from monitoring.models import Image, Monitor, RetentionRule
from monitoring.services import (
    NewImage,
    add_image,
    cleanup,
    create_monitor,
    delete_image,
    hold,
    pin_image,
    remove_demo,
    retention,
    start_monitor,
    stop_monitor,
)
from monitoring.services.retention import BadRule, set_rule
from monitoring.storage import preview, storage_state
from sessions_app.models import Session
from sessions_app.services import open_session, pin_session
from sessionsite.accounts.models import AuditEntry
from tests.keep.conftest import original, post
from tests.pictures import picture

pytestmark = pytest.mark.django_db
START = "2026-03-01T08:00:00Z"


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as clock:
        yield clock


@pytest.fixture
def history(monitor, clock) -> list[Session]:
    """Four sessions that ended a day apart, three pictures each; the last one ended just now."""
    sessions = []
    for day in range(4):
        start_monitor(monitor, by="ann")
        for number in range(3):
            post(monitor, 100 * day + number)
        sessions.append(stop_monitor(monitor, by="ann"))
        if day < 3:
            clock.shift(timedelta(days=1))
    return sessions


@pytest.fixture
def purge(django_capture_on_commit_callbacks):
    def run() -> int:
        with django_capture_on_commit_callbacks(execute=True):
            return retention.purge_in_background().images

    return run


def left(session: Session) -> int:
    return Image.objects.filter(session=session).count()


def bytes_of(session: Session) -> int:
    return Session.objects.get(pk=session.pk).size_bytes


def stored() -> int:
    return Monitor.objects.get(slug="cam-1").stored_bytes


# -- by age --------------------------------------------------------------------------------------------------


def test_a_rule_of_the_organisation_counts_before_the_setting(organisation, history, settings, purge):
    settings.RETENTION_DAYS = 1
    set_rule(organisation, by="ann", keep_days=2)
    assert purge() == 3
    assert [left(session) for session in history] == [0, 3, 3, 3]


def test_a_rule_of_a_monitor_counts_before_that_of_its_organisation(
    organisation, monitor, history, clock, purge
):
    other = create_monitor(organisation, slug="cam-2", by="test")
    start_monitor(other, by="ann")
    post(other, 900)
    theirs = stop_monitor(other, by="ann")
    clock.shift(timedelta(hours=30))
    set_rule(organisation, by="ann", monitor=monitor, keep_days=365)
    set_rule(organisation, by="ann", keep_days=1)
    assert purge() == 1
    assert left(theirs) == 0
    assert [left(session) for session in history] == [3, 3, 3, 3]


def test_what_has_no_rule_is_kept_for_ever(history, clock, purge):
    clock.shift(timedelta(days=4000))
    assert purge() == 0


# -- by size -------------------------------------------------------------------------------------------------


def test_over_its_size_a_monitor_loses_its_oldest_pictures_and_no_more(organisation, monitor, history, purge):
    keep = stored() - bytes_of(history[0]) - 1
    set_rule(organisation, by="ann", monitor=monitor, keep_bytes=keep)
    assert purge() == 4, "the oldest session, and one picture of the next"
    assert [left(session) for session in history] == [0, 2, 3, 3]
    assert stored() <= keep
    assert purge() == 0


def test_an_organisation_over_its_size_loses_the_oldest_of_all_monitors(organisation, history, purge):
    set_rule(organisation, by="ann", keep_bytes=stored() - bytes_of(history[0]))
    assert purge() == 3
    assert [left(session) for session in history] == [0, 3, 3, 3]
    [entry] = history[0].events.filter(kind="images_purged")
    assert entry.detail["reason"] == "organisation size"


def test_rules_together_take_only_what_is_still_missing(organisation, monitor, history, purge):
    """Age takes the first session; that is enough for the size of the organisation."""
    set_rule(organisation, by="ann", keep_days=2, keep_bytes=stored() - bytes_of(history[0]))
    assert purge() == 3


def test_a_rule_over_the_quota_keeps_no_more_than_the_quota(organisation, monitor, history, purge):
    quota = stored() - bytes_of(history[0])
    Monitor.objects.filter(pk=monitor.pk).update(quota_bytes=quota)
    set_rule(organisation, by="ann", monitor=monitor, keep_bytes=10 * quota)
    assert purge() == 3
    assert stored() <= quota


def test_open_sessions_lose_nothing_however_full(organisation, monitor, clock, purge):
    start_monitor(monitor, by="ann")
    images = [post(monitor, number) for number in range(3)]
    set_rule(organisation, by="ann", monitor=monitor, keep_bytes=0, keep_days=1)
    clock.shift(timedelta(days=3))
    assert purge() == 0
    assert all(original(image).exists() for image in images)


def test_more_than_half_waits_for_a_person(organisation, monitor, history, clock, purge, caplog):
    clock.shift(timedelta(seconds=1))
    set_rule(organisation, by="ann", keep_bytes=0)
    assert purge() == 0
    assert "more than half" in caplog.text
    with pytest.raises(CommandError, match="more than half"):
        call_command("cleanup_sessions", stdout=io.StringIO())
    call_command("cleanup_sessions", "--force", stdout=io.StringIO())
    assert stored() == 0


def test_more_than_half_in_several_steps_waits_too(organisation, history, clock, purge, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 1)
    set_rule(organisation, by="ann", keep_days=1)
    clock.shift(timedelta(days=30))
    assert purge() == 0, "a step alone would remove a quarter"
    assert [left(session) for session in history] == [3, 3, 3, 3]


# -- pins ----------------------------------------------------------------------------------------------------


def test_a_pinned_session_and_a_pinned_picture_are_never_removed(
    organisation, monitor, history, clock, purge
):
    pin_session(history[0], by="ann")
    pinned = Image.objects.filter(session=history[1]).order_by("pk")[1]
    pin_image(pinned, by="ann")
    set_rule(organisation, by="ann", keep_days=1, keep_bytes=0)
    clock.shift(timedelta(days=30))
    call_command("cleanup_sessions", "--force", stdout=io.StringIO())
    assert [left(session) for session in history] == [3, 1, 0, 0]
    assert original(pinned).exists()
    pin_session(history[0], by="ann", pinned=False)
    pin_image(pinned, by="ann", pinned=False)
    call_command("cleanup_sessions", "--force", stdout=io.StringIO())
    assert [left(session) for session in history] == [0, 0, 0, 0]


def test_a_deleted_picture_that_is_pinned_stays_too(history, clock, settings, purge):
    image = Image.objects.filter(session=history[0]).first()
    pin_image(image, by="ann")
    delete_image(image, by="ann")
    settings.DELETED_DAYS = 1
    clock.shift(timedelta(days=9))
    assert purge() == 0


def test_a_pin_that_comes_before_the_removal_saves_the_session(organisation, history):
    set_rule(organisation, by="ann", keep_days=2)
    [one] = retention.due(organisation)
    pin_session(Session.objects.get(pk=history[0].pk), by="ann")
    assert list(retention.obey(one)) == []
    assert left(history[0]) == 3


def test_pins_are_journalled_once(history):
    pin_session(history[0], by="ann")
    pin_session(history[0], by="bob")
    [entry] = history[0].events.filter(kind="pinned")
    assert entry.detail == {"by": "ann"}


def test_a_pin_reaches_the_readers_of_session_and_monitor(
    history, published, django_capture_on_commit_callbacks
):
    published.clear()
    with django_capture_on_commit_callbacks(execute=True):
        pin_session(history[3], by="ann")
    assert f"session:{history[3].key}" in published
    assert "monitor:cam-1" in published


# -- rules ---------------------------------------------------------------------------------------------------


def test_a_rule_is_audited_with_before_and_after_and_goes_with_both_numbers(organisation, monitor):
    set_rule(organisation, by="ann", monitor=monitor, keep_days=5)
    set_rule(organisation, by="ann", monitor=monitor, keep_days=5)
    assert set_rule(organisation, by="ann", monitor=monitor) is None
    assert not RetentionRule.objects.exists()
    first, second = AuditEntry.objects.filter(verb="set_retention").order_by("pk")
    assert (first.before, first.after) == (
        {"keep_days": None, "keep_bytes": None},
        {"keep_days": 5, "keep_bytes": None},
    )
    assert second.after == {"keep_days": None, "keep_bytes": None}


@pytest.mark.parametrize("asked", [{"keep_days": 0}, {"keep_days": 10**6}, {"keep_bytes": -1}])
def test_a_rule_that_makes_no_sense_is_refused(organisation, asked):
    with pytest.raises(BadRule):
        set_rule(organisation, by="ann", **asked)


def test_a_rule_for_a_foreign_monitor_is_refused(other_organisation, monitor):
    with pytest.raises(BadRule):
        set_rule(other_organisation, by="ann", monitor=monitor, keep_days=1)


# -- told beforehand -----------------------------------------------------------------------------------------


def test_a_preview_says_what_then_happens(organisation, monitor, history, purge):
    trial = RetentionRule(
        organisation=organisation, monitor=monitor, keep_bytes=stored() - bytes_of(history[0])
    )
    found = preview(organisation, trial)
    assert (found["sessions"], found["images"], found["size_bytes"]) == (1, 3, bytes_of(history[0]))
    assert found["results"][0]["session"] == history[0].key
    assert purge() == 0, "a trial is no rule"
    set_rule(organisation, by="ann", monitor=monitor, keep_bytes=trial.keep_bytes)
    assert preview(organisation) == found
    assert purge() == 3


def test_a_dry_run_names_sessions_bytes_reasons_and_when_the_disk_is_full(organisation, history):
    set_rule(organisation, by="ann", keep_days=2)
    printed = io.StringIO()
    call_command("cleanup_sessions", "--dry-run", stdout=printed, stderr=printed)
    size_bytes = bytes_of(history[0])
    assert (
        f"would purge session {history[0].key}: 3 pictures, {size_bytes:,} bytes; "
        "reason retention, ended more than 2 days ago" in printed.getvalue()
    )
    assert "At today's rate, " in printed.getvalue()
    assert left(history[0]) == 3


def test_the_storage_of_an_organisation_adds_up(organisation, monitor, history):
    pin_session(history[0], by="ann")
    state = storage_state(organisation)
    assert state["stored_bytes"] == stored() == sum(bytes_of(session) for session in history)
    assert [row["slug"] for row in state["monitors"]] == ["cam-1"]
    assert state["pinned"] == {"sessions": 1, "images": 0, "size_bytes": bytes_of(history[0])}
    printed = io.StringIO()
    call_command("storage", stdout=printed)
    assert f"cam-1: {stored():,} bytes; no rule" in printed.getvalue()


def test_pictures_without_a_monitor_or_a_session_count_once_too(
    organisation, other_organisation, monitor, history
):
    for owner in (organisation, other_organisation):
        for number in (1, 2):
            session = open_session(owner, kind="recording")
            add_image(NewImage(data=picture(number), session=session))
    # As an import leaves it: of no session and no monitor.
    alone = Image.objects.filter(organisation=organisation, monitor=None).first()
    Session.objects.filter(pk=alone.session_id).update(size_bytes=0)
    Image.objects.filter(pk=alone.pk).update(session=None)
    mine = Image.objects.filter(organisation=organisation).values_list("size_bytes", flat=True)
    assert len(mine) == 14
    assert retention.stored_bytes(organisation) == sum(mine)


# -- the forecast --------------------------------------------------------------------------------------------


def test_the_forecast_says_in_words_when_the_disk_is_full(monitor, history, settings, monkeypatch):
    found = disk.usage()  # other tests write meanwhile, more in a moment than these pictures in five days
    monkeypatch.setattr(disk, "usage", lambda: found)
    seen = disk.forecast()
    assert seen.bytes_per_day > 0
    free = seen.free_bytes
    settings.DISK_RESERVE_BYTES = int(free - 5 * seen.bytes_per_day)
    seen = disk.forecast()
    assert 4 <= seen.days_left <= 6
    assert seen.words.startswith("At today's rate, ")
    assert "the disk is full on " in seen.words and seen.words.endswith("days.")
    assert abs(seen.full_at - timezone.now() - timedelta(days=5)) < timedelta(days=1)


def test_without_pictures_the_forecast_promises_nothing(db):
    seen = disk.forecast()
    assert (seen.days_left, seen.full_at) == (None, None)
    assert seen.words.startswith("No pictures come in; ")


def test_a_full_disk_is_said_to_be_full(monitor, history, settings):
    settings.DISK_RESERVE_BYTES = 2**60
    assert "has reached its reserve" in disk.forecast().words


# -- while a backup is made ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_nothing_is_removed_while_a_backup_is_made(organisation, history):
    set_rule(organisation, by="ann", keep_days=2)
    with hold.nothing_is_removed():
        assert retention.purge_in_background().images == 0
        with pytest.raises(CommandError, match="A backup is being made"):
            call_command("cleanup_sessions", stdout=io.StringIO())
        with pytest.raises(hold.RemovalHeld):
            remove_demo_of(organisation)
        with pytest.raises(hold.RemovalHeld):
            cleanup.purge_some(history[0], timezone.now())
    assert [left(session) for session in history] == [3, 3, 3, 3]
    assert retention.purge_in_background().images == 3


def remove_demo_of(organisation) -> None:
    Monitor.objects.update(is_demo=True)
    try:
        remove_demo(organisation, by="ann")
    finally:
        Monitor.objects.update(is_demo=False)
