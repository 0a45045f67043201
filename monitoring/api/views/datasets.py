"""Datasets: made, renamed, counted, removed while they are empty."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.response import Response

from monitoring import services
from monitoring.api.filters import DatasetFilters
from monitoring.api.serializers import (
    CountedDatasetSerializer,
    DatasetChangeSerializer,
    DatasetSerializer,
    NewDatasetSerializer,
)
from monitoring.counts import dataset_counts
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
    required_rights = {"create": "annotate", "partial_update": "annotate", "destroy": "annotate"}

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
        summary="Change name or type",
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
