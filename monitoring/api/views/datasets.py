"""Datasets: made, renamed, counted, removed while they are empty."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from monitoring import exports, services
from monitoring.api.exports import (
    EXPORT_ACTION,
    DatasetExportQuery,
    ExportBody,
    JobSerializer,
    export_answer,
    export_schema,
    export_started,
    start_export_schema,
    wanted_of,
)
from monitoring.api.filters import DatasetFilters
from monitoring.api.imports import NewImportSerializer
from monitoring.api.serializers import (
    CountedDatasetSerializer,
    DatasetChangeSerializer,
    DatasetSerializer,
    DatasetSummarySerializer,
    NewDatasetSerializer,
    RelabelPreviewSerializer,
    RelabelSerializer,
)
from monitoring.counts import dataset_counts, dataset_summary
from monitoring.jobs import verbs
from monitoring.jobs.messages import job_json
from monitoring.jobs.relabel import preview, start_relabel
from monitoring.models import Dataset
from sessionsite.accounts.api.organisations import organisation_for
from sessionsite.common.api.views import BaseViewSet, Listed
from sessionsite.common.errors import Conflict

ORGANISATION = OpenApiParameter(
    "organisation",
    OpenApiTypes.STR,
    description="Needed where two organisations of the caller use the same key.",
)


class AmbiguousKey(Conflict):
    """Two organisations of the caller have a dataset of this key."""

    code = "ambiguous_key"


@extend_schema(tags=["datasets"])
@extend_schema_view(list=extend_schema(summary="Datasets, newest first"))
class DatasetViewSet(Listed, BaseViewSet):
    queryset = Dataset.objects.select_related("organisation")
    serializer_class = DatasetSerializer
    filterset_class = DatasetFilters
    lookup_field, lookup_value_regex = "key", r"[^/\x00-\x1f\x7f]{1,100}"
    required_rights = {
        "create": "annotate",
        "partial_update": "annotate",
        "destroy": "annotate",
        "start_export": "read",
        "start_import": "annotate",
        "relabel": "annotate",
    }

    rate_scopes = {"export": "exports", "start_export": "exports", "start_import": "exports"}

    def get_queryset(self):
        queryset = super().get_queryset()
        slug = self.request.query_params.get("organisation") if self.kwargs else None
        return queryset.filter(organisation__slug=slug) if slug else queryset

    def get_object(self):
        try:
            return super().get_object()
        except Dataset.MultipleObjectsReturned as error:
            raise AmbiguousKey("Say which organisation's dataset this is: ?organisation=.") from error

    @extend_schema(summary="A new dataset", request=NewDatasetSerializer, responses={201: DatasetSerializer})
    def create(self, request):
        asked = self.checked(NewDatasetSerializer)
        organisation = organisation_for(self.caller, asked.pop("organisation", None), "annotate")
        dataset = services.create_dataset(organisation, by=self.by, **asked)
        return Response(self.render(dataset), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="One dataset, counted per label",
        parameters=[ORGANISATION],
        responses=CountedDatasetSerializer,
    )
    def retrieve(self, request, key):
        dataset = self.get_object()
        return Response({**self.render(dataset), **dataset_counts(dataset)})

    @extend_schema(
        summary="Change name, type or shares",
        request=DatasetChangeSerializer,
        parameters=[ORGANISATION],
        responses=DatasetSerializer,
    )
    def partial_update(self, request, key):
        dataset, asked = self.get_object(), self.checked(DatasetChangeSerializer)
        return Response(self.render(services.change_dataset(dataset, by=self.by, **asked)))

    @extend_schema(
        summary="Remove it; 409 dataset_in_use while it has pictures",
        request=None,
        parameters=[ORGANISATION],
        responses={204: None},
    )
    def destroy(self, request, key):
        services.remove_dataset(self.get_object(), by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @export_schema("Its pictures and boxes", DatasetExportQuery)
    @action(**EXPORT_ACTION)
    def export(self, request, key):
        dataset, wanted = self.get_object(), wanted_of(DatasetExportQuery.of(request))
        return export_answer(exports.of_dataset(dataset, wanted), wanted)

    @extend_schema(
        summary="A job that takes an archive, says what it would do, and then does it",
        request=NewImportSerializer,
        parameters=[ORGANISATION],
        responses={201: JobSerializer},
    )
    @action(detail=True, methods=["post"], url_path="import")
    def start_import(self, request, key):
        dataset, asked = self.get_object(), self.checked(NewImportSerializer)
        job = verbs.start_import(dataset, by=self.by, **asked)
        return Response(job_json(job), status=201, headers={"Location": f"/api/v1/jobs/{job.key}/"})

    @extend_schema(
        summary="Counts per label and split, coverage per monitor and day",
        parameters=[ORGANISATION],
        responses=DatasetSummarySerializer,
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def summary(self, request, key):
        return Response(dataset_summary(self.get_object()))

    @extend_schema(
        summary="A job that renames or merges labels; with dry_run only what it would change",
        request=RelabelSerializer,
        parameters=[ORGANISATION],
        responses={200: RelabelPreviewSerializer, 202: JobSerializer},
    )
    @action(detail=True, methods=["post"])
    def relabel(self, request, key):
        dataset, asked = self.get_object(), self.checked(RelabelSerializer)
        if asked["dry_run"]:
            return Response(preview(dataset, asked["labels"]))
        job = start_relabel(dataset, asked["labels"], by=self.by)
        return Response(job_json(job), status=202, headers={"Location": f"/api/v1/jobs/{job.key}/"})

    @start_export_schema(ORGANISATION)
    @export.mapping.post
    def start_export(self, request, key):
        return export_started(self, self.get_object(), self.checked(ExportBody))
