"""The one rule for pictures: checked, kept once, counted once, answered after the commit."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from monitoring import imaging, store
from monitoring.models import Dataset, Image, Monitor, MonitorDay
from monitoring.services import (
    Added,
    BadTag,
    DiskFull,
    IdempotencyMismatch,
    NewImage,
    NotStarted,
    QuotaExceeded,
    add_image,
    add_images,
    change_monitor,
    create_monitor,
    delete_image,
    image_rows,
    restore_image,
    start_monitor,
    stop_monitor,
)
from monitoring.services.errors import SessionOver, Unstorable
from monitoring.services.images import check
from sessions_app import services as sessions
from sessions_app.models import FlowBucket, LabelCount, Session
from sessions_app.states import State
from sessionsite.common.clock import iso, parse_iso
from sessionsite.common.errors import Busy, NoRoom
from sessionsite.common.files import media_file
from tests.pictures import picture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """A media folder of its own, so that every file in it is this test's."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def files_in(folder) -> set[str]:
    """The media files that are in their places, and whatever still waits."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)) for path in found}
    return {name for name in names if not name.startswith("inflight/") or name.endswith(".part")}


def check_in_step(folder) -> None:
    """Counters, rows and files say the same, and the journal tells of each picture once."""
    rows = list(Image.objects.all())
    assert files_in(folder) == {path for row in rows for path in (row.file_path, row.thumbnail_path)}
    for row in rows:
        names = (row.file_path, row.thumbnail_path)
        assert row.size_bytes == sum(media_file(name).stat().st_size for name in names)
    for session in Session.objects.all():
        own = [row for row in rows if row.session_id == session.pk]
        kept = [row for row in own if row.deleted_at is None]
        assert session.total_counter == len(own)
        assert session.image_count == len(kept)
        assert session.size_bytes == sum(row.size_bytes for row in own)
        labels = {row.label: 0 for row in kept if row.label}
        for row in kept:
            if row.label:
                labels[row.label] += 1
        counted = LabelCount.objects.filter(session=session, of=LabelCount.IMAGE, count__gt=0)
        assert dict(counted.values_list("label", "count")) == labels
        entries = list(session.events.order_by("seq"))
        assert [entry.seq for entry in entries] == list(range(1, session.last_seq + 1))
        told = [
            shown["key"]
            for entry in entries
            if entry.kind in ("images_added", "late_image_added")
            for shown in entry.detail["images"]
        ]
        assert sorted(told) == sorted(row.key for row in own)
    for monitor in Monitor.objects.all():
        own = [row for row in rows if row.monitor_id == monitor.pk]
        assert monitor.stored_bytes == sum(row.size_bytes for row in own)
        days = list(MonitorDay.objects.filter(monitor=monitor))
        assert sum(day.images for day in days) == len(own)
        assert sum(day.size_bytes for day in days) == monitor.stored_bytes


# --- kept -----------------------------------------------------------------------------------------


def test_a_picture_is_kept_as_it_came_with_a_thumbnail(monitor, session, media, jpeg):
    taken_at = datetime(2026, 3, 1, 8, tzinfo=UTC)
    added = add_image(
        NewImage(data=jpeg, monitor=monitor, name="a/b c.jpg", taken_at=taken_at, label=" OK ", author="cam")
    )
    image = Image.objects.get(key=added.key)
    assert added == Added(image.key, session.key)
    assert media_file(image.file_path).read_bytes() == jpeg
    assert media_file(image.thumbnail_path).read_bytes()[8:12] == b"WEBP"
    assert (image.name, image.label, image.author, image.taken_at) == ("b c.jpg", "OK", "cam", taken_at)
    assert (image.format, image.width, image.height) == ("JPEG", 64, 48)
    assert (image.session, image.monitor, image.organisation) == (session, monitor, monitor.organisation)
    assert (image.review, image.split, image.revision, image.deleted_at) == ("unreviewed", "", 1, None)
    check_in_step(media)


def test_the_monitor_shows_the_newest_picture_of_a_batch(monitor, session):
    results = add_images([NewImage(data=picture(number), monitor=monitor) for number in range(3)])
    now = Monitor.objects.get()
    assert now.last_image.key == results[-1].key
    assert now.previous_item_at <= now.last_item_at


def test_one_batch_is_one_journal_entry_and_one_wake_up_per_topic(
    monitor, session, published, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        results = add_images(
            [NewImage(data=picture(number), monitor=monitor, name=f"{number}.jpg") for number in range(3)]
        )
        assert published == []
    assert published == [f"session:{session.key}", "monitor:cam-1"]
    entry = session.events.get(kind="images_added")
    assert entry.detail["count"] == 3
    assert [shown["key"] for shown in entry.detail["images"]] == [added.key for added in results]
    assert [shown["name"] for shown in entry.detail["images"]] == ["0.jpg", "1.jpg", "2.jpg"]


def test_labels_flow_and_days_are_counted(monitor, session, media):
    words = ["OK", "OK", "DEFECT", ""]
    add_images(
        [NewImage(data=picture(number), monitor=monitor, label=word) for number, word in enumerate(words)]
    )
    counts = LabelCount.objects.filter(session=session, of=LabelCount.IMAGE)
    assert dict(counts.values_list("label", "count")) == {"OK": 2, "DEFECT": 1}
    assert sum(FlowBucket.objects.filter(session=session).values_list("count", flat=True)) == 4
    assert MonitorDay.objects.get(monitor=monitor).images == 4
    check_in_step(media)


def test_two_monitors_in_one_batch_are_kept_apart(organisation, monitor, session, media):
    other = create_monitor(organisation, slug="cam-2", by="test")
    second = start_monitor(other, by="ann")
    results = add_images(
        [NewImage(data=picture(number), monitor=(monitor, other)[number % 2]) for number in range(5)]
    )
    assert [added.session for added in results] == [(session, second)[number % 2].key for number in range(5)]
    check_in_step(media)


def test_a_session_without_a_monitor_takes_pictures_too(organisation, media, jpeg):
    session = sessions.open_session(organisation, kind="recording")
    added = add_image(NewImage(data=jpeg, session=session, idempotency_key="k"))
    assert Image.objects.get().monitor is None and added.session == session.key
    assert add_image(NewImage(data=jpeg, session=session, idempotency_key="k")).repeated
    check_in_step(media)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_picture_belongs_to_the_dataset_of_its_monitor_or_to_the_one_it_names(
    organisation, monitor, by_name
):
    own = Dataset.objects.create(organisation=organisation, name="own")
    change_monitor(monitor, by="ann", dataset=own)
    session = start_monitor(monitor, by="ann")
    where = {"session": session} if by_name else {"monitor": monitor}
    add_images(
        [NewImage(data=picture(1), **where), NewImage(data=picture(2), dataset_key="from-elsewhere", **where)]
    )
    keys = list(Image.objects.order_by("pk").values_list("dataset__key", flat=True))
    assert keys == [own.key, "from-elsewhere"]
    assert Dataset.objects.get(key="from-elsewhere").organisation == organisation


def test_the_same_dataset_id_of_two_organisations_is_two_datasets(monitor, session, other_organisation):
    foreign = create_monitor(other_organisation, slug="far", by="test")
    start_monitor(foreign, by="eve")
    add_images(
        [
            NewImage(data=picture(1), monitor=monitor, dataset_key="ds"),
            NewImage(data=picture(2), monitor=foreign, dataset_key="ds"),
        ]
    )
    assert Dataset.objects.filter(key="ds").count() == 2


# --- repeats --------------------------------------------------------------------------------------


def test_a_repeat_by_key_gets_the_first_answer_and_counts_once(monitor, session, media, jpeg):
    first = add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k-1"))
    again = add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k-1"))
    assert (again.key, again.session, again.repeated) == (first.key, session.key, True)
    check_in_step(media)
    assert Session.objects.get().total_counter == 1


def test_a_repeat_by_moment_and_content_counts_once(monitor, session, media, jpeg):
    taken_at = datetime.now(UTC)
    first = add_image(NewImage(data=jpeg, monitor=monitor, taken_at=taken_at))
    again = add_image(NewImage(data=jpeg, monitor=monitor, taken_at=taken_at))
    assert again == Added(first.key, session.key, repeated=True)
    other = add_image(NewImage(data=picture(1), monitor=monitor, taken_at=taken_at))
    assert not other.repeated
    check_in_step(media)


def test_the_same_content_at_another_moment_is_another_picture(monitor, session, media, jpeg):
    assert add_image(NewImage(data=jpeg, monitor=monitor)) != add_image(NewImage(data=jpeg, monitor=monitor))
    check_in_step(media)


def test_a_repeat_is_answered_after_the_stop_too(monitor, session, jpeg):
    first = add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k"))
    stop_monitor(monitor, by="ann")
    monitor.refresh_from_db()
    assert add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k")).key == first.key
    with pytest.raises(NotStarted):
        add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k-2"))


def test_a_key_with_another_picture_is_refused(monitor, session, media, jpeg):
    add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k"))
    with pytest.raises(IdempotencyMismatch) as caught:
        add_image(NewImage(data=picture(1), monitor=monitor, idempotency_key="k"))
    assert caught.value.status == 422
    check_in_step(media)


def test_keys_belong_to_their_monitor(organisation, monitor, session, media, jpeg):
    other = create_monitor(organisation, slug="cam-2", by="test")
    start_monitor(other, by="ann")
    first = add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k"))
    second = add_image(NewImage(data=jpeg, monitor=other, idempotency_key="k"))
    assert first.key != second.key and not second.repeated


def test_a_key_without_a_monitor_is_no_door_to_other_peoples_pictures(organisation, other_organisation, jpeg):
    ours = sessions.open_session(organisation, kind="recording")
    theirs = sessions.open_session(other_organisation, kind="recording")
    first = add_image(NewImage(data=jpeg, session=theirs, idempotency_key="k"))
    second = add_image(NewImage(data=jpeg, session=ours, idempotency_key="k"))
    assert second.key != first.key and second.session == ours.key


def test_repeats_inside_one_batch_count_once(monitor, session, media, jpeg):
    taken_at = datetime.now(UTC)
    results = add_images(
        [
            NewImage(data=jpeg, monitor=monitor, idempotency_key="k"),
            NewImage(data=jpeg, monitor=monitor, idempotency_key="k"),
            NewImage(data=picture(1), monitor=monitor, idempotency_key="k"),
            NewImage(data=picture(2), monitor=monitor, taken_at=taken_at),
            NewImage(data=picture(2), monitor=monitor, taken_at=taken_at),
        ]
    )
    assert results[1] == Added(results[0].key, session.key, repeated=True)
    assert isinstance(results[2], IdempotencyMismatch)
    assert results[4] == Added(results[3].key, session.key, repeated=True)
    check_in_step(media)
    assert Session.objects.get().total_counter == 2


def test_a_batch_of_nothing_but_repeats_writes_no_entry(monitor, session, media, jpeg, monkeypatch):
    first = add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k"))
    before = Session.objects.get()
    # The look ahead misses it, as it does when both come at once.
    monkeypatch.setattr("monitoring.services.images.first_answer", lambda new: None)
    again = add_image(NewImage(data=jpeg, monitor=monitor, idempotency_key="k"))
    after = Session.objects.get()
    assert again == Added(first.key, session.key, repeated=True)
    assert (after.last_seq, after.total_counter) == (before.last_seq, before.total_counter)
    check_in_step(media)


def sent_from_four_threads(new: NewImage) -> list[Added]:
    """What each of four calls at the same moment was answered."""
    barrier = threading.Barrier(4)
    results: list[Added] = []

    def send() -> None:
        barrier.wait(10)
        results.extend(add_images([new]))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.django_db(transaction=True)
def test_the_same_picture_from_many_threads_is_kept_once(monitor, session, media, jpeg):
    results = sent_from_four_threads(NewImage(data=jpeg, monitor=monitor, idempotency_key="k"))
    assert len({added.key for added in results}) == 1
    assert sorted(added.repeated for added in results) == [False, True, True, True]
    check_in_step(media)


@pytest.mark.django_db(transaction=True)
def test_a_key_of_a_session_without_a_monitor_counts_once_from_many_threads_too(organisation, media, jpeg):
    session = sessions.open_session(organisation, kind="recording")
    results = sent_from_four_threads(NewImage(data=jpeg, session=session, idempotency_key="k"))
    assert len({added.key for added in results}) == 1
    assert sorted(added.repeated for added in results) == [False, True, True, True]
    check_in_step(media)


def test_a_key_inside_one_batch_counts_once_without_a_monitor_too(organisation, media):
    session, other = (sessions.open_session(organisation, kind="recording") for _ in range(2))
    first, repeat, mismatch, elsewhere = add_images(
        [
            NewImage(data=picture(1), session=session, idempotency_key="k"),
            NewImage(data=picture(1), session=session, idempotency_key="k"),
            NewImage(data=picture(2), session=session, idempotency_key="k"),
            NewImage(data=picture(2), session=other, idempotency_key="k"),
        ]
    )
    assert repeat == Added(first.key, session.key, repeated=True)
    assert isinstance(mismatch, IdempotencyMismatch)
    assert (elsewhere.session, elsewhere.repeated) == (other.key, False)
    check_in_step(media)


def test_a_batch_for_what_runs_asks_the_tables_as_often_for_many_as_for_one(monitor, session, media):
    def send(numbers: range) -> int:
        batch = [
            NewImage(data=picture(number), monitor=monitor, idempotency_key=f"{number}") for number in numbers
        ]
        with CaptureQueriesContext(connection) as asked:
            assert not any(added.repeated for added in add_images(batch))
        return len(asked)

    send(range(1))
    assert send(range(1, 2)) == send(range(2, 12))
    check_in_step(media)


# --- refused --------------------------------------------------------------------------------------


def test_nothing_is_kept_where_nothing_runs(monitor, media, jpeg):
    with pytest.raises(NotStarted) as caught:
        add_image(NewImage(data=jpeg, monitor=monitor))
    assert (caught.value.status, caught.value.code) == (409, "not_started")
    check_in_step(media)


def test_a_session_in_error_takes_nothing_from_its_monitor(monitor, session, media, jpeg):
    sessions.move(session, State.ERROR)
    with pytest.raises(NotStarted):
        add_image(NewImage(data=jpeg, monitor=monitor))
    check_in_step(media)


def test_a_stop_between_the_check_and_the_commit_refuses_just_those(
    organisation, monitor, session, media, monkeypatch
):
    other = create_monitor(organisation, slug="cam-2", by="test")
    start_monitor(other, by="ann")
    commit = image_rows.commit

    def stop_first(pending) -> None:
        stop_monitor(monitor, by="bob")
        commit(pending)

    monkeypatch.setattr(image_rows, "commit", stop_first)
    refused, kept = add_images(
        [NewImage(data=picture(1), monitor=monitor), NewImage(data=picture(2), monitor=other)]
    )
    assert isinstance(refused, NotStarted) and isinstance(kept, Added)
    check_in_step(media)


def test_a_stop_between_the_check_and_the_commit_makes_late_what_names_its_session(
    monitor, session, media, monkeypatch
):
    commit = image_rows.commit

    def stop_first(pending) -> None:
        stop_monitor(monitor, by="bob")
        commit(pending)

    monkeypatch.setattr(image_rows, "commit", stop_first)
    before = session.started_at - timedelta(hours=1)
    kept, refused, live = add_images(
        [
            NewImage(data=picture(1), session=session, idempotency_key="k"),
            NewImage(data=picture(2), session=session, taken_at=before),
            NewImage(data=picture(3), monitor=monitor),
        ]
    )
    assert kept == Added(Image.objects.get().key, session.key)
    assert session.events.order_by("-seq").first().kind == "late_image_added"
    assert isinstance(refused, SessionOver) and isinstance(live, NotStarted)
    check_in_step(media)


@pytest.mark.parametrize("label", ["x" * 101, "two\nlines", "\x07"])
def test_a_label_that_cannot_be_shown_is_refused(monitor, session, media, jpeg, label):
    with pytest.raises(BadTag):
        add_image(NewImage(data=jpeg, monitor=monitor, label=label))
    check_in_step(media)


def test_a_full_disk_refuses_the_picture(monitor, session, media, jpeg, monkeypatch):
    monkeypatch.setattr("monitoring.disk.is_full", lambda: True)
    with pytest.raises(DiskFull):
        add_image(NewImage(data=jpeg, monitor=monitor))
    check_in_step(media)


def test_a_disk_that_fills_while_files_are_placed_refuses_all_of_them(monitor, session, media, monkeypatch):
    def no_room(batches) -> None:
        for batch in batches:
            batch.discard()
        raise NoRoom("the disk is full")

    monkeypatch.setattr(image_rows, "publish_files", no_room)
    results = add_images([NewImage(data=picture(number), monitor=monitor) for number in range(2)])
    assert [error.code for error in results] == ["disk_full", "disk_full"]
    check_in_step(media)


def test_the_quota_counts_originals_and_thumbnails_of_the_same_batch(monitor, session, media):
    add_image(NewImage(data=picture(1), monitor=monitor))
    size_bytes = Image.objects.get().size_bytes
    change_monitor(monitor, by="ann", quota_bytes=int(size_bytes * 2.5))
    results = add_images([NewImage(data=picture(number), monitor=monitor) for number in (2, 3, 4)])
    assert [type(result) for result in results] == [Added, QuotaExceeded, QuotaExceeded]
    assert (results[1].status, results[1].code) == (507, "quota_exceeded")
    check_in_step(media)


def test_a_repeat_whose_first_one_filled_the_quota_gets_its_answer(monitor, session, media, jpeg):
    new = NewImage(data=jpeg, monitor=monitor, idempotency_key="a")
    repeat = check(new).write()
    first = add_image(new)
    change_monitor(monitor, by="ann", quota_bytes=Image.objects.get().size_bytes)
    image_rows.commit([repeat])
    assert (repeat.result.key, repeat.result.repeated) == (first.key, True)
    check_in_step(media)


def test_a_repeat_takes_no_room_from_what_comes_with_it(monitor, session, media, jpeg):
    old = NewImage(data=jpeg, monitor=monitor, idempotency_key="a")
    first = add_image(old)
    add_image(NewImage(data=picture(1), monitor=monitor))
    change_monitor(monitor, by="ann", quota_bytes=Monitor.objects.get().stored_bytes + 1100)
    repeat, kept, full = add_images([old, *(NewImage(data=picture(n), monitor=monitor) for n in (2, 3))])
    assert repeat == Added(first.key, session.key, repeated=True)
    assert isinstance(kept, Added) and isinstance(full, QuotaExceeded)
    check_in_step(media)


def test_repeats_inside_one_batch_take_room_once(monitor, session, media, jpeg):
    add_image(NewImage(data=jpeg, monitor=monitor))
    change_monitor(monitor, by="ann", quota_bytes=int(Image.objects.get().size_bytes * 2.5))
    new = NewImage(data=picture(1), monitor=monitor, idempotency_key="a")
    first, second = add_images([new, new])
    assert (second.key, second.repeated) == (first.key, True)
    check_in_step(media)


def test_one_refused_picture_never_fails_its_batch(monitor, session, media):
    results = add_images(
        [
            NewImage(data=picture(1), monitor=monitor),
            NewImage(data=b"no picture", monitor=monitor),
            NewImage(data=picture(2)[:-40], monitor=monitor),
            NewImage(data=b"", monitor=monitor),
            NewImage(data=picture(3), monitor=monitor, idempotency_key="k" * 201),
            NewImage(data=picture(4), monitor=monitor, dataset_key="d" * 101),
            NewImage(data=picture(5), monitor=monitor),
        ]
    )
    assert [isinstance(result, Added) for result in results] == [True, *[False] * 5, True]
    assert [error.code for error in results[1:4]] == ["not_a_picture"] * 3
    check_in_step(media)


# --- late -----------------------------------------------------------------------------------------


@pytest.fixture
def ended(monitor, session):
    """The session of `monitor`, an hour long and over."""
    stop_monitor(monitor, by="ann")
    session.refresh_from_db()
    Session.objects.filter(pk=session.pk).update(started_at=session.stopped_at - timedelta(hours=1))
    session.refresh_from_db()
    return session


def test_a_late_picture_goes_by_name_into_the_session_that_ran_then(
    monitor, ended, media, jpeg, published, django_capture_on_commit_callbacks
):
    taken_at = ended.stopped_at - timedelta(minutes=30)
    before = Monitor.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        added = add_image(NewImage(data=jpeg, session=ended, taken_at=taken_at))
    after = Session.objects.get()
    assert (added.session, after.total_counter, after.state) == (ended.key, 1, State.COMPLETED)
    assert after.last_item_at is None
    entry = after.events.order_by("-seq").first()
    assert (entry.kind, entry.detail["count"]) == ("late_image_added", 1)
    now = Monitor.objects.get()
    assert (now.last_image, now.last_item_at) == (before.last_image, before.last_item_at)
    assert now.revision == before.revision + 1
    assert not FlowBucket.objects.exists()
    assert set(published) == {f"session:{ended.key}", "monitor:cam-1", "fleet:default"}
    check_in_step(media)


@pytest.mark.parametrize("seconds", [-3601, 1])
def test_a_late_picture_from_outside_the_window_is_refused(ended, media, jpeg, seconds):
    with pytest.raises(SessionOver) as caught:
        add_image(NewImage(data=jpeg, session=ended, taken_at=ended.stopped_at + timedelta(seconds=seconds)))
    assert (caught.value.status, caught.value.code) == (409, "session_over")
    assert caught.value.details["session"] == ended.key
    check_in_step(media)


@pytest.mark.parametrize("end", ["started_at", "stopped_at"])
def test_the_window_is_as_wide_as_its_milliseconds_are_shown(ended, media, jpeg, end):
    Session.objects.filter(pk=ended.pk).update(
        started_at=ended.started_at.replace(microsecond=123_456),
        stopped_at=ended.stopped_at.replace(microsecond=123_456),
    )
    ended.refresh_from_db()
    shown = parse_iso(iso(getattr(ended, end)))
    for taken_at in (shown, shown + timedelta(microseconds=999)):
        assert add_image(NewImage(data=jpeg, session=ended, taken_at=taken_at)).session == ended.key
    check_in_step(media)


def test_a_late_picture_without_a_time_would_be_of_now_and_is_refused(ended, jpeg):
    with pytest.raises(SessionOver):
        add_image(NewImage(data=jpeg, session=ended))


def test_a_late_repeat_counts_once(ended, media, jpeg):
    taken_at = ended.stopped_at - timedelta(minutes=1)
    first = add_image(NewImage(data=jpeg, session=ended, taken_at=taken_at))
    again = add_image(NewImage(data=jpeg, session=ended, taken_at=taken_at))
    assert (again.key, again.repeated) == (first.key, True)
    check_in_step(media)


def test_late_and_live_pictures_of_one_batch_each_go_their_way(monitor, ended, media):
    running = start_monitor(monitor, by="ann")
    late_at = ended.stopped_at - timedelta(minutes=1)
    results = add_images(
        [
            NewImage(data=picture(1), monitor=monitor),
            NewImage(data=picture(2), session=ended, taken_at=late_at),
            NewImage(data=picture(3), session=running),
            NewImage(data=picture(4), session=ended, taken_at=late_at + timedelta(seconds=1)),
        ]
    )
    assert [added.session for added in results] == [running.key, ended.key, running.key, ended.key]
    assert Monitor.objects.get().last_image.key == results[2].key
    check_in_step(media)


# --- counters after edits -------------------------------------------------------------------------


def test_deleting_and_restoring_moves_the_counts_but_never_the_total(monitor, session, media, jpeg):
    add_image(NewImage(data=jpeg, monitor=monitor, label="OK"))
    image = Image.objects.get()
    for step, kept in ((delete_image, 0), (delete_image, 0), (restore_image, 1), (restore_image, 1)):
        step(image, by="ann")
        now = Session.objects.get()
        assert (now.total_counter, now.image_count) == (1, kept)
        check_in_step(media)


# --- the database fails ---------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch):
    """Makes the insert of chosen pictures fail, as the database would, and counts the tries."""

    def fail(error: Exception, is_bad=lambda row: True) -> list[int]:
        tries: list[int] = []
        insert = store.insert_images

        def insert_or_fail(rows):
            tries.append(len(rows))
            if any(is_bad(row) for row in rows):
                raise error
            return insert(rows)

        monkeypatch.setattr(store, "insert_images", insert_or_fail)
        return tries

    return fail


@pytest.mark.parametrize("error", [DataError("no such value"), IntegrityError("no such row")], ids=str)
def test_a_row_that_the_database_refuses_fails_alone(monitor, session, media, failing, error):
    tries = failing(error, lambda row: row.name == "bad.jpg")
    names = ["1.jpg", "2.jpg", "bad.jpg", "4.jpg", "5.jpg"]
    results = add_images(
        [NewImage(data=picture(number), monitor=monitor, name=name) for number, name in enumerate(names)]
    )
    assert [type(result) for result in results] == [Added, Added, Unstorable, Added, Added]
    assert results[2].status == 422
    assert tries[0] == 5 and len(tries) <= 6
    check_in_step(media)


def test_a_database_that_is_away_is_asked_once_and_the_batch_may_come_again(monitor, session, media, failing):
    tries = failing(OperationalError("database is locked"))
    batch = [
        NewImage(data=picture(number), monitor=monitor, idempotency_key=str(number)) for number in range(8)
    ]
    results = add_images(batch)
    assert {type(result) for result in results} == {Busy} and tries == [8]
    assert results[0].retry_after_s == 1
    check_in_step(media)


def test_when_nobody_knows_of_the_commit_the_database_is_asked(monitor, session, media, monkeypatch):
    atomic = transaction.atomic

    class DiesInTheCommit:
        """The commit has gone through, then the connection breaks."""

        def __enter__(self) -> None:
            self._inner = atomic()
            self._inner.__enter__()

        def __exit__(self, *exc) -> None:
            self._inner.__exit__(*exc)
            if exc[0] is None:
                raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(image_rows.transaction, "atomic", DiesInTheCommit)
        results = add_images([NewImage(data=picture(number), monitor=monitor) for number in range(2)])
    assert [(type(added), added.session, added.repeated) for added in results] == [
        (Added, session.key, False)
    ] * 2
    check_in_step(media)


def test_while_the_database_is_silent_the_files_wait_for_the_next_start(
    monitor, session, media, failing, monkeypatch
):
    failing(OperationalError("gone"))

    class Silent:
        def filter(self, **lookups):
            raise OperationalError("gone")

    monkeypatch.setattr(image_rows.Image, "objects", Silent())
    monkeypatch.setattr("monitoring.services.images.first_answer", lambda new: None)
    [result] = add_images([NewImage(data=picture(1), monitor=monitor)])
    assert isinstance(result, Busy)
    assert len(files_in(media)) == 2, "nobody knows whether a row names them"


def test_an_error_in_our_own_code_acknowledges_nothing(monitor, session, media, monkeypatch):
    def broken(*args) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(image_rows, "_add_to_monitor", broken)
    pending = [check(NewImage(data=picture(1), monitor=monitor)).write()]
    with pytest.raises(ZeroDivisionError):
        image_rows.commit(pending)
    assert [item.result for item in pending] == [None]
    assert not Image.objects.exists() and Session.objects.get().total_counter == 0


def test_an_unexpected_error_in_a_check_leaves_no_file_waiting(monitor, session, media, monkeypatch):
    inspect = imaging.inspect

    def inspect_or_fail(data: bytes):
        if data == b"fatal":
            raise ZeroDivisionError
        return inspect(data)

    monkeypatch.setattr(imaging, "inspect", inspect_or_fail)
    with pytest.raises(ZeroDivisionError):
        add_images([NewImage(data=picture(1), monitor=monitor), NewImage(data=b"fatal", monitor=monitor)])
    check_in_step(media)
