"""Pages of a rig: one night, live while it goes on, and the printable report of a session."""

from __future__ import annotations

from datetime import date

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from monitoring.nina.models import Rig
from monitoring.nina.nights import bounds_of, evening_of, neighbours, night_of
from monitoring.nina.report import night_report, session_report
from monitoring.nina.topic import rig_now, rig_state
from monitoring.pages import page, show
from sessions_app.models import Session
from sessionsite.accounts.services import caller_of_user
from sessionsite.common.access import Caller


@page
def rig(request: HttpRequest, slug: str) -> HttpResponse:
    """The rig now with its newest night, or an earlier one by ?night=2025-11-14."""
    caller = caller_of_user(request.user)
    found = get_object_or_404(Rig.objects.visible_to(caller).for_messages(), monitor__slug=slug)
    newest = night_of(found, newest_moment(found))
    evening = _evening(request.GET.get("night")) or newest
    earlier, later = neighbours(found, evening)
    return show(
        request,
        "rig",
        found.monitor.organisation,
        caller,
        rig=rig_state(found),
        night=report_of_night(found, evening),
        evening=evening,
        earlier=earlier,
        later=later,
        is_newest=evening == newest,
    )


def newest_moment(rig: Rig):
    newest = rig.events.order_by("-at").values_list("at", flat=True).first()
    return newest or rig_now(rig)


def report_of_night(rig: Rig, evening: date) -> dict:
    start, end = bounds_of(rig, evening)
    return night_report(rig, start, end)


def _evening(text: str | None) -> date | None:
    try:
        return evening_of(text) if text else None
    except ValueError:
        raise Http404("?night= takes a date such as 2025-11-14") from None


def report(request: HttpRequest, session: Session, caller: Caller) -> HttpResponse:
    """The report of a rig's session, to print."""
    return show(request, "rig_report", session.organisation, caller, report=session_report(session))
