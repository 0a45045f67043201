"""Monitors: listed, made, changed, started, stopped; their state, controller, rate and devices."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from devices.api.views import AttachedDevices
from devices.services import device_of, note_seen
from monitoring import services
from monitoring.api.batches import BATCH_SCHEMA, take_in_batch
from monitoring.api.filters import MonitorFilters, PictureFilters
from monitoring.api.serializers import (
    AcknowledgedSerializer,
    AcknowledgementSerializer,
    ControllerSerializer,
    GoneDemoSerializer,
    ImageSerializer,
    MonitorChangeSerializer,
    MonitorSerializer,
    MonitorStateSerializer,
    NewMonitorSerializer,
    OrganisationNamedSerializer,
    RateQuery,
    RateSerializer,
    StartSerializer,
)
from monitoring.api.uploads import UPLOAD_PARSERS, UPLOAD_SCHEMA, take_in
from monitoring.messages import IMAGE_ROW, image_rows_json
from monitoring.models import Dataset, Image, Monitor
from monitoring.rates import rate_counts
from monitoring.state import MONITOR_ROW, controller_json, monitor_json, monitor_state, state_essence
from sessions_app.api.filters import of_slug
from sessions_app.api.serializers import ReasonSerializer, SessionSerializer
from sessions_app.messages import session_json
from sessions_app.models import Session
from sessionsite.accounts.api.organisations import organisation_for
from sessionsite.common.api.conditional import revision_etag, with_etag
from sessionsite.common.api.views import BaseViewSet, Listed
from sessionsite.common.errors import DomainError
from sessionsite.common.rows import rows_of

NEWEST_PICTURES = ("-received_at", "-id")


class UnknownDataset(DomainError):
    code = "unknown_dataset"


def dataset_of(organisation_id: int, key: str | None) -> Dataset | None:
    """The organisation's dataset. Raises UnknownDataset."""
    if key is None:
        return None
    dataset = Dataset.objects.filter(organisation_id=organisation_id, key=key).first()
    if dataset is None:
        raise UnknownDataset("There is no such dataset.", field="dataset")
    return dataset


