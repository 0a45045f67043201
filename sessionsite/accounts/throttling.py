"""The rate limits in front of REST views. A view says `rate_scope`, or `rate_scopes` by action."""

from __future__ import annotations

from rest_framework.throttling import BaseThrottle

from sessionsite.accounts import rates
from sessionsite.common.access import Caller


def rate_scope_of(view) -> str:
    scopes = getattr(view, "rate_scopes", {})
    return scopes.get(getattr(view, "action", None)) or getattr(view, "rate_scope", rates.ORDINARY)


class RateLimit(BaseThrottle):
    """Raises RateLimited, which every wire writes in its own way."""

    def allow_request(self, request, view) -> bool:
        if isinstance(request.auth, Caller):
            rates.admit(request.auth, rate_scope_of(view))
        return True
