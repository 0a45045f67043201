"""What monitoring adds to a session's address: its pictures, and its end, which the monitor shows too."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from monitoring.api.filters import PictureFilters
from monitoring.api.serializers import ImageSerializer
from monitoring.api.uploads import UPLOAD_PARSERS, UPLOAD_SCHEMA, take_in
from monitoring.api.views.monitors import NEWEST_PICTURES
from monitoring.messages import image_json
from monitoring.models import Image
from monitoring.services import end_any_session
from sessions_app.api.filters import of_slug
from sessions_app.api.serializers import ReasonSerializer, SessionSerializer
from sessions_app.api.views import SESSION_KEY
from sessions_app.messages import session_json
from sessions_app.models import Session
from sessionsite.common.api.views import BaseViewSet


@extend_schema(tags=["sessions"])
class SessionPicturesViewSet(BaseViewSet):
    queryset = Session.objects.for_messages()
    serializer_class = SessionSerializer
    lookup_field, lookup_value_regex = "key", SESSION_KEY
    keyset = NEWEST_PICTURES
    required_rights = {"end": "control", "add_image": "ingest"}

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
        pictures = Image.objects.for_messages().filter(session_id=its)
        rows = self.paginate_queryset(self.filter_queryset(pictures))
        return self.get_paginated_response([image_json(row) for row in rows])

    @UPLOAD_SCHEMA
    @extend_schema(summary="Add a picture, also a late one whose time lies within the session")
    @images.mapping.post
    def add_image(self, request, key):
        return take_in(self, session=self.get_object())
