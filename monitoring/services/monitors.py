"""Verbs of monitors: made, changed, started, stopped, archived; their controller's mailbox."""

from __future__ import annotations

import math
import time

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from monitoring import flow
from monitoring.models import RESERVED_SLUGS, Dataset, Monitor, Presence
from sessions_app import services as sessions
from sessions_app.models import Session
from sessions_app.services import counters
from sessionsite.accounts.models import SLUG, Organisation
from sessionsite.accounts.services import audit, touch_organisation
from sessionsite.common.clock import iso
from sessionsite.common.errors import Conflict, DomainError
from sessionsite.common.ids import new_key
from sessionsite.common.live import publish_on_commit

CHANGEABLE = ("name", "kind", "dataset", "expected_interval_s", "quota_bytes", "capture_for_training")


class AlreadyStarted(Conflict):
    code = "already_started"


class AlreadyStopped(Conflict):
    code = "already_stopped"


class SlugTaken(Conflict):
    code = "slug_taken"


class BadMonitor(DomainError):
    code = "bad_monitor"


class MonitorRunning(Conflict):
    code = "monitor_running"


def touch_monitor(monitor: Monitor, *, urgent: bool = False, **changes) -> None:
    """The named fields have new values, the revision is one higher, readers are woken after the commit."""
    Monitor.objects.filter(pk=monitor.pk).update(revision=F("revision") + 1, **changes)
    monitor.refresh_from_db()
    publish_on_commit(f"monitor:{monitor.slug}", revision=monitor.revision, urgent=urgent)


def _checked(fields: dict, organisation_id: int) -> dict:
    dataset = fields.get("dataset")
    if dataset is not None and dataset.organisation_id != organisation_id:
        raise BadMonitor("The dataset belongs to another organisation.", field="dataset")
    if "name" in fields and not 1 <= len(fields["name"].strip()) <= 200:
        raise BadMonitor("A monitor's name has 1 to 200 characters.", field="name")
    if "kind" in fields and fields["kind"] not in dict(Monitor.KINDS):
        raise BadMonitor(f"kind is one of {', '.join(dict(Monitor.KINDS))}.", field="kind")
    interval_s = fields.get("expected_interval_s")
    if interval_s is not None and not (math.isfinite(interval_s) and 0 < interval_s <= 86400):
        raise BadMonitor(
            "expected_interval_s is above 0 and at most 86400 seconds.", field="expected_interval_s"
        )
    quota_bytes = fields.get("quota_bytes")
    if quota_bytes is not None and not 0 <= quota_bytes < 2**63:
        raise BadMonitor("quota_bytes is a number of bytes, or empty for no limit.", field="quota_bytes")
    return fields


def _audited(fields: dict) -> dict:
    return {name: value.key if isinstance(value, Dataset) else value for name, value in fields.items()}


@transaction.atomic
def create_monitor(
    organisation: Organisation,
    *,
    slug: str,
    by: str,
    name: str = "",
    kind: str = "camera",
    dataset: Dataset | None = None,
    expected_interval_s: float | None = None,
    quota_bytes: int | None = None,
    is_demo: bool = False,
) -> Monitor:
    """A new monitor of the organisation, idle. Raises BadMonitor, SlugTaken (unique on the server)."""
    try:
        SLUG(slug)
    except ValidationError as error:
        raise BadMonitor("slug may use 1 to 64 of a-z, 0-9 and -.", field="slug") from error
    if slug in RESERVED_SLUGS:
        raise BadMonitor(f"The slug {slug} is a word of the addresses; choose another.", field="slug")
    fields = _checked(
        {
            "name": name or slug,
            "kind": kind,
            "expected_interval_s": expected_interval_s,
            "quota_bytes": quota_bytes,
            "dataset": dataset,
        },
        organisation.pk,
    )
    touch_organisation(organisation.pk)
    try:
        with transaction.atomic():
            monitor = Monitor.objects.create(organisation=organisation, slug=slug, is_demo=is_demo, **fields)
    except IntegrityError as error:
        raise SlugTaken(f"The slug {slug} is taken; choose another.", field="slug") from error
    audit(
        organisation,
        "created",
        monitor,
        by=by,
        after=_audited(fields | {"is_demo": is_demo}),
    )
    return monitor


@transaction.atomic
def change_monitor(monitor: Monitor, *, by: str, **changes) -> Monitor:
    """The named fields have new values, the audit trail both. Raises BadMonitor."""
    if unknown := sorted(set(changes) - set(CHANGEABLE)):
        raise BadMonitor(f"A monitor has no field {unknown[0]} to change.", field=unknown[0])
    _checked(changes, monitor.organisation_id)
    before = {name: getattr(monitor, name) for name in changes}
    changes = {name: value for name, value in changes.items() if value != before[name]}
    if not changes:
        return monitor
    if "name" in changes and monitor.current_session_id:
        _show_name(monitor.current_session)
    touch_organisation(monitor.organisation_id)
    touch_monitor(monitor, urgent=True, **changes)
    audit(
        monitor.organisation,
        "changed",
        monitor,
        by=by,
        before=_audited({name: before[name] for name in changes}),
        after=_audited(changes),
    )
    return monitor


def _show_name(session: Session) -> None:
    """Whoever looks at the session sees that its monitor has another name."""
    Session.objects.filter(pk=session.pk).update(revision=F("revision") + 1)
    session.refresh_from_db(fields=["revision"])
    publish_on_commit(f"session:{session.key}", revision=session.revision)


