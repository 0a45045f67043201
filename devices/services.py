"""Verbs of devices: register, change, give a token, note that one was seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from devices.models import Credential, Device
from sessionsite.accounts.models import ApiToken, Organisation
from sessionsite.accounts.services import audit, create_token
from sessionsite.common.access import Caller
from sessionsite.common.errors import DomainError

SEEN_EVERY = timedelta(seconds=10)  # last_seen_at is written at most this often
CHANGEABLE = ("name", "type", "slot", "capabilities")


# Called with (device, by) inside the transaction in which a device is removed: apps above that show devices.
before_removal: list[Callable[[Device, str], None]] = []


class BadCapabilities(DomainError):
    code = "bad_capabilities"


def _checked(capabilities) -> list[str]:
    if not isinstance(capabilities, list) or not all(isinstance(word, str) and word for word in capabilities):
        raise BadCapabilities("Capabilities are a list of words.", capabilities=str(capabilities)[:200])
    return capabilities


@transaction.atomic
def register_device(
    organisation: Organisation,
    *,
    name: str,
    type: str,
    by: str,
    slot: str = "",
    capabilities: list[str] | None = None,
) -> Device:
    """A new device of the organisation, not yet attached to anything."""
    device = Device.objects.create(
        organisation=organisation, name=name, type=type, slot=slot, capabilities=_checked(capabilities or [])
    )
    audit(organisation, "registered", device, by=by, after={"name": name, "type": type, "slot": slot})
    return device


@transaction.atomic
def change_device(device: Device, *, by: str, **changes) -> Device:
    """The named fields (name, type, slot, capabilities) have new values and the audit trail both."""
    if unknown := set(changes) - set(CHANGEABLE):
        raise DomainError(f"A device has no field {sorted(unknown)[0]} to change.", fields=sorted(unknown))
    if "capabilities" in changes:
        _checked(changes["capabilities"])
    before = {field: getattr(device, field) for field in changes}
    Device.objects.filter(pk=device.pk).update(**changes, revision=F("revision") + 1)
    device.refresh_from_db()
    audit(device.organisation, "changed", device, by=by, before=before, after=changes)
    return device


@transaction.atomic
def remove_device(device: Device, *, by: str) -> None:
    """The device is gone and its tokens with it; what it recorded stays."""
    for leave in before_removal:
        leave(device, by)
    audit(device.organisation, "removed", device, by=by, before={"name": device.name, "type": device.type})
    ApiToken.objects.filter(credential__device=device).delete()
    device.delete()


@transaction.atomic
def give_token(
    device: Device,
    *,
    by: str,
    role: str = "operator",
    scopes=("ingest", "control", "annotate", "read"),
    expires_at: datetime | None = None,
    within: frozenset[str] | None = None,
) -> tuple[ApiToken, str]:
    """A new token that speaks for `device`, and its secret. Raises what create_token raises."""
    token, secret = create_token(
        device.organisation,
        name=device.name,
        role=role,
        scopes=scopes,
        expires_at=expires_at,
        within=within,
        by=by,
    )
    Credential.objects.create(device=device, token=token)
    return token, secret


def device_of(caller: Caller) -> Device | None:
    """The device whose token the caller shows, if any."""
    return Device.objects.filter(credentials__token_id=caller.token_id).first() if caller.token_id else None


def note_seen(device: Device, *, at: datetime | None = None) -> None:
    """`last_seen_at` is at most 10 s behind what this device sent."""
    at = at or timezone.now()
    old = Q(last_seen_at__isnull=True) | Q(last_seen_at__lt=at - SEEN_EVERY)
    Device.objects.filter(old, pk=device.pk).update(last_seen_at=at)
