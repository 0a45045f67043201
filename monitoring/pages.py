"""The pages that people open: plain Django views that find what is theirs and put its JSON into a template.

What moves on a page afterwards comes over /ws/live/ (js/live.js), in the same JSON.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from monitoring.history import History
from monitoring.labels import offered_labels
from monitoring.messages import image_json
from monitoring.models import Image, Monitor
from monitoring.nina.report import has_night, session_report
from monitoring.state import fleet_state, monitor_state
from sessions_app.api.filters import EventFilters
from sessions_app.messages import SESSION_ROW, event_json, session_json, session_rows_json
from sessions_app.models import Session, SessionEvent
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import caller_of_user
from sessionsite.common.access import RIGHTS, ROLE_RIGHTS, Caller
from sessionsite.common.api.pagination import KeysetPagination, RowComparison
from sessionsite.common.errors import DomainError
from sessionsite.common.rows import rows_of

BAR_PAGES = [("wall", "Wall"), ("events", "Events"), ("sessions", "Sessions"), ("review", "Review")]
LEVELS = {"warning": "warning,error", "error": "error"}  # of the events page -> severities
THEMES = ["auto", "light", "dark", "red"]
EVENTS_SHOWN = 40
EXPORTS = [
    ("coco", "COCO"), ("yolo", "YOLO"), ("voc", "Pascal VOC"), ("csv", "AutoML CSV"),
    ("label_studio", "Label Studio"), ("cvat", "CVAT"),
]  # fmt: skip
KEY, PICKS_MAX = re.compile("se_[0-9a-z]{26}"), 4


def page(view):
    """A page for people who are logged in: GET only, never cached, with a CSRF cookie for its scripts."""
    return login_required(never_cache(ensure_csrf_cookie(require_safe(view))))


def show(
    request: HttpRequest, name: str, organisation: Organisation, caller: Caller, **context: Any
) -> HttpResponse:
    """`monitoring/<name>.html` with what every page carries: organisation, rights, places of the bar."""
    rights = sorted(right for right in RIGHTS if caller.may(right, organisation.pk))
    base = {
        "organisation": organisation,
        "organisations": Organisation.objects.visible_to(caller).order_by("slug"),
        "rights": rights,
        "role": _role_of(frozenset(rights)),
        "bar_pages": BAR_PAGES,
        "themes": THEMES,
        "page_name": name,
    }
    return render(request, f"monitoring/{name}.html", base | context)


def _role_of(rights: frozenset[str]) -> str:
    """The greatest role that these rights fill."""
    return next((role for role in reversed(ROLE_RIGHTS) if ROLE_RIGHTS[role] <= rights), "")


def chosen_organisation(request: HttpRequest, caller: Caller) -> Organisation:
    """The one in the address, else the one chosen before, else the first. PermissionDenied without any."""
    mine = Organisation.objects.visible_to(caller).order_by("slug")
    for slug in (request.GET.get("organisation"), request.session.get("organisation")):
        if slug and (found := mine.filter(slug=slug).first()):
            if request.session.get("organisation") != slug:
                request.session["organisation"] = slug
            return found
    if first := mine.first():
        return first
    raise PermissionDenied("You are a member of no organisation.")


@page
def wall(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    events = SessionEvent.objects.filter(organisation=organisation)
    return show(request, "wall", organisation, caller, fleet=fleet_state(organisation), events=_news(events))


@page
def monitor(request: HttpRequest, slug: str) -> HttpResponse:
    caller = caller_of_user(request.user)
    found = get_object_or_404(Monitor.objects.visible_to(caller).present().for_messages(), slug=slug)
    events = SessionEvent.objects.filter(organisation=found.organisation).of_monitor(found.pk)
    return show(
        request, "monitor", found.organisation, caller, monitor=monitor_state(found),
        events=_news(events), labels=offered_labels(found.current_session_id, found.dataset_id),
    )  # fmt: skip


def _news(events: QuerySet) -> list[dict]:
    """The newest notable entries, newest first."""
    newest = events.for_messages().notable().order_by("-pk")[:EVENTS_SHOWN]
    return [event_json(event) for event in newest]


@page
def new_monitor(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    _require(caller, "admin", organisation)
    return show(request, "new_monitor", organisation, caller)


@page
def sessions(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    visible = Session.objects.visible_to(caller).filter(organisation=organisation).for_messages()
    history = History(request.GET, Monitor.objects.filter(organisation=organisation))
    found = rows_of(history.apply(visible, organisation), SESSION_ROW)
    rows, newer, older = _paged(request, found, ["-started_at", "-id"])
    return show(
        request, "sessions", organisation, caller, filters=history.fields, chips=history.chips(request.path),
        sessions=_lines(rows), newer=newer, older=older,
        csv=history.csv_address(organisation.slug), **_picked(request, rows),
    )  # fmt: skip


def _picked(request: HttpRequest, rows: list) -> dict:
    """Sessions ticked for a comparison, `?pick=key,key`: those of this page of the list, and others."""
    picks = [key for key in request.GET.get("pick", "").split(",") if KEY.fullmatch(key)][:PICKS_MAX]
    here = {row.key for row in rows}
    return {"picks": picks, "picks_elsewhere": [key for key in picks if key not in here]}


def _lines(rows: list) -> list[dict]:
    """The lines of the history; times stay times, so that a duration can be taken."""
    return [
        told | {"started_at": row.started_at, "stopped_at": row.stopped_at}
        for row, told in zip(rows, session_rows_json(rows), strict=True)
    ]


@page
def session(request: HttpRequest, key: str) -> HttpResponse:
    caller = caller_of_user(request.user)
    found = get_object_or_404(Session.objects.visible_to(caller).for_messages(), key=key)
    return show(
        request,
        "session",
        found.organisation,
        caller,
        session=session_json(found),
        started_at=found.started_at,
        exports=EXPORTS,
        night=session_report(found) if has_night(found) else None,
    )


@page
def image(request: HttpRequest, key: str) -> HttpResponse:
    caller = caller_of_user(request.user)
    pictures = Image.objects.visible_to(caller)
    found = get_object_or_404(pictures.for_messages().select_related("organisation"), key=key)
    newer, older = _neighbours(found)
    return show(
        request, "image", found.organisation, caller, image=image_json(found), newer=newer, older=older,
        taken_at=found.taken_at, received_at=found.received_at,
        labels=offered_labels(found.session_id, found.dataset_id),
        monitor_name=found.monitor.name if found.monitor else "",
    )  # fmt: skip


def _neighbours(found: Image) -> tuple[str | None, str | None]:
    """Keys of the next newer and the next older kept picture of the same session."""
    if found.session_id is None:
        return None, None
    names, place = ["received_at", "pk"], [Value(found.received_at), Value(found.pk)]
    kept = Image.objects.kept().filter(session_id=found.session_id)
    newer = kept.filter(RowComparison(names, ">", place)).order_by(*names)
    older = kept.filter(RowComparison(names, "<", place)).newest_first()
    return tuple(row.values_list("key", flat=True).first() for row in (newer, older))


@page
def events(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    notable = SessionEvent.objects.for_messages().notable().filter(organisation=organisation)
    level = request.GET.get("level", "all")
    severities = LEVELS.get(level, "")
    rows, newer, older = _paged(request, EventFilters({"severity": severities}, notable).qs, ["-pk"])
    names = dict(Monitor.objects.filter(organisation=organisation).values_list("slug", "name"))
    return show(
        request, "events", organisation, caller, names=names, newer=newer, older=older,
        level=level if severities else "all",
        csv="/api/v1/events/csv/?" + urlencode(
            {"organisation": organisation.slug, "severity": severities, "bom": "true"}
        ),
        events=[event_json(event) for event in rows],
    )  # fmt: skip


@page
def health(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    return show(request, "health", chosen_organisation(request, caller), caller)


def _require(caller: Caller, right: str, organisation: Organisation) -> None:
    if not caller.may(right, organisation.pk):
        raise PermissionDenied(f"This page needs the right {right!r}.")


def _paged(request: HttpRequest, rows: QuerySet, keyset: list[str]) -> tuple[list, str | None, str | None]:
    """One page of `rows`, the address of the newer page and that of the older one."""

    pages = KeysetPagination()
    try:
        found = pages.paginate_queryset(rows, Request(request), SimpleNamespace(keyset=keyset))
    except DomainError as refusal:
        raise BadRequest(refusal.message) from refusal
    return found, pages.previous, pages.next
