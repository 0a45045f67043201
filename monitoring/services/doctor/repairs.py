"""What the doctor does about a fault: one verb per kind, each told in the journal or the audit trail."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from django.db import transaction
from django.db.models import F

from monitoring import imaging
from monitoring.models import Image, Monitor, Rig
from monitoring.services import media_check, quarantine
from monitoring.services.doctor import numbers, truth
from monitoring.services.doctor.calendar import recount_days
from monitoring.services.doctor.faults import KINDS, Fault
from monitoring.services.doctor.files import sha256_of, size_of
from monitoring.services.doctor.journals import mend_journal
from monitoring.services.edits import delete_image, locked
from monitoring.services.monitors import touch_monitor
from monitoring.services.ondisk import OnDisk
from monitoring.services.recovery import known_paths
from sessions_app import services as sessions
from sessions_app.models import FlowBucket, LabelCount, Session, SessionMinute
from sessions_app.services import counters
from sessionsite.accounts.services import audit, touch_organisation
from sessionsite.common.errors import Conflict, DomainError
from sessionsite.common.files import media_file, repair_dead_leases, write_file
from sessionsite.common.live import publish_on_commit

BY = "doctor"
FILES_MAX = 1000  # more than this out of sight at once needs a person's word
SHARE_MAX = 0.1
FEW = 20  # so many may always go: on a small server one file is a large share


class TooMuchToRemove(Conflict):
    """So much is missing or unnamed that a wrong folder or database is the likelier reason."""

    code = "too_much_to_remove"


def check_amount(found: Counter[str], whole: int) -> None:
    """Raises TooMuchToRemove when repairs would put more out of sight than an accident explains.

    found: faults per kind. whole: media files and files that rows name, whichever are more.
    """
    part = sum(count for kind, count in found.items() if KINDS[kind].takes_away)
    if part > FILES_MAX or (part > FEW and part > SHARE_MAX * whole):
        raise TooMuchToRemove(
            f"{part:,} of {whole:,} files are missing or named by no row: a wrong data folder, a disk that "
            "is not mounted or another database looks like that.",
            part=part,
            whole=whole,
        )


def repair(fault: Fault, *, by: str = BY) -> str:
    """What was done about the fault, in words; "" when it has gone meanwhile. Raises DomainError."""
    return REPAIRS[fault.kind](fault, by)


def _image(fault: Fault) -> Image | None:
    return Image.objects.select_related("organisation", "monitor", "session").filter(pk=fault.pk).first()


def find_again(fault: Fault, by: str) -> str:
    """The original is back from quarantine, or its picture is deleted, which can be undone."""
    image = _image(fault)
    if image is None or size_of(image.file_path) is not None:
        return ""
    for path in quarantine.find(image.file_path):
        if sha256_of(path) == image.sha256:
            return bring_back(image, path, by=by)
    delete_image(image, by=by, even_settled=True)
    return "deleted: its original is lost"


def bring_back(image: Image, path: Path, *, by: str) -> str:
    """The whole original at `path` is the picture's again."""
    target = media_file(image.file_path)
    target.parent.mkdir(parents=True, exist_ok=True)
    origin = path.relative_to(quarantine.quarantine_root()).parts[0]
    os.rename(path, target)
    note_repair(image, {"original": "back from quarantine", "box": origin}, by=by)
    return f"put back from quarantine {origin}"


def note_repair(image: Image, detail: dict, *, by: str) -> None:
    """The journal of the picture's session says what was repaired, or the audit trail."""
    if image.session_id:
        detail = {"image": image.key, **detail}
        session = Session.objects.get(pk=image.session_id)
        sessions.append(session, "image_repaired", detail=detail, by=by, is_change=True)
    else:
        with transaction.atomic():
            audit(image.organisation, "image_repaired", image, by=by, after=detail)


def remake_thumbnail(fault: Fault, by: str) -> str:
    """The thumbnail is whole, made from the original. Raises NotAPicture for a broken original."""
    image = _image(fault)
    if image is None:
        return ""
    try:
        data = media_file(image.file_path).read_bytes()
    except FileNotFoundError:
        return ""
    target = media_file(image.thumbnail_path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, imaging.inspect(data).thumbnail_webp, mode=0o644)
    note_repair(image, {"thumbnail": "made anew"}, by=by)
    correct_size(fault, by)
    return "thumbnail made anew"


