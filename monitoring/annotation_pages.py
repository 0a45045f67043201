"""The pages of annotation sessions: those that are open, and one of them live."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from monitoring.pages import chosen_organisation, page, show
from sessions_app.messages import session_json
from sessions_app.models import Session
from sessions_app.states import Kind
from sessionsite.accounts.services import caller_of_user
from sessionsite.common.few import narrowed

MARKS = ("important", "question", "wrong label", "noise")
LISTED = 50


@page
def annotations(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    mine = Session.objects.visible_to(caller).filter(organisation=organisation, kind=Kind.ANNOTATION)
    theirs = narrowed(mine.open(), Session.objects.open().values_list("pk", flat=True))
    return show(request, "annotations", organisation, caller, sessions=theirs.newest_first()[:LISTED])


@page
def annotate(request: HttpRequest, key: str) -> HttpResponse:
    caller = caller_of_user(request.user)
    mine = Session.objects.visible_to(caller).filter(kind=Kind.ANNOTATION).for_messages()
    found = get_object_or_404(mine, key=key)
    return show(request, "annotate", found.organisation, caller, session=session_json(found), marks=MARKS)
