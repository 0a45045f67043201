"""What belongs to a session: devices attached and detached, with an entry in its journal."""

from __future__ import annotations

from django.db import transaction

from devices.models import Device
from sessions_app.models import Session
from sessions_app.services.journal import append


@transaction.atomic
def attach_device(session: Session, device: Device, *, by: str) -> bool:
    """`device` takes part in `session`; False, and nothing written, when it did before."""
    links = Session.devices.through.objects
    if not links.get_or_create(session=session, device=device)[1]:
        return False
    _note(session, "device_attached", device, by)
    return True


@transaction.atomic
def detach_device(session: Session, device: Device, *, by: str) -> bool:
    """`device` takes no part in `session` any more; False when it took none."""
    if not Session.devices.through.objects.filter(session=session, device=device).delete()[0]:
        return False
    _note(session, "device_detached", device, by)
    return True


def leave_open_sessions(device: Device, by: str) -> None:
    """`device` takes no part in any open session: it is about to be removed."""
    for session in Session.objects.open().filter(devices=device).order_by("pk"):
        detach_device(session, device, by=by)


def _note(session: Session, kind: str, device: Device, by: str) -> None:
    detail = {"name": device.name, "type": device.type, "slot": device.slot}
    append(session, kind, detail=detail, by=by, device=device, is_change=True)
