"""cleanup_sessions: what it closes, purges and removes, and everything it must not touch."""

from __future__ import annotations

import io
import os
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from monitoring.models import Image, Monitor, Tag
from monitoring.services import (
    NewImage,
    add_image,
    add_tag,
    cleanup,
    create_monitor,
    delete_image,
    restore_image,
    retention,
    start_monitor,
    stop_monitor,
)
from sessions_app.models import LabelCount, Session
from sessions_app.states import State
from sessionsite.accounts.models import AuditEntry
from sessionsite.common.files import media_file, media_root
from tests.pictures import picture

START = "2026-03-01T08:00:00Z"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """A media folder of the test's own: what other tests left is no orphan of this one."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as clock:
        yield clock


@pytest.fixture
def cleanup_sessions(django_capture_on_commit_callbacks):
    """cleanup_sessions("--dry-run") -> what the command printed, both channels."""

    def run(*words: str) -> str:
        printed = io.StringIO()
        with django_capture_on_commit_callbacks(execute=True):
            call_command("cleanup_sessions", *words, stdout=printed, stderr=printed)
        return printed.getvalue()

    return run


def post(monitor, number: int = 0, **about) -> Image:
    return Image.objects.get(key=add_image(NewImage(data=picture(number), monitor=monitor, **about)).key)


def files_of(image: Image) -> list:
    return [media_file(image.file_path), media_file(image.thumbnail_path)]


def orphan(name: str = "im_01kaj00000000000000000000z.jpg", *, hours: float = 2, size: int = 100):
    """A media file that no row names, so many hours old."""
    path = media_root() / "default" / "2026" / "01" / "02" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    moment = timezone.now().timestamp() - hours * 3600
    os.utime(path, (moment, moment))
    return path


def grow_old() -> None:
    """Every file is two hours old."""
    moment = timezone.now().timestamp() - 7200
    for path in media_root().rglob("*"):
        if path.is_file():
            os.utime(path, (moment, moment))


# -- stale sessions ------------------------------------------------------------------------------------------


def test_a_session_that_took_nothing_for_long_is_interrupted(monitor, clock, cleanup_sessions):
    session = start_monitor(monitor, by="ann")
    clock.shift(timedelta(hours=11))
    assert session.key not in cleanup_sessions()
    clock.shift(timedelta(hours=2))
    assert f"would close session {session.key} on cam-1" in cleanup_sessions("--dry-run")
    session.refresh_from_db()
    assert session.is_open
    assert "reason stale" in cleanup_sessions()
    session.refresh_from_db()
    assert (session.state, session.end_reason) == (State.INTERRUPTED, "stale")
    assert list(session.events.values_list("kind", flat=True)) == ["started", "stale", "stopped"]
    monitor.refresh_from_db()
    start_monitor(monitor, by="ann")


def test_a_picture_keeps_a_session_open(monitor, clock, cleanup_sessions):
    session = start_monitor(monitor, by="ann")
    clock.shift(timedelta(hours=11))
    post(monitor)
    clock.shift(timedelta(hours=11))
    cleanup_sessions()
    session.refresh_from_db()
    assert session.is_open


def test_a_picture_that_comes_before_the_close_saves_the_session(monitor, clock):
    session = start_monitor(monitor, by="ann")
    clock.shift(timedelta(hours=13))
    [seen] = cleanup.stale_sessions(timedelta(hours=12))
    post(monitor)
    assert cleanup.close_if_stale(seen, timedelta(hours=12)) is False
    session.refresh_from_db()
    assert session.is_open


def test_none_is_closed_where_the_term_is_none(monitor, clock, cleanup_sessions, settings):
    start_monitor(monitor, by="ann")
    clock.shift(timedelta(days=400))
    settings.SESSION_STALE_AFTER_S = None
    assert cleanup.close_stale_sessions() == 0
    cleanup_sessions("--stale-after", "0")
    assert Session.objects.get().is_open
    settings.SESSION_STALE_AFTER_S = 3600
    assert cleanup.close_stale_sessions() == 1


# -- files and rows ------------------------------------------------------------------------------------------


def test_a_file_without_a_row_goes_after_an_hour_and_its_empty_folders_with_it(
    monitor, session, cleanup_sessions
):
    image = post(monitor)
    old, young = orphan(), orphan("im_01kaj00000000000000000000y.jpg", hours=0.5)
    assert "default/2026/01/02/im_01kaj00000000000000000000z.jpg: 100 bytes" in cleanup_sessions("--dry-run")
    assert old.exists()
    assert "removed 1 files without a row, 100 bytes" in cleanup_sessions()
    assert not old.exists() and young.exists()
    assert all(path.exists() for path in files_of(image))
    os.utime(young, (1, 1))
    cleanup_sessions()
    assert not (media_root() / "default" / "2026" / "01").exists()


def test_files_that_rows_name_stay_however_old(monitor, session, cleanup_sessions):
    image = post(monitor)
    grow_old()
    delete_image(image, by="test")
    cleanup_sessions("--force")
    assert all(path.exists() for path in files_of(image))


def test_a_file_with_a_rows_key_in_another_place_is_without_a_row(monitor, session, cleanup_sessions):
    image = post(monitor)
    copy = orphan(f"{image.key}.png")
    cleanup_sessions()
    assert not copy.exists()
    assert all(path.exists() for path in files_of(image))


def test_what_is_no_media_file_is_left_and_counted(monitor, session, cleanup_sessions):
    post(monitor)
    note = media_root() / "README"
    note.write_text("mine")
    link = media_root() / "default" / "link.jpg"
    link.symlink_to(note)
    for path in (note, link):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert "2 that are no media files" in cleanup_sessions("--force")
    assert note.exists() and link.is_symlink()


def test_the_files_of_a_process_at_work_are_left(monitor, session, cleanup_sessions):
    post(monitor)
    inflight = [path for path in (media_root() / "inflight").rglob("*") if path.is_file()]
    assert inflight
    grow_old()
    cleanup_sessions("--force")
    assert all(path.exists() for path in inflight)


def test_a_missing_file_is_told_and_its_row_stays(monitor, session, cleanup_sessions):
    image = post(monitor)
    files_of(image)[0].unlink()
    printed = cleanup_sessions()
    assert f"missing: {image.file_path} of {image.key}" in printed
    assert "1 files that rows name are missing; nothing was changed" in printed
    assert Image.objects.filter(pk=image.pk).exists()


def test_more_than_half_of_all_files_is_refused(monitor, session, cleanup_sessions):
    post(monitor)
    orphans = [orphan(f"im_01kaj0000000000000000000{number}z.jpg") for number in range(3)]
    assert "3 of 5 files would be removed, more than half" in cleanup_sessions("--dry-run")
    with pytest.raises(CommandError, match="3 of 5 files .* Nothing was removed"):
        cleanup_sessions()
    assert all(path.exists() for path in orphans)
    cleanup_sessions("--force")
    assert not any(path.exists() for path in orphans)


def test_a_wrong_media_folder_removes_nothing(monitor, session, cleanup_sessions, settings, tmp_path):
    """Rows and files that do not belong together at all: the brake holds."""
    post(monitor)
    grow_old()
    Image.objects.all().delete()
    with pytest.raises(CommandError, match="2 of 2 files"):
        cleanup_sessions()
    settings.MEDIA_ROOT = tmp_path / "nothing-here"
    assert "0 media files" in cleanup_sessions()


def test_left_over_temporary_files_go_after_an_hour(monitor, session, settings, cleanup_sessions):
    post(monitor)
    old, young = settings.FILE_UPLOAD_TEMP_DIR / "a.upload", settings.FILE_UPLOAD_TEMP_DIR / "b.upload"
    half = media_root() / "default" / ".im_x.jpg.0f0f.part"
    for path in (old, young, half):
        path.write_bytes(b"half")
    for path in (old, half):
        os.utime(path, (1, 1))
    assert "would remove 2 left-over temporary files, 8 bytes" in cleanup_sessions("--dry-run")
    assert "removed 2 left-over temporary files, 8 bytes" in cleanup_sessions()
    assert (old.exists(), half.exists(), young.exists()) == (False, False, True)


# -- pictures past their term --------------------------------------------------------------------------------


@pytest.fixture
def ended(monitor, clock) -> Session:
    """A session that ended on the first of March with three pictures: two labels, a box, one deleted."""
    start_monitor(monitor, by="ann")
    images = [post(monitor, number, label=label) for number, label in enumerate(["OK", "OK", "dent"])]
    add_tag(images[2], label="scratch", x=0, y=0, w=1, h=1, by="ann")
    delete_image(images[0], by="ann")
    return stop_monitor(monitor, by="ann")


@pytest.fixture
def busy(organisation, ended) -> list[Image]:
    """Pictures of a session that runs on another monitor: enough of them that the brake does not hold."""
    other = create_monitor(organisation, slug="cam-2", by="test")
    start_monitor(other, by="ann")
    return [post(other, 100 + number) for number in range(4)]


def test_pictures_go_so_many_days_after_the_end_of_their_session(
    monitor, ended, busy, clock, cleanup_sessions
):
    mine = list(Image.objects.filter(session=ended))
    clock.shift(timedelta(days=30) - timedelta(seconds=1))
    cleanup_sessions("--retention-days", "30")
    assert Image.objects.filter(session=ended).count() == 3
    clock.shift(timedelta(seconds=2))
    size_bytes = sum(image.size_bytes for image in mine)
    printed = cleanup_sessions("--retention-days", "30", "--dry-run")
    assert f"would purge session {ended.key}: 3 pictures, {size_bytes:,} bytes; reason retention" in printed
    assert Image.objects.filter(session=ended).count() == 3

    printed = cleanup_sessions("--retention-days", "30")
    assert f"purged session {ended.key}" in printed and "3 pictures" in printed
    assert not Image.objects.filter(session=ended).exists()
    assert not Tag.objects.exists()
    assert not any(path.exists() for image in mine for path in files_of(image))
    ended.refresh_from_db()
    assert (ended.total_counter, ended.image_count, ended.size_bytes) == (3, 0, 0)
    assert not LabelCount.objects.filter(session=ended, count__gt=0).exists()
    assert Monitor.objects.get(slug="cam-1").stored_bytes == 0
    detail = ended.events.get(kind="images_purged").detail
    assert detail == {"count": 3, "size_bytes": size_bytes, "reason": "retention", "by": "cleanup"}


def test_open_sessions_lose_nothing(ended, busy, clock, cleanup_sessions):
    delete_image(busy[0], by="ann")
    clock.shift(timedelta(hours=11))
    cleanup_sessions("--retention-days", "0", "--deleted-days", "0", "--force")
    assert Image.objects.count() == 4
    assert all(path.exists() for image in busy for path in files_of(image))


def test_no_term_means_for_ever(ended, busy, clock, cleanup_sessions, settings):
    assert settings.RETENTION_DAYS is None
    settings.DELETED_DAYS = None
    clock.shift(timedelta(days=4000))
    cleanup_sessions("--stale-after", "0")
    retention.purge_in_background()
    assert Image.objects.count() == 7


def test_deleted_pictures_go_after_their_term_and_restored_ones_stay(
    monitor, ended, busy, clock, cleanup_sessions
):
    gone = Image.objects.get(deleted_at__isnull=False)
    restored = Image.objects.filter(session=ended, deleted_at__isnull=True).first()
    delete_image(restored, by="ann")
    clock.shift(timedelta(days=31))
    printed = cleanup_sessions("--dry-run")
    assert (
        f"would purge picture {gone.key}" in printed and "would purge deleted pictures: 2 pictures" in printed
    )
    restore_image(restored, by="ann")
    assert "purged deleted pictures: 1 pictures" in cleanup_sessions()
    assert not Image.objects.filter(pk=gone.pk).exists()
    assert not any(path.exists() for path in files_of(gone))
    ended.refresh_from_db()
    assert (ended.total_counter, ended.image_count) == (3, 2)
    counts = LabelCount.objects.filter(session=ended, of=LabelCount.IMAGE, count__gt=0)
    assert dict(counts.values_list("label", "count")) == {"OK": 1, "dent": 1}


def test_a_deleted_picture_of_no_session_is_in_the_audit_trail(ended, busy, clock, cleanup_sessions):
    image = Image.objects.get(deleted_at__isnull=False)
    Image.objects.filter(pk=image.pk).update(session=None)
    clock.shift(timedelta(days=31))
    cleanup_sessions()
    entry = AuditEntry.objects.get(verb="images_purged")
    assert entry.before["images"] == [image.key]


def test_large_sessions_go_in_bounded_batches(ended, busy, clock, monkeypatch):
    monkeypatch.setattr(cleanup, "BATCH", 2)
    clock.shift(timedelta(days=1))
    steps = [purged.images for purged in cleanup.purge_session(ended, timezone.now())]
    assert steps == [2, 1]


def test_retention_over_more_than_half_needs_a_person(ended, clock, cleanup_sessions, settings, caplog):
    clock.shift(timedelta(days=31))
    settings.RETENTION_DAYS = 30
    settings.DELETED_DAYS = None
    assert retention.purge_in_background().images == 0
    assert "more than half: run cleanup_sessions --force once" in caplog.text
    with pytest.raises(CommandError, match="6 of 6 files"):
        cleanup_sessions("--retention-days", "30")
    assert Image.objects.count() == 3
    cleanup_sessions("--retention-days", "30", "--force")
    assert Image.objects.count() == 0


def test_the_background_does_the_same(ended, busy, clock, settings, django_capture_on_commit_callbacks):
    mine = list(Image.objects.filter(session=ended))
    settings.RETENTION_DAYS, settings.DELETED_DAYS = 30, 10
    clock.shift(timedelta(days=11))
    with django_capture_on_commit_callbacks(execute=True):
        assert retention.purge_in_background().images == 1
    clock.shift(timedelta(days=20))
    with django_capture_on_commit_callbacks(execute=True):
        assert retention.purge_in_background().images == 2
    assert not any(path.exists() for image in mine for path in files_of(image))


@pytest.mark.parametrize("option", ["--retention-days", "--deleted-days", "--stale-after"])
def test_a_negative_term_is_refused(option, db, cleanup_sessions):
    with pytest.raises(CommandError, match="must not be negative"):
        cleanup_sessions(option, "-1")


def test_a_second_run_finds_nothing_to_do(ended, busy, clock, cleanup_sessions):
    orphan()
    clock.shift(timedelta(days=31))
    cleanup_sessions("--retention-days", "30")
    grow_old()
    printed = cleanup_sessions("--retention-days", "30")
    assert printed.count("\n") == 1 and printed.startswith("8 media files")