@transaction.atomic
def correct_size(fault: Fault, by: str) -> str:
    """The row says what lies on disk, and so do the sums of its session and monitor."""
    image = _image(fault)
    if image is None:
        return ""
    image = locked(image)
    sizes = [size_of(image.file_path), size_of(image.thumbnail_path)]
    if None in sizes or sum(sizes) == image.size_bytes:
        return ""
    before, more = image.size_bytes, sum(sizes) - image.size_bytes
    detail = {"size_bytes": {"before": before, "after": before + more}}
    if image.session_id:
        session = Session.objects.get(pk=image.session_id)
        detail["image"] = image.key
        sessions.append(session, "image_repaired", detail=detail, by=by, size_bytes=F("size_bytes") + more)
    else:
        audit(image.organisation, "image_repaired", image, by=by, after=detail)
    if image.monitor_id:
        touch_monitor(image.monitor, stored_bytes=F("stored_bytes") + more)
    Image.objects.filter(pk=image.pk).update(size_bytes=before + more, revision=F("revision") + 1)
    return f"{before:,} bytes corrected to {before + more:,}"


def remove_half_file(fault: Fault, by: str) -> str:
    if not media_check.remove_one_left_over(fault.where):
        return ""
    with transaction.atomic():
        audit(None, "removed_left_over", OnDisk("file", fault.where), by=by)
    return "removed"


def repair_leases(fault: Fault, by: str) -> str:
    """No folder of a dead process is left; told once for all of them."""
    report = repair_dead_leases(known_paths)
    if not report.dead:
        return ""
    with transaction.atomic():
        audit(None, "repaired", OnDisk("dead_process", fault.where), by=by, after=vars(report))
    return f"{report.removed_files} files without a row and {report.removed_temporary} half files removed"


@transaction.atomic
def recount_session(fault: Fault, by: str) -> str:
    """The sums of the session are those of its rows; a rig's total follows from its own events."""
    session = _locked_session(fault)
    wrong = session and numbers.wrong_numbers(session)
    if not wrong:
        return ""
    before = {name: counted for name, counted, _ in wrong}
    after = {name: real for name, _, real in wrong}
    sessions.append(session, "counters_repaired", detail={"before": before, "after": after}, by=by, **after)
    _show(session)
    return ", ".join(f"{name} {counted:,} -> {real:,}" for name, counted, real in wrong)


def _locked_session(fault: Fault) -> Session | None:
    """The session with its truth, in the caller's transaction; nobody else changes it before the end."""
    session = Session.objects.filter(pk=fault.pk).first()
    if session is None:
        return None
    sessions.lock(session)
    return truth.with_truth(Session.objects.filter(pk=fault.pk)).get()


def _show(session: Session) -> None:
    """The wall and the monitor show the session's new numbers."""
    touch_organisation(session.organisation_id)
    for monitor in Monitor.objects.filter(pk=session.monitor_id):
        touch_monitor(monitor)


@transaction.atomic
def recount_labels(fault: Fault, by: str) -> str:
    """Each label's count is the number of kept pictures, or boxes, that carry it."""
    session = _locked_session(fault)
    found = truth.label_differences([fault.pk]).get(fault.pk) if session else None
    if not found:
        return ""
    for of in (LabelCount.IMAGE, LabelCount.BOX, LabelCount.REVIEW):
        changes = {label: real - counted for what, label, counted, real in found if what == of}
        counters.count_labels(fault.pk, of, changes)
    shown = [
        {"of": of, "label": label, "before": counted, "after": real} for of, label, counted, real in found
    ]
    sessions.append(session, "counters_repaired", detail={"labels": shown[:50]}, by=by, is_change=True)
    _show(session)
    return f"{len(found)} label counts"


