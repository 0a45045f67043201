"""Native REST of rigs, below /api/v1/: state, journal and nights of a rig.

A rig that is public is read without a login, as on the routes of the outside system (api.py).
"""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.nina.access import find_rig
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.nights import evening_of
from monitoring.nina.pages import report_of_night
from monitoring.nina.serializers import (
    NightReportSerializer,
    RigEventPageSerializer,
    RigStateSerializer,
)
from monitoring.nina.topic import rig_event_json, rig_state
from sessions_app.api.serializers import JournalQuery
from sessionsite.common.api.views import BaseView
from sessionsite.common.errors import Missing

EVENING = OpenApiParameter("evening", str, OpenApiParameter.PATH, description="Its first date: 2025-11-14.")


class RigView(BaseView, APIView):
    """About the rig that the address names: for those who may read it, for everybody where it is public."""

    permission_classes = ()

    @property
    def rig(self) -> Rig:
        return find_rig(self.kwargs["slug"], self.request.auth)


class RigStateView(RigView):
    @extend_schema(
        tags=["rigs"],
        summary="What a rig is doing: the same object as on the topic `rig:<rig>`",
        responses=RigStateSerializer,
    )
    def get(self, request, slug):
        return Response(rig_state(self.rig))


class RigEventsView(RigView):
    @extend_schema(
        tags=["rigs"],
        summary="The events of a rig from a number on",
        parameters=[JournalQuery],
        responses=RigEventPageSerializer,
    )
    def get(self, request, slug):
        asked = JournalQuery.of(request)
        after, limit = asked["after"], asked["limit"]
        rows = list(RigEvent.objects.filter(rig=self.rig, seq__gt=after).order_by("seq")[: limit + 1])
        page = rows[:limit]
        following = f"{request.path}?after={page[-1].seq}&limit={limit}" if len(rows) > limit else None
        return Response(
            {"next": following, "previous": None, "results": [rig_event_json(row) for row in page]}
        )


class RigNightView(RigView):
    @extend_schema(
        tags=["rigs"],
        summary="The figures of one night, noon to noon at the site",
        parameters=[EVENING],
        responses=NightReportSerializer,
    )
    def get(self, request, slug, evening):
        rig = self.rig
        try:
            named = evening_of(evening)
        except ValueError as error:
            raise Missing("A night is named by its evening's date, such as 2025-11-14.") from error
        return Response(report_of_night(rig, named))
