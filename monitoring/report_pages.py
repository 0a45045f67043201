"""Pages that hand a shift over: the report of a session, to read and to print, and sessions side by side."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from monitoring.compare import BadComparison, compare, sessions_to_compare
from monitoring.handover import handover
from monitoring.nina import pages as rig_pages
from monitoring.nina.report import has_night
from monitoring.pages import chosen_organisation, page, show
from sessions_app.models import Session
from sessionsite.accounts.services import caller_of_user
from sessionsite.common.errors import Missing

# What "who did what" calls the kinds of journal entries: one, several.
ACTS = {
    "started": "start",
    "stopped": "stop",
    "tags_changed": "box edit",
    "image_changed": "picture edit",
    "image_deleted": "picture deleted",
    "image_restored": "picture restored",
    "late_image_added": "late upload",
    "marker": "mark",
    "notes_changed": "change of notes",
    "renamed": "rename",
    "recording_started": "recording start",
    "recording_stopped": "recording stop",
    "device_attached": "device attached",
    "device_detached": "device detached",
    "moved": "change of state",
    "images_purged": "clean-up",
}


@page
def report(request: HttpRequest, key: str) -> HttpResponse:
    """A session's report; a rig's is that of its night."""
    caller = caller_of_user(request.user)
    found = get_object_or_404(Session.objects.visible_to(caller).for_messages(), key=key)
    if has_night(found):
        return rig_pages.report(request, found, caller)
    told = handover(found)
    return show(
        request, "handover", found.organisation, caller, report=told, session=found, drawing=_drawing(told),
        people=[_person(entry) for entry in told["people"]["entries"]],
    )  # fmt: skip


@page
def side_by_side(request: HttpRequest) -> HttpResponse:
    """Two to four sessions, `?s=…&s=…`; with fewer or more the page says how to choose them."""
    caller = caller_of_user(request.user)
    keys = request.GET.getlist("s")
    try:
        found = sessions_to_compare(caller, keys)
    except BadComparison as refusal:
        problem = refusal.message if keys else ""
        return show(request, "compare", chosen_organisation(request, caller), caller, problem=problem)
    except Missing as refusal:
        raise Http404(refusal.message) from refusal
    told = compare(found)
    rest = [urlencode([("s", other) for other in keys if other != key]) for key in keys]
    return show(
        request, "compare", found[0].organisation, caller, told=told, picks=",".join(keys),
        columns=list(zip(told["sessions"], rest, strict=True)),
    )  # fmt: skip


def _drawing(told: dict) -> dict:
    """What the page draws: rate, gaps and events of the whole session."""
    return {
        "from": told["from"],
        "to": told["to"],
        "first_bucket": told["rate"]["first_bucket"],
        "bucket_s": told["rate"]["bucket_s"],
        "counts": told["rate"]["counts"],
        "gaps": told["gaps"]["longest"],
        "events": told["events"]["entries"],
    }


def _person(entry: dict) -> dict:
    acts = [(ACTS.get(kind, kind.replace("_", " ")), times) for kind, times in entry["acts"].items()]
    return {"by": entry["by"], "acts": acts, "times": sum(times for _, times in acts)}