@transaction.atomic
def recount_rates(fault: Fault, by: str) -> str:
    """Seconds and minutes hold the pictures that came while the session ran."""
    session = _locked_session(fault)
    if session is None or not numbers.has_wrong_rates(session):
        return ""
    per_second = _arrivals(session)
    detail = {}
    if numbers.has_wrong_seconds(session):
        rows = [FlowBucket(session=session, second=at, count=n) for at, n in sorted(per_second.items())]
        detail["seconds"] = _replace(FlowBucket, session, rows, before=session.flow_items)
    if numbers.has_wrong_minutes(session):
        per_minute: Counter[int] = Counter()
        for second, count in per_second.items():
            per_minute[second // 60] += count
        rows = [SessionMinute(session=session, minute=at, count=n) for at, n in sorted(per_minute.items())]
        detail["minutes"] = _replace(SessionMinute, session, rows, before=session.minute_items)
    sessions.append(session, "counters_repaired", detail={"flow": detail}, by=by, is_change=True)
    _show(session)
    return ", ".join(f"{name} {told['before']:,} -> {told['after']:,}" for name, told in detail.items())


def _arrivals(session: Session) -> Counter[int]:
    """Unix second -> pictures that came in it while the session ran."""
    images = Image.objects.filter(session=session)
    if session.stopped_at:
        images = images.filter(received_at__lte=session.stopped_at)
    per_second: Counter[int] = Counter()
    for (at,) in images.order_by().values_list("received_at").iterator():
        per_second[int(at.timestamp())] += 1
    return per_second


def _replace(model, session: Session, rows: list, *, before: int) -> dict[str, int]:
    model.objects.filter(session=session).delete()
    model.objects.bulk_create(rows, batch_size=1000)
    return {"before": before, "after": sum(row.count for row in rows)}


@transaction.atomic
def recount_monitor(fault: Fault, by: str) -> str:
    monitor = _locked_monitor(fault)
    if monitor is None or monitor.stored_bytes == monitor.true_stored_bytes:
        return ""
    before, after = monitor.stored_bytes, monitor.true_stored_bytes
    touch_monitor(monitor, stored_bytes=after)
    _audit(monitor, {"stored_bytes": before}, {"stored_bytes": after}, by)
    return f"stored_bytes {before:,} -> {after:,}"


def _locked_monitor(fault: Fault) -> Monitor | None:
    """The monitor with its truth, locked after its sessions: pictures on their way in wait."""
    list(Session.objects.select_for_update().filter(monitor=fault.pk).open().order_by("pk"))
    if not Monitor.objects.select_for_update().filter(pk=fault.pk).exists():
        return None
    return truth.with_monitor_truth(Monitor.objects.filter(pk=fault.pk)).get()


def _audit(monitor: Monitor, before: dict, after: dict, by: str) -> None:
    audit(monitor.organisation, "repaired", monitor, by=by, before=before, after=after)


@transaction.atomic
def point_again(fault: Fault, by: str) -> str:
    """The monitor shows its newest kept picture, and its open session or else the newest."""
    monitor = _locked_monitor(fault)
    wrong = numbers.wrong_pointers(monitor) if monitor else []
    if not wrong:
        return ""
    changes: dict = {}
    if "last_image" in wrong:
        changes["last_image"] = Image.objects.kept().filter(monitor=monitor).newest_first().first()
    if "current_session" in wrong:
        mine = Session.objects.filter(monitor=monitor)
        changes["current_session"] = mine.open().first() or mine.newest_first().first()
    before = {name: getattr(getattr(monitor, name), "key", None) for name in changes}
    touch_organisation(monitor.organisation_id)
    touch_monitor(monitor, urgent=True, **changes)
    _audit(monitor, before, {name: value and value.key for name, value in changes.items()}, by)
    return ", ".join(wrong)


@transaction.atomic
def recount_calendar(fault: Fault, by: str) -> str:
    monitor = _locked_monitor(fault)
    if monitor is None or monitor.day_items == monitor.session_items:
        return ""
    before, after = recount_days(monitor)
    _audit(monitor, {"calendar": before}, {"calendar": after}, by)
    return f"{before:,} -> {after:,} pictures in the calendar"


@transaction.atomic
def renumber(fault: Fault, by: str) -> str:
    """The session's journal, or the rig's last number, is whole."""
    if rig := Rig.objects.select_related("monitor").filter(pk=fault.pk, monitor__slug=fault.where).first():
        return _renumber_rig(rig, by)
    session = _locked_session(fault)
    return mend_journal(session, by=by) if session else ""


def _renumber_rig(rig: Rig, by: str) -> str:
    rig = truth.with_rig_truth(Rig.objects.select_related("monitor__organisation").filter(pk=rig.pk)).get()
    if rig.last_seq >= rig.true_last_seq:
        raise DomainError("Events of the rig are lost; its listener reads the night's history again.")
    changes = {"last_seq": rig.true_last_seq, "revision": F("revision") + 1}
    Rig.objects.select_for_update().filter(pk=rig.pk).update(**changes)
    _audit(rig.monitor, {"last_seq": rig.last_seq}, {"last_seq": rig.true_last_seq}, by)
    publish_on_commit(f"rig:{rig.slug}", seq=rig.true_last_seq)
    return f"last_seq {rig.last_seq:,} -> {rig.true_last_seq:,}"


def recount(fault: Fault, by: str) -> str:
    """A session's or a monitor's number: the key tells which."""
    is_session = Session.objects.filter(pk=fault.pk, key=fault.where).exists()
    return (recount_session if is_session else recount_monitor)(fault, by)


REPAIRS = {
    "missing_file": find_again,
    "missing_thumbnail": remake_thumbnail,
    "damaged_thumbnail": remake_thumbnail,
    "wrong_size": correct_size,
    "left_over": remove_half_file,
    "dead_lease": repair_leases,
    "wrong_counter": recount,
    "wrong_labels": recount_labels,
    "wrong_buckets": recount_rates,
    "wrong_days": recount_calendar,
    "journal_gap": renumber,
    "wrong_last_seq": renumber,
    "wrong_pointer": point_again,
}
