"""Reviews of many pictures at once, chosen by the filters of the list of pictures."""

from __future__ import annotations

from dataclasses import asdict

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from monitoring import services
from monitoring.api.filters import ImageFilters
from monitoring.api.serializers import (
    BulkReviewDoneSerializer,
    BulkReviewSerializer,
    PreviewRequestSerializer,
    ReviewPreviewSerializer,
)
from monitoring.models import Image, TagChange
from sessionsite.accounts.api.organisations import only_organisation
from sessionsite.common.api.views import BaseViewSet


@extend_schema(tags=["images"])
class ReviewViewSet(BaseViewSet):
    """The query finds the pictures, with the parameters of `images/`; the body says what becomes of them."""

    queryset = Image.objects.all()
    serializer_class = BulkReviewDoneSerializer
    filterset_class = ImageFilters
    lookup_field, lookup_value_regex = "batch", "rb_[0-9a-z]{26}"
    pagination_class = None
    required_rights = {"create": "review", "preview": "review", "undo": "review"}

    def _found(self, asked: dict):
        images = self.filter_queryset(only_organisation(self.get_queryset(), self.caller))
        return images.filter(key__in=asked["keys"]) if "keys" in asked else images

    @extend_schema(
        summary="Mark many pictures",
        request=BulkReviewSerializer,
        responses={200: BulkReviewDoneSerializer},
        filters=True,
    )
    def create(self, request):
        asked = self.checked(BulkReviewSerializer)
        done = services.review_many(
            self._found(asked),
            review=asked["review"],
            comment=asked["comment"],
            upto=asked.get("upto"),
            by=self.by,
        )
        return Response(asdict(done))

    @extend_schema(
        summary="What marking them would do, in numbers",
        request=PreviewRequestSerializer,
        responses=ReviewPreviewSerializer,
        filters=True,
    )
    @action(detail=False, methods=["post"])
    def preview(self, request):
        asked = self.checked(PreviewRequestSerializer)
        found = services.preview_review(self._found(asked), asked["review"])
        return Response(ReviewPreviewSerializer(found).data)

    @extend_schema(
        summary="Take a bulk review back; pictures that were changed since stay as they are",
        request=None,
        responses=BulkReviewDoneSerializer,
        filters=False,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def undo(self, request, batch):
        # The empty one is named for the index of batches, which leaves it out.
        rows = TagChange.objects.visible_to(self.caller).filter(batch=batch).exclude(batch="")
        if (first := rows.select_related("image").first()) is None:
            raise Http404
        self.demand("review", first.image.organisation_id)
        mine = rows & TagChange.objects.visible_to(self.caller, "review")
        return Response(asdict(services.undo_review(mine, batch, by=self.by)))
