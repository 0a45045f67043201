"""doctor: a sound site has no fault, each planted one is found as what it is, and repairs mend it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from monitoring.models import Dataset, Image, Monitor, MonitorDay
from monitoring.services import doctor as doctors
from monitoring.services import quarantine
from sessions_app.models import FlowBucket, LabelCount, Session, SessionEvent, SessionMinute
from sessionsite.accounts.models import AuditEntry
from sessionsite.common.files import media_root
from tests.keep.conftest import Site, grow_old, original, orphan, thumbnail

pytestmark = pytest.mark.django_db


def test_a_sound_site_has_no_fault(site, doctor):
    grow_old()
    report = doctor("--hashes")
    assert (report.code, report.faults, report.left) == (0, {}, 0)
    assert report.checked["pictures"] == report.checked["hashed"] == 5
    assert (report.checked["media_files"], report.checked["sessions"], report.checked["monitors"]) == (
        10,
        2,
        2,
    )


def test_the_report_says_how_many_hashes_it_read(site):
    printed = io.StringIO()
    call_command("doctor", "--sample", "2", stdout=printed)
    assert "read and hashed 3 of 5 originals (--hashes reads all)" in printed.getvalue() or (
        "read and hashed 2 of 5 originals" in printed.getvalue()
    )
    assert "no fault found" in printed.getvalue()


# -- every planted fault -------------------------------------------------------------------------------------


def lose_an_original(site: Site) -> str:
    original(site.images[1]).unlink()
    return site.images[1].key


def lose_a_thumbnail(site: Site) -> str:
    thumbnail(site.images[1]).unlink()
    return site.images[1].key


def change_a_byte(site: Site) -> str:
    data = bytearray(original(site.images[3]).read_bytes())
    data[-10] ^= 1
    original(site.images[3]).write_bytes(data)
    return site.images[3].key


def cut_an_original(site: Site) -> str:
    path = original(site.images[4])
    path.write_bytes(path.read_bytes()[:-5])
    return site.images[4].key


def cut_a_thumbnail(site: Site) -> str:
    path = thumbnail(site.images[4])
    path.write_bytes(path.read_bytes()[:-5])
    return site.images[4].key


def say_another_size(site: Site) -> str:
    image = site.images[2]
    Image.objects.filter(pk=image.pk).update(size_bytes=F("size_bytes") + 7)
    Session.objects.filter(pk=site.ended.pk).update(size_bytes=F("size_bytes") + 7)
    Monitor.objects.filter(slug="cam-1").update(stored_bytes=F("stored_bytes") + 7)
    return image.key


def leave_an_orphan(site: Site) -> str:
    return orphan().relative_to(media_root()).as_posix()


def leave_a_half_file(site: Site) -> str:
    path = media_root() / "default" / ".im_x.jpg.0f0f.part"
    path.write_bytes(b"half")
    os.utime(path, (1, 1))
    return str(path)


def leave_a_dead_process(site: Site) -> str:
    folder = media_root() / "inflight" / "999999-dead"
    folder.mkdir()
    (folder / "1.part").write_bytes(b"half")
    (folder / "lock").touch()
    return folder.name


def miscount_a(field: str) -> Callable[[Site], str]:
    def plant(site: Site) -> str:
        Session.objects.filter(pk=site.running.pk).update(**{field: F(field) + 3})
        return site.running.key

    return plant


def miscount_stored_bytes(site: Site) -> str:
    Monitor.objects.filter(slug="cam-1").update(stored_bytes=1)
    return "cam-1"


def miscount_a_label(site: Site) -> str:
    LabelCount.objects.filter(session=site.ended, label="OK").update(count=9)
    return site.ended.key


def miscount_a_box_label(site: Site) -> str:
    LabelCount.objects.filter(session=site.ended, of=LabelCount.BOX).delete()
    return site.ended.key


def invent_a_label(site: Site) -> str:
    LabelCount.objects.create(session=site.running, of=LabelCount.IMAGE, label="ghost", count=2)
    return site.running.key


def miscount_a_second(site: Site) -> str:
    FlowBucket.objects.filter(session=site.running).update(count=F("count") + 5)
    return site.running.key


def miscount_a_minute(site: Site) -> str:
    SessionMinute.objects.filter(session=site.ended).update(count=F("count") + 5)
    return site.ended.key


def miscount_a_day(site: Site) -> str:
    MonitorDay.objects.filter(monitor__slug="cam-2").update(images=F("images") + 1)
    return "cam-2"


def lose_an_entry(site: Site) -> str:
    SessionEvent.objects.filter(session=site.ended, seq=2).exclude(kind="images_added").delete()
    SessionEvent.objects.filter(session=site.ended, kind="image_deleted").delete()
    return site.ended.key


def lose_the_last_entry(site: Site) -> str:
    SessionEvent.objects.filter(session=site.ended, kind="stopped").delete()
    return site.ended.key


def forget_a_number(site: Site) -> str:
    Session.objects.filter(pk=site.ended.pk).update(last_seq=F("last_seq") - 1)
    return site.ended.key


def show_a_deleted_picture(site: Site) -> str:
    Monitor.objects.filter(slug="cam-1").update(last_image=site.images[0])
    return "cam-1"


def show_a_foreign_session(site: Site) -> str:
    Monitor.objects.filter(slug="cam-1").update(current_session=site.running)
    return "cam-1"


def forget_the_open_session(site: Site) -> str:
    Monitor.objects.filter(slug="cam-2").update(current_session=None)
    return "cam-2"


def belong_to_two(site: Site) -> str:
    from sessionsite.accounts.services import create_organisation

    other = create_organisation("elsewhere", by="test")
    dataset = Dataset.objects.create(organisation=other, name="theirs")
    Image.objects.filter(pk=site.images[1].pk).update(dataset=dataset)
    return site.images[1].key


def end_without_a_time(site: Site) -> str:
    Session.objects.filter(pk=site.ended.pk).update(stopped_at=None)
    return site.ended.key


PLANTED = [
    ("missing_file", lose_an_original),
    ("missing_thumbnail", lose_a_thumbnail),
    ("wrong_hash", change_a_byte),
    ("wrong_hash", cut_an_original),
    ("damaged_thumbnail", cut_a_thumbnail),
    ("wrong_size", say_another_size),
    ("orphan", leave_an_orphan),
    ("left_over", leave_a_half_file),
    ("dead_lease", leave_a_dead_process),
    ("wrong_counter", miscount_a("total_counter")),
    ("wrong_counter", miscount_a("image_count")),
    ("wrong_counter", miscount_a("size_bytes")),
    ("wrong_counter", miscount_stored_bytes),
    ("wrong_labels", miscount_a_label),
    ("wrong_labels", miscount_a_box_label),
    ("wrong_labels", invent_a_label),
    ("wrong_buckets", miscount_a_second),
    ("wrong_buckets", miscount_a_minute),
    ("wrong_days", miscount_a_day),
    ("journal_gap", lose_an_entry),
    ("wrong_last_seq", lose_the_last_entry),
    ("wrong_last_seq", forget_a_number),
    ("wrong_pointer", show_a_deleted_picture),
    ("wrong_pointer", show_a_foreign_session),
    ("wrong_pointer", forget_the_open_session),
    ("wrong_owner", belong_to_two),
    ("wrong_times", end_without_a_time),
]
NAMES = [f"{kind}-{plant.__qualname__.split('.')[0]}-{n}" for n, (kind, plant) in enumerate(PLANTED)]


@pytest.mark.parametrize("kind, plant", PLANTED, ids=NAMES)
def test_a_planted_fault_is_found_alone_and_repaired_where_it_can_be(site, doctor, kind, plant):
    where = plant(site)
    report = doctor("--hashes")
    assert report.found() == {kind: [where]}
    assert report.code == 1

    before = SessionEvent.objects.count() + AuditEntry.objects.count()
    repaired = doctor("--hashes", "--repair")
    if not doctors.KINDS[kind].repair:
        assert (repaired.code, repaired.left) == (1, 1)
        return
    assert (repaired.code, repaired.left) == (0, 0), repaired.repairs
    assert SessionEvent.objects.count() + AuditEntry.objects.count() > before, "nobody is told"
    again = doctor("--hashes")
    assert (again.code, again.faults) == (0, {})


def test_every_kind_of_fault_is_planted_here():
    assert {kind for kind, _ in PLANTED} == set(doctors.KINDS)


def test_faults_of_many_kinds_are_all_found_at_once(site, doctor):
    planted = {
        ("missing_file", lose_an_original(site)),
        ("wrong_hash", change_a_byte(site)),
        ("orphan", leave_an_orphan(site)),
        ("wrong_counter", miscount_a("image_count")(site)),
        ("wrong_counter", miscount_stored_bytes(site)),
        ("journal_gap", lose_an_entry(site)),
    }
    found = doctor("--hashes").found()
    assert {(kind, where) for kind, places in found.items() for where in places} == planted


# -- what repairs leave behind -------------------------------------------------------------------------------


def test_an_orphan_lies_in_quarantine_and_can_be_put_back(site, doctor):
    path = orphan()
    report = doctor("--repair")
    assert report.repairs["orphan"]["repaired"] == 1
    assert not path.exists()
    [box] = quarantine.boxes()
    assert (box.files, box.size_bytes) == (1, 100)
    printed = io.StringIO()
    call_command("quarantine", "--put-back", box.name, stdout=printed)
    assert f"put back: {box.name}, 1 files, 100 bytes" in printed.getvalue()
    assert path.read_bytes() == b"x" * 100
    assert list(quarantine.boxes()) == []
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs[-2:] == ["quarantined", "put_back"]


def test_what_lies_in_quarantine_can_be_dropped(site, doctor):
    orphan()
    doctor("--repair")
    call_command("quarantine", "--drop-older-than", "1", stdout=io.StringIO())
    assert len(list(quarantine.boxes())) == 1
    [box] = quarantine.boxes()
    call_command("quarantine", "--drop", box.name, stdout=io.StringIO())
    assert list(quarantine.boxes()) == []
    with pytest.raises(CommandError, match="no box"):
        call_command("quarantine", "--put-back", box.name)


@pytest.mark.parametrize("option", ["--drop", "--put-back"])
@pytest.mark.parametrize("name", [".", ".."])
def test_the_folders_above_are_no_box(site, doctor, option, name):
    orphan()
    doctor("--repair")
    before = {path for path in media_root().rglob("*") if path.is_file()}
    with pytest.raises(CommandError, match="no box"):
        call_command("quarantine", option, name)
    assert {path for path in media_root().rglob("*") if path.is_file()} == before


def test_a_lost_original_comes_back_from_quarantine(site, doctor):
    """A row that came back with an older database finds its file again."""
    image = site.images[1]
    whole = original(image).read_bytes()
    quarantine_box = quarantine.quarantine_root() / "20260101T000000-abcdef" / image.file_path
    quarantine_box.parent.mkdir(parents=True)
    os.rename(original(image), quarantine_box)
    assert doctor("--repair").code == 0
    assert original(image).read_bytes() == whole
    image.refresh_from_db()
    assert image.deleted_at is None


def test_a_picture_whose_original_is_lost_is_deleted_and_known_as_lost(site, doctor):
    image = site.images[1]
    original(image).unlink()
    doctor("--repair")
    image.refresh_from_db()
    assert image.deleted_at is not None
    report = doctor()
    assert (report.code, report.checked["lost_pictures_deleted"]) == (0, 1)


def test_a_young_file_is_nobodys_fault(site, doctor):
    orphan(hours=0.5)
    assert doctor().code == 0


def test_a_report_alone_changes_nothing(site, doctor):
    path = orphan()
    miscount_a("total_counter")(site)
    doctor("--hashes")
    assert path.exists()
    assert Session.objects.get(pk=site.running.pk).total_counter == 5


def test_more_than_an_accident_explains_is_not_repaired_without_a_word(site, doctor):
    paths = [orphan(f"im_01kaj000000000000000000{number:02}z.jpg") for number in range(21)]
    with pytest.raises(CommandError, match="21 of 31 files .* Nothing was repaired"):
        doctor("--repair")
    assert all(path.exists() for path in paths)
    assert doctor("--repair", "--allow-mass-removal").code == 0
    assert not any(path.exists() for path in paths)


def test_a_data_folder_that_is_not_mounted_loses_no_row(site, doctor, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("monitoring.services.doctor.repairs.FEW", 3)
    settings.MEDIA_ROOT = tmp_path / "not-mounted"
    with pytest.raises(CommandError, match="4 of 10 files"):
        doctor("--repair")
    assert Image.objects.filter(deleted_at=None).count() == 4


def test_lost_entries_are_marked_as_lost(site, doctor):
    lose_the_last_entry(site)
    doctor("--repair")
    kinds = list(site.ended.events.order_by("-seq").values_list("kind", flat=True)[:2])
    assert kinds == ["journal_repaired", "entry_lost"]


@pytest.mark.parametrize("words", [("--sample", "0"), ("--show", "-1")])
def test_nonsense_is_refused(db, words):
    with pytest.raises(CommandError):
        call_command("doctor", *words)
