"""REST of the outside system: the one object, a refresh, a health answer. Bodies and routes are theirs.

A public rig is read without a login; a refresh always needs one. Errors have the native shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import CSRFCheck

from monitoring.nina.access import find_rig
from monitoring.nina.events import us_of
from monitoring.nina.link import link_of
from monitoring.nina.listener import rebuild_now
from monitoring.nina.models import Rig
from monitoring.nina.topic import unified_of
from sessionsite.accounts import rates
from sessionsite.accounts.authentication import secret_in
from sessionsite.accounts.callers import caller_of_token, caller_of_user
from sessionsite.common import clock
from sessionsite.common.access import Caller
from sessionsite.common.clock import iso
from sessionsite.common.errors import DomainError, NotAllowed, NotAuthenticated


def caller_in(request: HttpRequest) -> Caller | None:
    """By token or login cookie; None for nobody. Raises NotAuthenticated for a dead token, RateLimited."""
    secret = secret_in(request.headers.get("Authorization", ""))
    if secret is not None:
        caller = caller_of_token(secret)
        if caller is None:
            raise NotAuthenticated("This token is unknown, expired or revoked.")
        rates.admit(caller)
        return caller
    return caller_of_user(request.user) if request.user.is_authenticated else None


def outside_route(*methods: str) -> Callable:
    """A view that answers these methods and OPTIONS, to the configured origins of other hosts too."""

    def decorate(view: Callable[..., dict]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @never_cache
        @wraps(view)
        def answer(request: HttpRequest, *args, **kwargs) -> HttpResponse:
            allowed = [*methods, "OPTIONS"]
            if request.method == "OPTIONS":
                response = HttpResponse(status=204)
            elif request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
                response = JsonResponse(_refused("method_not_allowed", "Use another method."), status=405)
            else:
                response = _json(view, request, *args, **kwargs)
            response["Allow"] = ", ".join(allowed)
            return _open_to_origin(request, response, allowed)

        return answer

    return decorate


def _json(view, request, *args, **kwargs) -> HttpResponse:
    try:
        return JsonResponse(view(request, *args, **kwargs))
    except DomainError as error:
        wait_s = getattr(error, "retry_after_s", None)
        headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
        return JsonResponse(error.as_json(), status=error.status, headers=headers)


def _refused(code: str, text: str) -> dict:
    return {"error": text, "code": code, "details": {}}


def _open_to_origin(request: HttpRequest, response: HttpResponse, allowed: list[str]) -> HttpResponse:
    patch_vary_headers(response, ["Origin"])
    origin = request.headers.get("Origin")
    if origin and origin in settings.NINA_CORS_ORIGINS:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Methods"] = ", ".join(allowed)
        response["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response["Access-Control-Max-Age"] = "600"
    return response


@outside_route("GET")
def session_state(request: HttpRequest, slug: str | None = None) -> dict:
    """Exactly the object that the socket sends."""
    return unified_of(find_rig(slug, caller_in(request)))


@outside_route("POST")
def refresh(request: HttpRequest, slug: str | None = None) -> dict:
    """The state was rebuilt from what NINA holds now. Needs the right to control."""
    caller = caller_in(request)
    if caller is None:
        raise NotAuthenticated("A refresh needs a token or a login.")
    if "Authorization" not in request.headers:
        _check_csrf(request)
    rig = find_rig(slug, caller, "control")
    rebuild_now(rig)
    shown = unified_of(Rig.objects.for_messages().get(pk=rig.pk))
    return {"Success": True, "Response": shown, "Error": "", "StatusCode": 200, "Type": "API"}


def _check_csrf(request: HttpRequest) -> None:
    """A login cookie alone proves nothing: the page has to show the token too. Raises NotAllowed."""
    check = CSRFCheck(lambda request: None)
    check.process_request(request)
    if reason := check.process_view(request, None, (), {}):
        raise NotAllowed(f"CSRF: {reason}")


@outside_route("GET")
def config_health(request: HttpRequest, slug: str | None = None) -> dict:
    """How the rig's connection is, and what was received and dropped."""
    rig = find_rig(slug, caller_in(request))
    link = link_of(rig)
    age_s = (clock.now() - link.heard_at).total_seconds() if link.heard_at else None
    newest_us = rig.state.get("newest_us")
    return {
        "status": "healthy" if link.is_heard else "degraded",
        "timestamp": iso(clock.now()),
        "backend": {
            "initialized": rig.rebuilt_at is not None,
            "ninaConnected": link.is_heard,
            "eventCount": rig.last_seq,
            "lastUpdate": unified_of(rig)["lastUpdate"] if newest_us else None,
        },
        "rig": rig.slug,
        "connection": {
            "status": link.status,
            "since": link.since,
            "attempts": link.attempts,
            "error": link.error or rig.link.get("seed_error", ""),
            "heardAgeSeconds": None if age_s is None else round(age_s, 1),
            "lastRebuild": iso(rig.rebuilt_at) if rig.rebuilt_at else None,
            "clock": rig.link.get("clock"),
            "lastHeartbeat": us_of(link.heard_at) // 1000 if link.heard_at else None,
        },
        "ingest": {**rig.ingest, "lastRefusal": rig.link.get("last_refusal", "")},
    }