@extend_schema(tags=["monitors"])
@extend_schema_view(list=extend_schema(summary="Monitors by slug"))
class MonitorViewSet(AttachedDevices, Listed, BaseViewSet):
    queryset = Monitor.objects.for_messages()
    serializer_class = MonitorSerializer
    filterset_class = MonitorFilters
    lookup_field, lookup_value_regex = "slug", "[a-z0-9-]{1,64}"
    keyset = ("slug", "id")
    row = MONITOR_ROW
    required_rights = {
        "create": "admin",
        "partial_update": "admin",
        "destroy": "admin",
        "restore": "admin",
        "remove_demo": "admin",
        "start": "control",
        "stop": "control",
        "acknowledge": "control",
        "add_image": "ingest",
        "add_images": "ingest",
        "add_device": "admin",
        "remove_device": "admin",
    }
    rate_scopes = {"add_image": "ingest", "add_images": "ingest"}

    def render_rows(self, rows) -> list[dict]:
        return [monitor_json(row) for row in rows]

    def _answer(self, monitor: Monitor, code: int = 200) -> Response:
        return self._told(monitor_json(self.as_rows(Monitor.objects.all()).get(pk=monitor.pk)), code)

    def _told(self, told: dict, code: int = 200) -> Response:
        return Response(told, status=code, headers={"ETag": revision_etag(told["revision"])})

    @extend_schema(
        summary="A new monitor, idle", request=NewMonitorSerializer, responses={201: MonitorSerializer}
    )
    def create(self, request):
        asked = self.checked(NewMonitorSerializer)
        organisation = organisation_for(self.caller, asked.pop("organisation", None), "admin")
        dataset = dataset_of(organisation.pk, asked.pop("dataset"))
        monitor = services.create_monitor(organisation, dataset=dataset, by=self.by, **asked)
        return self._answer(monitor, status.HTTP_201_CREATED)

    @extend_schema(summary="One monitor's settings")
    def retrieve(self, request, slug):
        return self._told(self.shown())

    @extend_schema(summary="Change settings", request=MonitorChangeSerializer, responses=MonitorSerializer)
    def partial_update(self, request, slug):
        monitor, asked = self.get_object(), self.checked(MonitorChangeSerializer)
        if "dataset" in asked:
            asked["dataset"] = dataset_of(monitor.organisation_id, asked["dataset"])
        return self._answer(services.change_monitor(monitor, by=self.by, **asked))

    @extend_schema(summary="Archive: off the wall, its history stays", request=None, responses={204: None})
    def destroy(self, request, slug):
        services.archive_monitor(self.get_object(), by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Back on the wall", request=None, responses=MonitorSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request, slug):
        return self._answer(services.restore_monitor(self.get_object(), by=self.by))

    @extend_schema(
        summary="Remove the demo: its monitors, sessions, pictures and files",
        request=OrganisationNamedSerializer,
        responses=GoneDemoSerializer,
    )
    @action(detail=False, methods=["post"])
    def remove_demo(self, request):
        asked = self.checked(OrganisationNamedSerializer)
        organisation = organisation_for(self.caller, asked.get("organisation"), "admin")
        return Response(services.remove_demo(organisation, by=self.by))

    @extend_schema(
        summary="What is seen live: the same object as on its live topic", responses=MonitorStateSerializer
    )
    @action(detail=True)
    def state(self, request, slug):
        state = monitor_state(self.get_object())
        return with_etag(request, state, revision=state["revision"], essence=state_essence(state))

    @extend_schema(
        summary="Open a session; 409 already_started",
        request=StartSerializer,
        responses={201: SessionSerializer},
    )
    @action(detail=True, methods=["post"])
    def start(self, request, slug):
        monitor, asked = self.get_object(), self.checked(StartSerializer)
        session = services.start_monitor(monitor, by=self.by, uid=asked["uid"])
        return Response(self._session(session), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="End its session; 409 already_stopped", request=ReasonSerializer, responses=SessionSerializer
    )
    @action(detail=True, methods=["post"])
    def stop(self, request, slug):
        monitor, asked = self.get_object(), self.checked(ReasonSerializer)
        return Response(self._session(services.stop_monitor(monitor, by=self.by, reason=asked["reason"])))

    @staticmethod
    def _session(session: Session) -> dict:
        return session_json(Session.objects.for_messages().get(pk=session.pk))

    @extend_schema(summary="What its controller is asked to do", responses=ControllerSerializer)
    @action(detail=True)
    def controller(self, request, slug):
        monitor = self.get_object()
        self._note_device()
        return with_etag(request, controller_json(monitor), revision=monitor.revision)

    @extend_schema(
        summary="The controller has done it; an old id changes nothing",
        request=AcknowledgementSerializer,
        responses=AcknowledgedSerializer,
    )
    @action(detail=True, methods=["post"], url_path="controller/ack")
    def acknowledge(self, request, slug):
        monitor, asked = self.get_object(), self.checked(AcknowledgementSerializer)
        acknowledged = services.controller_ack(monitor, request_id=asked["request_id"], by=self.by)
        self._note_device()
        monitor.refresh_from_db(fields=["controller", "controller_acked_at"])
        return Response({"acknowledged": acknowledged, "controller": controller_json(monitor)})

    def _note_device(self) -> None:
        if device := device_of(self.caller):
            note_seen(device)

    @extend_schema(summary="Pictures per 10 s, for a chart", parameters=[RateQuery], responses=RateSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def rate(self, request, slug):
        asked = RateQuery.of(request)
        return Response(rate_counts(self.get_object(), minutes=asked["minutes"]))

    @extend_schema(summary="Its pictures, newest first", responses=ImageSerializer(many=True))
    @action(
        detail=True,
        serializer_class=ImageSerializer,
        filterset_class=PictureFilters,
        keyset=NEWEST_PICTURES,
        parser_classes=UPLOAD_PARSERS,
    )
    def images(self, request, slug):
        # By a subquery: with the id itself SQLite may begin with the few monitors and sort all pictures.
        its = of_slug(Monitor, "slug", self.get_object().slug)
        pictures = Image.objects.filter(monitor_id=its)
        rows = self.paginate_queryset(rows_of(self.filter_queryset(pictures), IMAGE_ROW))
        return self.get_paginated_response(image_rows_json(rows))

    @UPLOAD_SCHEMA
    @extend_schema(summary="Add a picture to what runs; 409 not_started")
    @images.mapping.post
    def add_image(self, request, slug):
        return take_in(self, monitor=self.get_object())

    @BATCH_SCHEMA
    @action(detail=True, methods=["post"], url_path="images/batch", parser_classes=[MultiPartParser])
    def add_images(self, request, slug):
        return take_in_batch(self, self.get_object())

    def attach_device(self, monitor, device) -> None:
        services.attach_device(monitor, device, by=self.by)

    def detach_device(self, monitor, device) -> None:
        services.detach_device(monitor, device, by=self.by)
