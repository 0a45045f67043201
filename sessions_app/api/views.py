"""Sessions and their journals: parse, authorise, call one verb, render."""

from __future__ import annotations

from dataclasses import asdict

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from devices.api.views import AttachedDevices
from devices.services import device_of
from sessions_app import services
from sessions_app.api.filters import EventFilters, SessionFilters
from sessions_app.api.frames import FramesSerializer, TakenSerializer, frames_of
from sessions_app.api.serializers import (
    EventPageSerializer,
    EventSerializer,
    JournalQuery,
    MarkerSerializer,
    NewNotesSerializer,
    NotesSerializer,
    SessionChangeSerializer,
    SessionSerializer,
    SessionStartSerializer,
)
from sessions_app.messages import SESSION_ROW, event_json, notes_json, session_json, session_rows_json
from sessions_app.models import Session, SessionEvent
from sessionsite.accounts.api.organisations import only_organisation, organisation_for
from sessionsite.common.api.conditional import if_match, revision_etag
from sessionsite.common.api.tables import CsvListed, csv_action
from sessionsite.common.api.views import BaseViewSet, Listed, Retrieved

SESSION_KEY = "se_[0-9a-z]{26}"
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key again returns the first answer and changes nothing.",
)

SESSION_COLUMNS = (
    "key", "name", "kind", "state", "end_reason", "monitor", "monitor_name", "organisation", "started_by",
    "started_at", "stopped_at", "duration_s", "total_counter", "image_count", "size_bytes", "labels",
    "tag_counts", "devices", "notes",
)  # fmt: skip
EVENT_COLUMNS = ("session", "monitor", "seq", "kind", "severity", "at", "device", "by", "detail")

IF_MATCH_NOTES = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description='The revision of the notes that was changed, such as `"7"`, or `*`. 412 with another.',
)


