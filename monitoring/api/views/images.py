"""Pictures: listed, labelled, reviewed, deleted and restored; their files, boxes and history."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.response import Response

from monitoring import services
from monitoring.api import media
from monitoring.api.filters import ImageFilters
from monitoring.api.serializers import (
    ImageChangeSerializer,
    ImageSerializer,
    NewTagSerializer,
    TagChangeSerializer,
    TagChangesSerializer,
    TagListSerializer,
    TagSerializer,
)
from monitoring.api.views.monitors import NEWEST_PICTURES
from monitoring.messages import image_json, tag_json
from monitoring.models import Image, Tag, TagChange
from sessionsite.accounts.api.organisations import only_organisation
from sessionsite.common.api.conditional import if_match, revision_etag
from sessionsite.common.api.views import BaseViewSet, Listed

RIGHT_OF_FIELD = {"label": "annotate", "split": "annotate", "review": "review"}
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description='The revision that was changed, like `"7"`, or `*`. 428 without, 412 with another.',
)
IF_MATCH_OPTIONAL = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description='The revision of the picture that the change was made from, such as `"7"`. 412 with another.',
)
ANY_PICTURE = OpenApiResponse(OpenApiTypes.BINARY, description="The file. 304 with the tag of the same file.")


class AnyAccept(DefaultContentNegotiation):
    """The file is what it is; a client that accepts only `image/*` must get it, and its errors as JSON."""

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


def source_of(caller, asked: dict) -> str:
    return asked.get("source") or ("device" if caller.token_id else "operator")


@extend_schema(tags=["images"])
@extend_schema_view(list=extend_schema(summary="Pictures, newest first"))
class ImageViewSet(Listed, BaseViewSet):
    queryset = Image.objects.for_messages()
    serializer_class = ImageSerializer
    filterset_class = ImageFilters
    lookup_field, lookup_value_regex = "key", "im_[0-9a-z]{26}"
    keyset = NEWEST_PICTURES
    required_rights = {
        "partial_update": "read",  # each field names its own right
        "destroy": "annotate",
        "restore": "annotate",
        "add_tag": "annotate",
        "replace_tags": "annotate",
    }

    def render(self, obj) -> dict:
        return image_json(obj)

    def list(self, request):
        return self.listed(only_organisation(self.get_queryset(), self.caller))

    def _answer(self, image: Image) -> Response:
        image = Image.objects.for_messages().get(pk=image.pk)
        return Response(image_json(image), headers={"ETag": revision_etag(image.revision)})

    @extend_schema(summary="One picture with its boxes; also a deleted one")
    def retrieve(self, request, key):
        image = self.get_object()
        return Response(image_json(image), headers={"ETag": revision_etag(image.revision)})

    @extend_schema(
        summary="Change label, review mark or split",
        request=ImageChangeSerializer,
        responses=ImageSerializer,
        parameters=[IF_MATCH_OPTIONAL],
    )
    def partial_update(self, request, key):
        image, asked = self.get_object(), self.checked(ImageChangeSerializer)
        for name in asked:
            self.demand(RIGHT_OF_FIELD[name], image.organisation_id)
        if not asked:
            raise ValidationError({"": [f"Name one of {', '.join(RIGHT_OF_FIELD)}."]})
        revision = if_match(request, required=False, current=image.revision)
        return self._answer(services.change_image(image, by=self.by, revision=revision, **asked))

    @extend_schema(summary="Out of sight, restorable", request=None, responses={204: None})
    def destroy(self, request, key):
        services.delete_image(self.get_object(), by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Bring a deleted picture back", request=None, responses=ImageSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request, key):
        return self._answer(services.restore_image(self.get_object(), by=self.by))

    @extend_schema(summary="The original file", responses={(200, "image/*"): ANY_PICTURE, 304: None})
    @action(detail=True, content_negotiation_class=AnyAccept)
    def file(self, request, key):
        return media.original(request, self.get_object())

    @extend_schema(summary="At most 300 px, WebP", responses={(200, "image/webp"): ANY_PICTURE, 304: None})
    @action(detail=True, content_negotiation_class=AnyAccept)
    def thumbnail(self, request, key):
        return media.thumbnail(request, self.get_object())

    @extend_schema(summary="Every edit of its boxes, oldest first", responses=TagChangeSerializer(many=True))
    @action(detail=True, serializer_class=TagChangeSerializer, keyset=("id",), filterset_class=None)
    def history(self, request, key):
        changes = TagChange.objects.filter(image=self.get_object())
        rows = self.paginate_queryset(self.filter_queryset(changes))
        return self.get_paginated_response(TagChangeSerializer(rows, many=True).data)

    @extend_schema(summary="Its boxes", responses=TagSerializer(many=True), filters=False)
    @action(detail=True, serializer_class=TagSerializer, filterset_class=None, pagination_class=None)
    def tags(self, request, key):
        return self._tags(self.get_object())

    def _tags(self, image: Image) -> Response:
        """All of them, 1000 at most, with the picture's revision as the tag for If-Match."""
        data = [tag_json(tag, image.key) for tag in Tag.objects.filter(image=image).order_by("pk")]
        return Response(data, headers={"ETag": revision_etag(image.revision)})

    @extend_schema(
        summary="Draw one box",
        request=NewTagSerializer,
        responses={201: TagSerializer},
        parameters=[IF_MATCH_OPTIONAL],
    )
    @tags.mapping.post
    def add_tag(self, request, key):
        image, asked = self.get_object(), self.checked(NewTagSerializer)
        revision = if_match(request, required=False, current=image.revision)
        asked["source"] = source_of(self.caller, asked)
        tag = services.add_tag(image, by=self.by, revision=revision, **asked)
        etag = {"ETag": revision_etag(tag.revision)}
        return Response(tag_json(tag, image.key), status=status.HTTP_201_CREATED, headers=etag)

    @extend_schema(
        summary="Replace all boxes; one that stays the same keeps its key",
        request=TagListSerializer,
        responses=TagSerializer(many=True),
        parameters=[IF_MATCH],
    )
    @tags.mapping.put
    def replace_tags(self, request, key):
        image = self.get_object()
        revision = if_match(request, required=True, current=image.revision)
        asked = self.checked(TagListSerializer)
        services.replace_tags(
            image,
            tags=[dict(tag) for tag in asked["tags"]],
            by=self.by,
            source=source_of(self.caller, asked),
            revision=revision,
        )
        image.refresh_from_db(fields=["revision"])
        return self._tags(image)


