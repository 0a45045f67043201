"""Which rig is meant by an address without a slug, and who may read it without a login."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q

from monitoring.nina.models import Rig
from sessionsite.common.access import NOBODY, Caller
from sessionsite.common.errors import Missing, NotAuthenticated


def public_rigs():
    return Rig.objects.filter(Q(is_public=True) | Q(monitor__slug=settings.NINA_PUBLIC))


def is_public(rig: Rig) -> bool:
    return rig.is_public or rig.slug == settings.NINA_PUBLIC


def find_rig(slug: str | None, caller: Caller | None, right: str = "read") -> Rig:
    """The rig of that slug; without one the public rig, or the only one. Archived ones are not found.

    Raises NotAuthenticated when a login would be needed, Missing when there is no such rig for this caller.
    """
    present = Rig.objects.for_messages().filter(monitor__archived_at=None)
    readable = present.visible_to(caller or NOBODY, right)
    if right == "read":
        readable |= present.filter(pk__in=public_rigs())
    found = _the_one(readable) if slug is None else readable.filter(monitor__slug=slug).first()
    if found is None:
        if caller is None:
            raise NotAuthenticated("This rig is not public: send a token or log in.")
        raise Missing("There is no such rig for you." if slug else "Name one of your rigs in the address.")
    return found


def _the_one(readable) -> Rig | None:
    named = readable.filter(monitor__slug=settings.NINA_PUBLIC).first() if settings.NINA_PUBLIC else None
    public = named or readable.filter(is_public=True).order_by("pk").first()
    if public is not None:
        return public
    only = list(readable.order_by("pk")[:2])
    return only[0] if len(only) == 1 else None


def may_read(rig_id: int, caller: Caller | None) -> bool:
    """Whether this reader may go on."""
    rig = Rig.objects.select_related("monitor").filter(pk=rig_id, monitor__archived_at=None).first()
    if rig is None:
        return False
    return is_public(rig) or (caller or NOBODY).may("read", rig.monitor.organisation_id)
