"""Devices of a monitor: every session that starts on it takes them along."""

from __future__ import annotations

from django.db import transaction

from devices.models import Device
from monitoring.models import Monitor
from monitoring.services.monitors import touch_monitor
from sessionsite.accounts.services import audit


@transaction.atomic
def attach_device(monitor: Monitor, device: Device, *, by: str) -> bool:
    """`device` belongs to `monitor`; False, and nothing written, when it did before."""
    if not Monitor.devices.through.objects.get_or_create(monitor=monitor, device=device)[1]:
        return False
    touch_monitor(monitor)
    audit(monitor.organisation, "attached_device", monitor, by=by, after={"device": device.key})
    return True


@transaction.atomic
def detach_device(monitor: Monitor, device: Device, *, by: str) -> bool:
    """`device` does not belong to `monitor` any more; False when it did not."""
    if not Monitor.devices.through.objects.filter(monitor=monitor, device=device).delete()[0]:
        return False
    touch_monitor(monitor)
    audit(monitor.organisation, "detached_device", monitor, by=by, before={"device": device.key})
    return True