@extend_schema(tags=["sessions"])
@extend_schema_view(
    list=extend_schema(summary="Sessions, newest first"),
    retrieve=extend_schema(summary="One session: the same object as on its live topic"),
)
class SessionViewSet(AttachedDevices, CsvListed, Listed, Retrieved, BaseViewSet):
    queryset = Session.objects.for_messages()
    serializer_class = SessionSerializer
    filterset_class = SessionFilters
    lookup_field, lookup_value_regex = "key", SESSION_KEY
    keyset = ("-started_at", "-id")
    row = SESSION_ROW
    csv_name, csv_columns = "sessions", SESSION_COLUMNS
    required_rights = {
        "create": "control",
        "partial_update": "control",
        "set_notes": "control",
        "start_recording": "control",
        "stop_recording": "control",
        "pin": "control",
        "unpin": "control",
        "add_marker": "control",
        "frames": "ingest",
        "add_device": "control",
        "remove_device": "control",
    }
    rate_scopes = {"frames": "ingest", "add_marker": "ingest"}

    def render(self, obj) -> dict:
        return session_json(obj)

    def render_rows(self, rows) -> list[dict]:
        return session_rows_json(rows)

    def list(self, request):
        return self.listed(only_organisation(self.get_queryset(), self.caller))

    @csv_action("The list as CSV, a line per session")
    def csv(self, request):
        return self.csv_of(only_organisation(self.get_queryset(), self.caller))

    def csv_row(self, obj) -> dict:
        lasted = obj.stopped_at and round((obj.stopped_at - obj.started_at).total_seconds(), 3)
        return session_json(obj) | {"duration_s": lasted}

    @extend_schema(
        summary="Start an annotation session",
        request=SessionStartSerializer,
        responses={201: SessionSerializer},
    )
    def create(self, request):
        asked = self.checked(SessionStartSerializer)
        organisation = organisation_for(self.caller, asked.get("organisation"), "control")
        session = services.start_annotation(
            organisation,
            by=self.by,
            name=asked["name"],
            idle_ttl_s=asked.get("idle_ttl_s", settings.SESSION_IDLE_TTL_S),
            elcor=asked["elcor"],
        )
        return Response(self._json(session), status=status.HTTP_201_CREATED)

    def _answer(self, session: Session) -> Response:
        return Response(self._json(session))

    def _json(self, session: Session) -> dict:
        return session_json(Session.objects.for_messages().get(pk=session.pk))

    @extend_schema(
        summary="Change name or notes", request=SessionChangeSerializer, responses=SessionSerializer
    )
    def partial_update(self, request, key):
        session = self.get_object()
        services.set_name_notes(session, by=self.by, **self.checked(SessionChangeSerializer))
        return self._answer(session)

    @extend_schema(summary="Its notes", responses=NotesSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def notes(self, request, key):
        return self._notes(self.get_object())

    @extend_schema(
        summary="Write the notes; 412 `notes_mismatch` shows both sides",
        request=NewNotesSerializer,
        responses=NotesSerializer,
        parameters=[IF_MATCH_NOTES],
    )
    @notes.mapping.put
    def set_notes(self, request, key):
        session = self.get_object()
        revision = if_match(request, required=True, current=session.notes_revision)
        asked = self.checked(NewNotesSerializer)
        return self._notes(services.set_notes(session, asked["text"], by=self.by, revision=revision))

    @staticmethod
    def _notes(session: Session) -> Response:
        return Response(notes_json(session), headers={"ETag": revision_etag(session.notes_revision)})

    @extend_schema(summary="Keep what arrives as a recording", request=None, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def start_recording(self, request, key):
        return self._answer(services.start_recording(self.get_object(), by=self.by))

    @extend_schema(summary="Back to watching", request=None, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def stop_recording(self, request, key):
        return self._answer(services.stop_recording(self.get_object(), by=self.by))

    @extend_schema(
        summary="Keep its pictures whatever retention says", request=None, responses=SessionSerializer
    )
    @action(detail=True, methods=["post"])
    def pin(self, request, key):
        return self._answer(services.pin_session(self.get_object(), by=self.by))

    @extend_schema(summary="Retention may remove its pictures again", responses={200: SessionSerializer})
    @pin.mapping.delete
    def unpin(self, request, key):
        return self._answer(services.pin_session(self.get_object(), by=self.by, pinned=False))

    @extend_schema(
        summary="The journal from a number on", parameters=[JournalQuery], responses=EventPageSerializer
    )
    @action(detail=True, serializer_class=EventSerializer, filterset_class=None, pagination_class=None)
    def events(self, request, key):
        asked = JournalQuery.of(request)
        after, limit = asked["after"], asked["limit"]
        entries = SessionEvent.objects.for_messages().filter(session=self.get_object(), seq__gt=after)
        rows = list(entries.order_by("seq")[: limit + 1])
        page = rows[:limit]
        following = f"{request.path}?after={page[-1].seq}&limit={limit}" if len(rows) > limit else None
        events = [event_json(event) for event in page]
        return Response({"next": following, "previous": None, "results": events})

    @extend_schema(
        summary="Put a marker into the journal",
        request=MarkerSerializer,
        responses={201: EventSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    @events.mapping.post
    def add_marker(self, request, key):
        session = self.get_object()
        told = self.checked(MarkerSerializer)
        dedup_key = request.headers.get("Idempotency-Key")
        event = services.mark(session, by=self.by, device=device_of(self.caller), dedup_key=dedup_key, **told)
        return Response(event_json(event), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Add frames: a batch, or a single one",
        request=FramesSerializer,
        responses={201: TakenSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    @action(detail=True, methods=["post"], filterset_class=None, pagination_class=None)
    def frames(self, request, key):
        taken = services.add_frames(
            self.get_object(),
            frames_of(request.data),
            by=self.by,
            dedup_key=request.headers.get("Idempotency-Key"),
        )
        return Response(asdict(taken), status=status.HTTP_201_CREATED)

    def attach_device(self, session, device) -> None:
        services.attach_device(session, device, by=self.by)

    def detach_device(self, session, device) -> None:
        services.detach_device(session, device, by=self.by)


@extend_schema(tags=["sessions"])
@extend_schema_view(
    list=extend_schema(summary="What happened, newest first, without the arrival of pictures")
)
class EventViewSet(CsvListed, Listed, BaseViewSet):
    queryset = SessionEvent.objects.for_messages().notable()
    serializer_class = EventSerializer
    filterset_class = EventFilters
    csv_name, csv_columns = "events", EVENT_COLUMNS

    def render(self, obj) -> dict:
        return event_json(obj)

    def list(self, request):
        return self.listed(only_organisation(self.get_queryset(), self.caller))

    @csv_action("The list as CSV, a line per event")
    def csv(self, request):
        return self.csv_of(only_organisation(self.get_queryset(), self.caller))

    def csv_row(self, obj) -> dict:
        return event_json(obj) | {"by": obj.detail.get("by", "")}
