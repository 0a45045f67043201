"""The page on which pictures are reviewed, one after the other or many at once."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from monitoring.labels import labels_now, offered_labels
from monitoring.models import Monitor
from monitoring.pages import chosen_organisation, page, show
from monitoring.queue import Queue
from monitoring.state import doubtful_count
from sessionsite.accounts.services import caller_of_user


@page
def review(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    monitors = Monitor.objects.filter(organisation=organisation)
    queue = Queue(request.GET, monitors, now=timezone.now(), path=request.path)
    place = monitors.filter(slug=queue.used.get("monitor", "")).first()
    labels = offered_labels(place.current_session_id, place.dataset_id) if place else labels_now(monitors)
    return show(
        request, "review", organisation, caller, queue=queue, fields=queue.fields, chips=queue.chips(),
        marks=queue.marks(), query=queue.query(organisation.slug), doubtful=doubtful_count(organisation),
        labels=labels,
    )  # fmt: skip
