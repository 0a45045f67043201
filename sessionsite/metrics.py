"""/metrics for Prometheus: requests, live readers, sessions, pictures, disk and loops of this process."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache

from django.conf import settings
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from monitoring.disk import disk_state
from monitoring.models import MonitorDay
from sessions_app.models import Session
from sessionsite import background
from sessionsite.common import hub

disable_created_metrics()
registry = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
REQUESTS = Counter(
    "sessionsite_http_requests", "Answered HTTP requests", ["method", "kind", "status"], registry=registry
)
SECONDS = Histogram(
    "sessionsite_http_seconds",
    "Time from the request to the end of its answer, event streams excepted",
    ["kind"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=registry,
)
KINDS = {"/api/": "api", "/monitor/": "wire", "/static/": "static", "/admin/": "admin"}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def measured(application: Callable) -> Callable:
    """The same ASGI application, its HTTP requests counted; event streams and sockets pass untouched."""

    async def counting(scope, receive, send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/stream/"):
            await application(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def remember(message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await application(scope, receive, remember)
        finally:
            kind = kind_of(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            _counter(method, kind, status).inc()
            _histogram(kind).observe(time.perf_counter() - begun)

    return counting


@cache
def _counter(method: str, kind: str, status: int) -> Counter:
    return REQUESTS.labels(method, kind, status or "none")


@cache
def _histogram(kind: str) -> Histogram:
    return SECONDS.labels(kind)


def kind_of(scope) -> str:
    """A small set of words, so that the number of series stays bounded."""
    path = scope["path"]
    if scope["method"] == "POST" and path.rstrip("/").endswith(("/image", "/images", "/images/batch")):
        return "ingest"
    for prefix, kind in KINDS.items():
        if path.startswith(prefix):
            return kind
    return "probe" if path in ("/healthz", "/readyz", "/metrics") else "page"


class SiteCollector:
    """What the database, the disk and the hub say at the moment of the question."""

    def describe(self) -> list:
        """Nothing: the registry would otherwise collect, and ask the database, at import."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in sorted(hub.stats().items()):
            if isinstance(value, int | float):
                yield _gauge(f"sessionsite_live_{name}", f"{name} of the live hub in this process", value)
        disk = disk_state()
        for name in ("free_bytes", "total_bytes", "reserve_bytes"):
            yield _gauge(f"sessionsite_disk_{name}", f"{name} of the data folder", disk[name])
        sessions = GaugeMetricFamily("sessionsite_sessions", "Open sessions by state", labels=["state"])
        states = Session.objects.open().order_by().values("state").annotate(count=Count("pk"))
        for row in states:
            sessions.add_metric([row["state"]], row["count"])
        yield sessions
        day = MonitorDay.objects.filter(day=datetime.now(UTC).date())
        today = day.aggregate(images=Sum("images"), size=Sum("size_bytes"))
        yield _gauge("sessionsite_images_today", "Pictures accepted since midnight UTC", today["images"] or 0)
        yield _gauge("sessionsite_image_bytes_today", "Their size in bytes", today["size"] or 0)
        yield from _loop_metrics()


def _loop_metrics() -> Iterator[GaugeMetricFamily]:
    runs = GaugeMetricFamily("sessionsite_loop_runs", "Steps of a background loop", labels=["loop"])
    failures = GaugeMetricFamily("sessionsite_loop_failures", "Steps that failed", labels=["loop"])
    for report in background.loop_reports():
        runs.add_metric([report.name], report.runs)
        failures.add_metric([report.name], report.failures)
    yield from (runs, failures)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


registry.register(SiteCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics as text, for a bearer of METRICS_TOKEN and for programs on this machine."""
    if not _may_read(request):
        text = "Metrics are for METRICS_TOKEN, or for programs on this machine."
        return JsonResponse({"error": text, "code": "metrics_refused", "details": {}}, status=403)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() in ("bearer", "token"):
        return hmac.compare_digest(given.strip().encode(), settings.METRICS_TOKEN.encode())
    # Behind a proxy on this machine every request comes from loopback.
    if settings.TRUST_PROXY or any(header in request.META for header in FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return False
