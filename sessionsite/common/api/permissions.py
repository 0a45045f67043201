"""Who may call which action: every action names the right it needs."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import SAFE_METHODS, BasePermission

from sessionsite.common.access import Caller
from sessionsite.common.errors import NotAllowed


def right_of(view, request) -> str:
    """The right that this request needs: `view.required_rights` by action, by method, or `read` for a GET."""
    rights = getattr(view, "required_rights", {})
    action = getattr(view, "action", None)
    if right := rights.get(action) or rights.get(request.method):
        return right
    if request.method in SAFE_METHODS:
        return "read"
    if not hasattr(view, request.method.lower()):
        return "read"  # answered 405
    raise ImproperlyConfigured(f"{type(view).__name__} names no right for {action or request.method}.")


def lacks(right: str) -> NotAllowed:
    return NotAllowed(f"You lack the right to do this: {right}.", right=right)


class IsCaller(BasePermission):
    """A known caller with the right that the action needs.

    An address that names one object is answered 404 by the view's QuerySet when the caller may not see it,
    and 403 here when they see it but lack the right. Lists and additions need the right in some organisation.
    """

    def has_permission(self, request, view) -> bool:
        caller = request.auth
        if not isinstance(caller, Caller):
            return False
        if view.kwargs and getattr(view, "object_decides", True):
            return True
        right = right_of(view, request)
        if not caller.everywhere and not caller.organisation_ids(right):
            raise lacks(right)
        return True

    def has_object_permission(self, request, view, obj) -> bool:
        right = right_of(view, request)
        if not request.auth.may(right, view.organisation_id_of(obj)):
            raise lacks(right)
        return True
