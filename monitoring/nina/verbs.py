"""Rigs are added and changed here."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from monitoring.models import Monitor
from monitoring.nina.models import Rig
from monitoring.services.monitors import create_monitor
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import audit
from sessionsite.common.errors import Conflict, DomainError

CHANGEABLE = ("url", "site_zone", "is_public", "is_enabled")


class BadRig(DomainError):
    code = "bad_rig"


class RigExists(Conflict):
    code = "rig_exists"


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
