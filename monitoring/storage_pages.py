"""The page about what is kept: for administrators."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from monitoring.pages import _require, chosen_organisation, page, show
from monitoring.storage import storage_state
from sessionsite.accounts.services import caller_of_user


@page
def storage(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    _require(caller, "admin", organisation)
    return show(request, "storage", organisation, caller, storage=storage_state(organisation))
