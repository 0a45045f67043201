"""How this server is: for probes (/healthz, /readyz), for the health page and REST (health_report)."""

from __future__ import annotations

import os
import time
from functools import cache

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from monitoring.disk import disk_state, forecast
from sessions_app.models import Lease
from sessionsite import __version__, background
from sessionsite.accounts.models import Organisation
from sessionsite.common import hub, native
from sessionsite.common.clock import iso, now

STARTED_AT = now()
ANSWER_WITHIN_S = 2.0
OK, DEGRADED, FAILING = "ok", "degraded", "failing"
LEVELS = (OK, DEGRADED, FAILING)
ROOM = {
    "full": "Free space is under the reserve: uploads are refused, everything else works.",
    "low": "The disk will be full soon.",
}


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200: the process takes requests."""
    return JsonResponse({"status": OK, "version": __version__})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the server can do its work, 503 when the database or the data folder refuses.

    Without Redis, and with a full disk, most of the work goes on: that is 200 with status `degraded`.
    """
    checks = {"database": check_database(), "layer": check_layer(), "disk": check_disk()}
    status = worst(check["status"] for check in checks.values())
    body = {"status": status, "checks": {name: check["status"] for name, check in checks.items()}}
    return JsonResponse(body, status=503 if status == FAILING else 200)


def health_report() -> dict:
    """All that is known about the health of this server, for people who may see it.

    Every part has a `status` of ok, degraded or failing and, when it is not ok, a `reason`.
    """
    parts = {"database": check_database(), "layer": check_layer(), "disk": check_disk()}
    if "days_left" in parts["disk"]:
        seen = forecast()
        parts["disk"] |= {"full_at": seen.full_at and iso(seen.full_at), "forecast": seen.words}
    parts["native"] = {"status": OK} | {name: native.is_used(name) for name in native.NAMES}
    parts["loops"] = check_loops(parts["database"]["status"])
    return {
        "status": worst(part["status"] for part in parts.values()),
        "version": __version__,
        "at": iso(now()),
        "started_at": iso(STARTED_AT),
        "pid": os.getpid(),
        "live": hub.stats(),
        **parts,
    }


def worst(statuses) -> str:
    return max(statuses, key=LEVELS.index, default=OK)


def check_database() -> dict:
    """Whether the database answers and holds our tables, and how long that took."""
    begun = time.perf_counter()
    part = {"status": OK, "vendor": connection.vendor, "durability": settings.DURABILITY}
    try:
        Organisation.objects.exists()
    except DatabaseError as exc:
        return part | {"status": FAILING, "reason": f"The database does not answer: {type(exc).__name__}."}
    return part | {"answered_in_ms": _since(begun)}


def check_layer() -> dict:
    """The channel layer: in this process's memory, or Redis. Without it, changes arrive a second late."""
    if not settings.REDIS_URL:
        return {"status": OK, "kind": "memory"}
    begun = time.perf_counter()
    try:
        _redis().ping()
    except redis.RedisError as exc:
        reason = f"Redis does not answer ({type(exc).__name__}); changes of other processes show within 1 s."
        return {"status": DEGRADED, "kind": "redis", "reason": reason}
    return {"status": OK, "kind": "redis", "answered_in_ms": _since(begun)}


def check_disk() -> dict:
    """Room below the data folder; `room` is ok, low or full (under the reserve: uploads are refused)."""
    if not os.access(settings.DATA_DIR, os.W_OK | os.X_OK):
        return {"status": FAILING, "room": "full", "reason": "The data folder cannot be written to."}
    try:
        part = disk_state()
    except DatabaseError:
        return {"status": DEGRADED, "room": "unknown", "reason": "The rate is unknown without the database."}
    room = part.pop("status")
    part |= {"status": OK if room == "ok" else DEGRADED, "room": room}
    return part | ({"reason": ROOM[room]} if room in ROOM else {})


def check_loops(database_status: str = OK) -> dict:
    """The background loops of this process, and who holds each lease of all processes."""
    here = [vars(report) for report in background.loop_reports()]
    part = {"status": OK, "here": here, "leases": [] if database_status != OK else _leases()}
    if failing := [report["name"] for report in here if report["last_error"]]:
        part |= {"status": DEGRADED, "reason": f"The last step failed: {', '.join(failing)}."}
    elif not here and not any(lease["is_held"] for lease in part["leases"]):
        part |= {"status": DEGRADED, "reason": "No process runs the background loops."}
    return part


def _leases() -> list[dict]:
    return [
        {
            "name": lease.name.removeprefix("loop:"),
            "holder": lease.holder,
            "expires_at": iso(lease.expires_at),
            "is_held": lease.expires_at > now(),
        }
        for lease in Lease.objects.filter(name__startswith="loop:").order_by("name")
    ]


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S
    )


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)
