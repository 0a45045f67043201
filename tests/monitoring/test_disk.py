"""Room on the disk: how much is left, how long it lasts, and when uploads are refused."""

from __future__ import annotations

from collections import namedtuple
from datetime import UTC, date, datetime

import pytest

from monitoring import disk
from monitoring.models import Image, MonitorDay
from monitoring.services import DiskFull, NewImage, add_image, start_monitor, stop_monitor

Usage = namedtuple("Usage", "total used free")
GIB = 1024**3


@pytest.fixture
def free(monkeypatch, settings):
    """Sets the free bytes of a disk of 100 GiB; the reserve is 1 GiB."""
    settings.DISK_RESERVE_BYTES = GIB

    def set_free(free_bytes: int) -> None:
        usage = Usage(100 * GIB, 100 * GIB - free_bytes, free_bytes)
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage)
        monkeypatch.setattr(disk, "_ample", None)

    return set_free


def test_without_pictures_nobody_knows_how_long_it_lasts(db, free):
    free(50 * GIB)
    assert disk.disk_state() == {
        "free_bytes": 50 * GIB,
        "total_bytes": 100 * GIB,
        "reserve_bytes": GIB,
        "days_left": None,
        "status": "ok",
    }


@pytest.mark.parametrize(
    ("free_bytes", "status"), [(3 * GIB, "ok"), (2 * GIB - 1, "low"), (GIB, "low"), (GIB - 1, "full")]
)
def test_the_status_follows_the_free_bytes(db, free, free_bytes, status):
    free(free_bytes)
    assert disk.disk_state()["status"] == status
    assert disk.is_full() is (status == "full")


def test_days_left_go_by_the_rate_since_the_start_of_yesterday(monitor):
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    MonitorDay.objects.create(monitor=monitor, day=date(2026, 3, 8), size_bytes=99 * GIB)
    MonitorDay.objects.create(monitor=monitor, day=date(2026, 3, 9), size_bytes=2 * GIB)
    MonitorDay.objects.create(monitor=monitor, day=date(2026, 3, 10), size_bytes=GIB)
    assert disk.bytes_per_day(now) == pytest.approx(2 * GIB)  # 3 GiB in 36 hours


def test_on_a_new_server_the_rate_is_that_since_its_first_picture(image):
    MonitorDay.objects.all().delete()
    MonitorDay.objects.create(monitor=image.monitor, day=date(2026, 3, 10), size_bytes=GIB)
    Image.objects.update(received_at=datetime(2026, 3, 10, 10, tzinfo=UTC))
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert disk.bytes_per_day(now) == pytest.approx(12 * GIB)  # 1 GiB in two hours
    MonitorDay.objects.create(monitor=image.monitor, day=date(2026, 3, 8), size_bytes=1)
    assert disk.bytes_per_day(now) == pytest.approx(2 * GIB)


def test_a_first_picture_just_after_midnight_is_no_rate_of_terabytes(monitor):
    MonitorDay.objects.create(monitor=monitor, day=date(2026, 3, 10), size_bytes=1000)
    assert disk.bytes_per_day(datetime(2026, 3, 10, 0, 0, 1, tzinfo=UTC)) == pytest.approx(24000)


def test_few_days_left_read_as_low(monitor, session, jpeg, free, monkeypatch):
    free(50 * GIB)
    monkeypatch.setattr(disk, "bytes_per_day", lambda: 24.5 * GIB)
    assert disk.disk_state()["days_left"] == 2.0
    assert disk.disk_state()["status"] == "low"


def test_below_the_reserve_uploads_are_refused_and_everything_else_works(monitor, jpeg, free):
    free(GIB - 1)
    start_monitor(monitor, by="ann")
    with pytest.raises(DiskFull) as caught:
        add_image(NewImage(data=jpeg, monitor=monitor))
    assert (caught.value.status, caught.value.code) == (507, "disk_full")
    assert stop_monitor(monitor, by="ann").total_counter == 0


def test_the_forecast_is_of_the_fuller_disk_too(db, monkeypatch, settings, tmp_path):
    settings.DISK_RESERVE_BYTES, settings.MEDIA_ROOT = GIB, tmp_path
    free_bytes = {tmp_path: 5 * GIB}
    monkeypatch.setattr(
        disk.shutil, "disk_usage", lambda path: Usage(100 * GIB, 0, free_bytes.get(path, 50 * GIB))
    )
    assert disk.forecast().free_bytes == disk.disk_state()["free_bytes"] == 5 * GIB
