"""What monitoring adds to a session's address: its pictures, and its end, which the monitor shows too."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from monitoring import exports
from monitoring.api.comparisons import COMPARED, ComparisonSerializer
from monitoring.api.exports import (
    EXPORT_ACTION,
    ExportBody,
    ExportQuery,
    export_answer,
    export_schema,
    export_started,
    start_export_schema,
    wanted_of,
)
from monitoring.api.filters import PictureFilters
from monitoring.api.handovers import ANY_REPORT
from monitoring.api.serializers import ImageSerializer
from monitoring.api.timelines import TimelineQuery, TimelineSerializer
from monitoring.api.uploads import UPLOAD_PARSERS, UPLOAD_SCHEMA, take_in
from monitoring.api.views.monitors import NEWEST_PICTURES
from monitoring.compare import compare, sessions_to_compare
from monitoring.handover import handover
from monitoring.messages import IMAGE_ROW, image_rows_json
from monitoring.models import Image
from monitoring.nina.report import has_night, session_report
from monitoring.services import end_any_session
from monitoring.timeline import timeline
from sessions_app.api.filters import of_slug
from sessions_app.api.serializers import ReasonSerializer, SessionSerializer
from sessions_app.api.views import SESSION_KEY
from sessions_app.messages import session_json
from sessions_app.models import Session
from sessionsite.common.api.views import BaseViewSet
from sessionsite.common.rows import rows_of


@extend_schema(tags=["sessions"])
class SessionPicturesViewSet(BaseViewSet):
    queryset = Session.objects.for_messages()
    serializer_class = SessionSerializer
    lookup_field, lookup_value_regex = "key", SESSION_KEY
    keyset = NEWEST_PICTURES
    required_rights = {"end": "control", "add_image": "ingest", "start_export": "read"}
    rate_scopes = {"add_image": "ingest", "export": "exports", "start_export": "exports"}

    @extend_schema(
        summary="End it, and what it records; 409 illegal_move when it is over",
        request=ReasonSerializer,
        responses=SessionSerializer,
    )
    @action(detail=True, methods=["post"])
    def end(self, request, key):
        session, asked = self.get_object(), self.checked(ReasonSerializer)
        end_any_session(session, by=self.by, reason=asked["reason"])
        return Response(session_json(Session.objects.for_messages().get(pk=session.pk)))

    @extend_schema(summary="Its pictures, newest first", responses=ImageSerializer(many=True))
    @action(
        detail=True,
        serializer_class=ImageSerializer,
        filterset_class=PictureFilters,
        parser_classes=UPLOAD_PARSERS,
    )
    def images(self, request, key):
        its = of_slug(Session, "key", self.get_object().key)
        pictures = Image.objects.filter(session_id=its)
        rows = self.paginate_queryset(rows_of(self.filter_queryset(pictures), IMAGE_ROW))
        return self.get_paginated_response(image_rows_json(rows))

    @extend_schema(
        summary="Pictures and labels per bucket, gaps and events, of all of it or of a stretch",
        parameters=[TimelineQuery],
        responses=TimelineSerializer,
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def timeline(self, request, key):
        asked = TimelineQuery.of(request)
        found = timeline(
            self.get_object(), start=asked.get("from"), end=asked.get("to"), buckets=asked["buckets"]
        )
        return Response(found, headers={"Cache-Control": "no-store"})

    @extend_schema(
        summary="Two to four sessions side by side, aligned from their starts",
        parameters=[COMPARED],
        responses=ComparisonSerializer,
    )
    @action(detail=False, filterset_class=None, pagination_class=None)
    def compare(self, request):
        if unknown := sorted(set(request.query_params) - {"s"}):
            raise ValidationError({name: ["There is no such parameter."] for name in unknown})
        return Response(compare(sessions_to_compare(self.caller, request.query_params.getlist("s"))))

    @extend_schema(
        summary="What to hand over at the end of a shift; of a rig, the report of its night",
        responses=ANY_REPORT,
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def report(self, request, key):
        session = self.get_object()
        told = session_report(session) if has_night(session) else handover(session)
        return Response(told, headers={"Cache-Control": "no-store"})

    @UPLOAD_SCHEMA
    @extend_schema(summary="Add a picture, also a late one whose time lies within the session")
    @images.mapping.post
    def add_image(self, request, key):
        return take_in(self, session=self.get_object())

    @export_schema("Its pictures and boxes", ExportQuery)
    @action(**EXPORT_ACTION)
    def export(self, request, key):
        session, wanted = self.get_object(), wanted_of(ExportQuery.of(request))
        return export_answer(exports.of_session(session, wanted), wanted)

    @start_export_schema()
    @export.mapping.post
    def start_export(self, request, key):
        return export_started(self, self.get_object(), self.checked(ExportBody))