@transaction.atomic
def archive_monitor(monitor: Monitor, *, by: str) -> Monitor:
    """The monitor is off the wall, its history stays. Raises MonitorRunning while a session is open."""
    if monitor.archived_at is None:
        touch_organisation(monitor.organisation_id)
        Monitor.objects.select_for_update().get(pk=monitor.pk)  # a start came before us, or will see us
        if open_session_of(monitor):
            raise MonitorRunning(f"Stop {monitor.slug} first: a session is open on it.", monitor=monitor.slug)
        touch_monitor(monitor, urgent=True, archived_at=timezone.now())
        audit(monitor.organisation, "archived", monitor, by=by, before={"archived_at": None})
    return monitor


@transaction.atomic
def restore_monitor(monitor: Monitor, *, by: str) -> Monitor:
    """An archived monitor is on the wall again."""
    if monitor.archived_at is not None:
        before = {"archived_at": iso(monitor.archived_at)}
        touch_organisation(monitor.organisation_id)
        touch_monitor(monitor, urgent=True, archived_at=None)
        audit(monitor.organisation, "restored", monitor, by=by, before=before)
    return monitor


def open_session_of(monitor: Monitor) -> Session | None:
    return Session.objects.open().filter(monitor=monitor).first()


def _request(command: str) -> dict:
    """What the controller is asked to do; pending (status true) until it acknowledges this id."""
    request = {"id": new_key("rq"), "command": command, "params": {}}
    return {"status": True, "request": request}


@transaction.atomic
def start_monitor(monitor: Monitor, *, by: str, uid: str = "") -> Session:
    """Open a session on `monitor`, counter at zero, and ask its controller to capture. Raises AlreadyStarted.

    uid: who the caller says it acts for; it stands in the session's record beside the caller's own name.
    Wire: Rosepetal GET /monitor/{id}/start.
    """
    _refuse_archived(monitor)
    try:
        session = sessions.open_session(
            monitor.organisation,
            monitor=monitor,
            by=by,
            data={"uid": uid} if uid else {},
            detail={"uid": uid},
        )
    except sessions.MonitorBusy as error:
        raise AlreadyStarted("Already started", monitor=monitor.slug) from error
    session.devices.set(monitor.devices.all())
    touch_monitor(
        monitor,
        urgent=True,
        current_session=session,
        presence=Presence.UNKNOWN,
        controller=_request("start_capture"),
    )
    _refuse_archived(monitor)  # asked again of the row that is ours now
    return session


def _refuse_archived(monitor: Monitor) -> None:
    if monitor.archived_at is not None:
        raise Conflict(f"{monitor.slug} is archived; restore it first.", monitor=monitor.slug)


@transaction.atomic
def stop_monitor(monitor: Monitor, *, by: str, reason: str = "") -> Session:
    """The open session of `monitor` is over with its final counter and flow; capture for training is off.

    Raises AlreadyStopped, also when somebody else stopped it in the same moment.
    Wire: Rosepetal GET /monitor/{id}/stop.
    """
    # Locked: what is counted until now is in its final numbers, and of two stops one finds nothing open.
    session = Session.objects.select_for_update().open().filter(monitor=monitor).first()
    if session is None:
        raise AlreadyStopped("already stopped", monitor=monitor.slug)
    try:
        sessions.end_session(session, by=by, reason=reason, flow=final_flow(session))
    except sessions.IllegalMove as error:
        raise AlreadyStopped("already stopped", monitor=monitor.slug) from error
    after_end(monitor)
    return session


def after_end(monitor: Monitor) -> None:
    """The monitor shows that its session is over, whoever ended it."""
    touch_monitor(
        monitor,
        urgent=True,
        presence=Presence.UNKNOWN,
        capture_for_training=False,
        controller=_request("stop_capture"),
    )


def final_flow(session: Session) -> dict:
    """What stays of the rate when a session ends: the last minute's rate and the mean over the session."""
    now = timezone.now()
    counts = counters.flow_counts(
        session.pk, after=int(time.time()) - flow.WINDOW_S - 1, upto=int(time.time())
    )
    minutes = max((now - session.started_at).total_seconds(), 1.0) / 60
    return {
        "current_flow_rate": flow.rate_per_minute(counts, time.time()),
        "mean_flow_rate": round(session.total_counter / minutes, 2),
        "total_processed": session.total_counter,
    }


@transaction.atomic
def end_any_session(session: Session, *, by: str, reason: str = "") -> Session:
    """`session` is over, and if a monitor shows it, so does the monitor. Raises IllegalMove."""
    sessions.end_session(session, by=by, reason=reason, flow=final_flow(sessions.lock(session)))
    if session.monitor_id:
        after_end(session.monitor)
    return session


@transaction.atomic
def close_stale(session: Session, *, by: str, reason: str = "stale") -> Session:
    """An open session that nobody feeds is interrupted and its monitor idle. Raises IllegalMove."""
    sessions.interrupt(session, by=by, reason=reason)
    if session.monitor_id:
        after_end(session.monitor)
    return session


@transaction.atomic
def controller_ack(monitor: Monitor, *, request_id: str, by: str) -> bool:
    """The pending request is done. False, and nothing changed, when `request_id` is not the pending one."""
    # Row locks on PostgreSQL, sessions before monitors; on SQLite the IMMEDIATE transaction does it.
    session = Session.objects.select_for_update().filter(pk=monitor.current_session_id).first()
    monitor = Monitor.objects.select_for_update().get(pk=monitor.pk)
    pending = monitor.controller.get("request") or {}
    if not monitor.controller.get("status") or pending.get("id") != request_id:
        return False
    if session:
        sessions.append(session, "controller_acked", detail={"command": pending.get("command")}, by=by)
    done = {"status": False, "request": pending}
    touch_monitor(monitor, urgent=True, controller=done, controller_acked_at=timezone.now())
    return True
