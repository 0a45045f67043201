"""Rigs are added and changed here."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from monitoring.models import Monitor
from monitoring.nina.intake import read_history
from monitoring.nina.models import Rig
from monitoring.nina.store import rebuild
from monitoring.services.monitors import create_monitor
from sessions_app.models import Session
from sessions_app.services import end_session
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import audit
from sessionsite.common.clock import iso
from sessionsite.common.errors import Conflict, DomainError

CHANGEABLE = ("url", "site_zone", "is_public", "is_enabled")


class BadRig(DomainError):
    code = "bad_rig"


class RigExists(Conflict):
    code = "rig_exists"


class NightTaken(Conflict):
    code = "night_taken"


@transaction.atomic
def add_rig(
    organisation: Organisation,
    *,
    slug: str,
    by: str,
    url: str = "",
    site_zone: str = "UTC",
    name: str = "",
    is_public: bool = False,
) -> Rig:
    """A rig on the monitor of that slug, which is made when there is none. Raises BadRig, RigExists."""
    monitor = Monitor.objects.filter(organisation=organisation, slug=slug).first()
    if monitor is None:
        monitor = create_monitor(organisation, slug=slug, name=name or slug, kind="rig", by=by)
    elif monitor.kind != "rig":
        raise BadRig(f"{slug} is a monitor of kind {monitor.kind}.", field="slug")
    if Rig.objects.filter(monitor=monitor).exists():
        raise RigExists(f"{slug} is a rig already.", slug=slug)
    rig = Rig(monitor=monitor, url=url.rstrip("/"), site_zone=site_zone, is_public=is_public)
    _check(rig)
    rig.save(force_insert=True)
    audit(organisation, "added_rig", monitor, by=by, after=_told(rig))
    return rig


@transaction.atomic
def change_rig(rig: Rig, *, by: str, **changes) -> Rig:
    """The named fields have new values; a listener follows them within its next look. Raises BadRig."""
    if unknown := sorted(set(changes) - set(CHANGEABLE)):
        raise BadRig(f"A rig has no field {unknown[0]} to change.", field=unknown[0])
    before = _told(rig)
    for name, value in changes.items():
        setattr(rig, name, value)
    rig.url = rig.url.rstrip("/")
    _check(rig)
    rig.save(update_fields=list(CHANGEABLE))
    audit(rig.monitor.organisation, "changed_rig", rig.monitor, by=by, before=before, after=_told(rig))
    return rig


def _check(rig: Rig) -> None:
    try:
        rig.clean_fields(exclude=["monitor"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise BadRig(f"{field}: {' '.join(messages)}", field=field) from error


def _told(rig: Rig) -> dict:
    return {name: getattr(rig, name) for name in CHANGEABLE}


@transaction.atomic
def import_night(rig: Rig, *, entries: list, images: list, name: str, by: str) -> list[Session]:
    """A saved history is in the rig's journal and its sessions exist, the last one ended with its last event.

    name: of this recording; the same one again changes nothing.
    Raises BadRig for a rig that is listened to, NightTaken where events of that time are stored already.
    """
    if rig.url:
        raise BadRig(f"{rig.slug} follows {rig.url}; import into a rig of its own.", field="slug")
    history = read_history(entries, images, rig.zone)
    if not history.events:
        raise BadRig("There is no event with a time in this history.")
    if rig.application_start != name:
        first, last = history.events[0].at, history.events[-1].at
        if rig.events.filter(at__range=(first, last)).exists():
            raise NightTaken(f"{rig.slug} has events between {iso(first)} and {iso(last)} already.")
        Rig.objects.filter(pk=rig.pk).update(state={})  # a night of its own, whatever came before it
    rig = rebuild(rig.pk, application_start=name, entries=entries, images=images)
    audit(rig.monitor.organisation, "imported_night", rig.monitor, by=by, after={"events": rig.last_seq})
    found = Session.objects.filter(rig_events__rig=rig, rig_events__generation=rig.generation)
    sessions = list(found.distinct().order_by("started_at"))
    for session in sessions:
        if session.is_open:
            last_at = history.events[-1].at
            end_session(session, by=by, reason="the recording ends here", stopped_at=last_at)
    return sessions
