"""Leases: a task that must run in one process at a time, also when a process dies holding it."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta
from functools import cache

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from sessions_app.models import Lease


@cache
def _process_name_of(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{secrets.token_hex(4)}"


def process_name() -> str:
    """A name for this process that no other one has, also after a fork."""
    return _process_name_of(os.getpid())


def hold_lease(name: str, ttl_s: float) -> int | None:
    """The epoch under which this process holds `name` for `ttl_s` more; None while another one does."""
    now, me = timezone.now(), process_name()
    until = now + timedelta(seconds=ttl_s)
    if Lease.objects.filter(name=name, holder=me, expires_at__gt=now).update(expires_at=until):
        return Lease.objects.values_list("epoch", flat=True).get(name=name)
    with transaction.atomic():
        free = Q(expires_at__lte=now) | Q(holder=me)
        taken = Lease.objects.filter(free, name=name).update(
            holder=me, expires_at=until, epoch=F("epoch") + 1
        )
        if not taken:
            _, is_new = Lease.objects.get_or_create(name=name, defaults={"holder": me, "expires_at": until})
            if not is_new:
                return None
    return Lease.objects.values_list("epoch", flat=True).filter(name=name, holder=me).first()


def drop_lease(name: str) -> None:
    """`name` is free at once, if this process held it."""
    Lease.objects.filter(name=name, holder=process_name()).update(expires_at=timezone.now())


def drop_leases() -> None:
    """What this process held is free at once; called when it stops."""
    Lease.objects.filter(holder=process_name()).update(expires_at=timezone.now())


def end_all_leases() -> None:
    """Nobody holds anything in this database, which came from elsewhere; epochs go on."""
    Lease.objects.update(expires_at=timezone.now())