@extend_schema(tags=["images"])
class TagViewSet(BaseViewSet):
    queryset = Tag.objects.select_related("image")
    serializer_class = TagSerializer
    lookup_field, lookup_value_regex = "key", "tg_[0-9a-z]{26}"
    required_rights = {"partial_update": "annotate", "destroy": "annotate"}

    def organisation_id_of(self, obj) -> int:
        return obj.image.organisation_id

    @staticmethod
    def _answer(tag: Tag) -> Response:
        return Response(tag_json(tag, tag.image.key), headers={"ETag": revision_etag(tag.revision)})

    @extend_schema(summary="One box")
    def retrieve(self, request, key):
        return self._answer(self.get_object())

    @extend_schema(
        summary="Move or relabel one box",
        request=TagChangesSerializer,
        responses=TagSerializer,
        parameters=[IF_MATCH],
    )
    def partial_update(self, request, key):
        tag = self.get_object()
        revision = if_match(request, required=True, current=tag.revision)
        asked = self.checked(TagChangesSerializer)
        source = source_of(self.caller, {})
        return self._answer(services.change_tag(tag, revision=revision, by=self.by, source=source, **asked))

    @extend_schema(
        summary="Remove one box; the history keeps it",
        request=None,
        responses={204: None},
        parameters=[IF_MATCH],
    )
    def destroy(self, request, key):
        tag = self.get_object()
        revision = if_match(request, required=True, current=tag.revision)
        services.delete_tag(tag, revision=revision, by=self.by, source=source_of(self.caller, {}))
        return Response(status=status.HTTP_204_NO_CONTENT)
