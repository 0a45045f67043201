"""Pictures: listed, labelled, reviewed, deleted and restored; their files, boxes and history."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from monitoring import services
from monitoring.api import media
from monitoring.api.filters import ImageFilters
from monitoring.api.serializers import (
    EditingSerializer,
    EditorSerializer,
    ImageChangeSerializer,
    ImageSerializer,
    NewTagSerializer,
    TagChangeSerializer,
    TagChangesSerializer,
    TagListSerializer,
    TagSerializer,
)
from monitoring.api.views.monitors import NEWEST_PICTURES
from monitoring.messages import IMAGE_ROW, editor_json, image_json, image_rows_json, tag_json
from monitoring.models import Image, Tag, TagChange
from monitoring.services.tags import gone
from sessionsite.accounts.api.organisations import only_organisation
from sessionsite.common.api.conditional import if_match, revision_etag
from sessionsite.common.api.pagination import in_keyset_order
from sessionsite.common.api.tables import AnyAccept, CsvListed, csv_action, csv_answer
from sessionsite.common.api.views import BaseViewSet, Listed

RIGHT_OF_FIELD = {"label": "annotate", "split": "annotate", "review": "review", "review_comment": "review"}
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

IMAGE_COLUMNS = (
    "key", "name", "label", "review", "split", "boxes", "monitor", "session", "dataset", "taken_at",
    "received_at", "width", "height", "size_bytes", "format", "sha256", "author", "revision", "deleted_at",
    "file_url",
)  # fmt: skip
TAG_COLUMNS = (
    "key", "label", "x", "y", "w", "h", "image", "image_name", "monitor", "session", "taken_at", "author",
    "source", "revision", "updated_at",
)  # fmt: skip


def source_of(caller, asked: dict) -> str:
    return asked.get("source") or ("device" if caller.token_id else "operator")


def image_version(image: Image) -> dict[str, str]:
    """A header that says which revision of the picture the change of its box has made, or a later one."""
    image.refresh_from_db(fields=["revision"])
    return {"Image-Revision": str(image.revision)}


def tag_answer(tag: Tag, *, status: int = 200) -> Response:
    headers = {"ETag": revision_etag(tag.revision), **image_version(tag.image)}
    return Response(tag_json(tag, tag.image.key), status=status, headers=headers)


@extend_schema(tags=["images"])
@extend_schema_view(list=extend_schema(summary="Pictures, newest first"))
class ImageViewSet(CsvListed, Listed, BaseViewSet):
    queryset = Image.objects.for_messages()
    serializer_class = ImageSerializer
    filterset_class = ImageFilters
    lookup_field, lookup_value_regex = "key", "im_[0-9a-z]{26}"
    keyset = NEWEST_PICTURES
    row = IMAGE_ROW
    csv_name, csv_columns = "images", IMAGE_COLUMNS
    required_rights = {
        "partial_update": "read",  # each field names its own right
        "destroy": "annotate",
        "pin": "annotate",
        "unpin": "annotate",
        "restore": "annotate",
        "reopen": "review",
        "undo": "annotate",
        "redo": "annotate",
        "edit": "annotate",
        "leave": "annotate",
        "add_tag": "annotate",
        "replace_tags": "annotate",
    }

    @property
    def source(self) -> str:
        return source_of(self.caller, {})

    def render(self, obj) -> dict:
        return image_json(obj)

    def render_rows(self, rows) -> list[dict]:
        return image_rows_json(rows)

    def list(self, request):
        return self.listed(only_organisation(self.get_queryset(), self.caller))

    @csv_action("The list as CSV, a line per picture")
    def csv(self, request):
        return self.csv_of(only_organisation(self.get_queryset(), self.caller))

    def csv_row(self, obj) -> dict:
        return image_json(obj) | {"boxes": len(obj.shown_tags)}

    def _answer(self, image: Image) -> Response:
        [told] = image_rows_json(self.as_rows(Image.objects.filter(pk=image.pk)))
        return Response(told, headers={"ETag": revision_etag(told["revision"])})

    @extend_schema(summary="One picture with its boxes; also a deleted one")
    def retrieve(self, request, key):
        image = self.shown()
        return Response(image, headers={"ETag": revision_etag(image["revision"])})

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
        image = services.change_image(image, by=self.by, source=self.source, revision=revision, **asked)
        return self._answer(image)

    @extend_schema(summary="Out of sight, restorable", request=None, responses={204: None})
    def destroy(self, request, key):
        services.delete_image(self.get_object(), by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Bring a deleted picture back", request=None, responses=ImageSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request, key):
        return self._answer(services.restore_image(self.get_object(), by=self.by))

    @extend_schema(summary="Keep it whatever retention says", request=None, responses=ImageSerializer)
    @action(detail=True, methods=["post"])
    def pin(self, request, key):
        return self._answer(services.pin_image(self.get_object(), by=self.by))

    @extend_schema(summary="Retention may remove it again", responses={200: ImageSerializer})
    @pin.mapping.delete
    def unpin(self, request, key):
        return self._answer(services.pin_image(self.get_object(), by=self.by, pinned=False))

    @extend_schema(
        summary="Reopen an ended review: it can be edited again", request=None, responses=ImageSerializer
    )
    @action(detail=True, methods=["post"])
    def reopen(self, request, key):
        return self._answer(services.reopen_review(self.get_object(), by=self.by, source=self.source))

    @extend_schema(
        summary="Take your last edit of it back, by a new one",
        request=None,
        responses=ImageSerializer,
        parameters=[IF_MATCH_OPTIONAL],
    )
    @action(detail=True, methods=["post"])
    def undo(self, request, key):
        return self._turned(services.undo)

    @extend_schema(
        summary="Make the edit again that you took back last",
        request=None,
        responses=ImageSerializer,
        parameters=[IF_MATCH_OPTIONAL],
    )
    @action(detail=True, methods=["post"])
    def redo(self, request, key):
        return self._turned(services.redo)

    def _turned(self, verb) -> Response:
        image = self.get_object()
        revision = if_match(self.request, required=False, current=image.revision)
        may_review = self.caller.may("review", image.organisation_id)
        image = verb(image, by=self.by, source=self.source, revision=revision, may_review=may_review)
        return self._answer(image)

    @extend_schema(
        summary="Who has it open to edit it",
        responses=EditorSerializer(many=True),
        filters=False,
    )
    @action(detail=True, serializer_class=EditorSerializer, filterset_class=None, pagination_class=None)
    def editors(self, request, key):
        return Response([editor_json(each) for each in self.get_object().editors.order_by("pk")])

    @extend_schema(
        summary="You have it open, for the next 30 s",
        request=EditingSerializer,
        responses=EditorSerializer(many=True),
    )
    @editors.mapping.post
    def edit(self, request, key):
        image, asked = self.get_object(), self.checked(EditingSerializer)
        found = services.edit_picture(image, client=asked["client"], name=self.by, tag_key=asked["tag"])
        return Response([editor_json(each) for each in found])

    @extend_schema(summary="You have it open no more", request=EditingSerializer, responses={204: None})
    @editors.mapping.delete
    def leave(self, request, key):
        image, asked = self.get_object(), self.checked(EditingSerializer)
        services.leave_picture(image, client=asked["client"], name=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="The original file", responses={(200, "image/*"): ANY_PICTURE, 304: None})
    @action(detail=True, content_negotiation_class=AnyAccept)
    def file(self, request, key):
        return media.original(request, self.get_object())

    @extend_schema(summary="At most 300 px, WebP", responses={(200, "image/webp"): ANY_PICTURE, 304: None})
    @action(detail=True, content_negotiation_class=AnyAccept)
    def thumbnail(self, request, key):
        return media.thumbnail(request, self.get_object())

    @extend_schema(
        summary="Every edit of it and its boxes, oldest first", responses=TagChangeSerializer(many=True)
    )
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
        return tag_answer(tag, status=status.HTTP_201_CREATED)

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


def _tag_row(tag: Tag, image: Image) -> dict:
    about = image_json(image)
    return {name: about[name] for name in ("monitor", "session", "taken_at")} | {
        "image_name": image.name,
        **tag_json(tag, image.key),
    }


@extend_schema(tags=["images"])
class TagViewSet(BaseViewSet):
    queryset = Tag.objects.select_related("image")
    serializer_class = TagSerializer
    lookup_field, lookup_value_regex = "key", "tg_[0-9a-z]{26}"
    required_rights = {"partial_update": "annotate", "destroy": "annotate", "restore": "annotate"}

    def organisation_id_of(self, obj) -> int:
        return obj.image.organisation_id

    @csv_action("The boxes of the pictures that fit, as CSV, a line per box", filterset_class=ImageFilters)
    def csv(self, request):
        pictures = Image.objects.for_messages().visible_to(self.caller)
        found = self.filter_queryset(only_organisation(pictures, self.caller))
        rows = (
            _tag_row(tag, image)
            for image in in_keyset_order(found, NEWEST_PICTURES)
            for tag in image.shown_tags
        )
        return csv_answer(self, "tags", TAG_COLUMNS, rows)

    @extend_schema(summary="One box")
    def retrieve(self, request, key):
        return tag_answer(self.get_object())

    @extend_schema(
        summary="Move or relabel one box",
        request=TagChangesSerializer,
        responses=TagSerializer,
        parameters=[IF_MATCH],
    )
    def partial_update(self, request, key):
        asked = self.checked(TagChangesSerializer)
        tag, revision = self._claimed(asked)
        source = source_of(self.caller, {})
        return tag_answer(services.change_tag(tag, revision=revision, by=self.by, source=source, **asked))

    def _claimed(self, yours: dict) -> tuple[Tag, int]:
        """The box and the revision that the caller saw. A deleted one is refused with both sides."""
        try:
            tag = self.get_object()
        except Http404:
            self._image_of_gone(self.kwargs["key"], "annotate")
            revision = if_match(self.request, required=True, current=0)
            raise gone(revision, yours) from None
        return tag, if_match(self.request, required=True, current=tag.revision)

    def _image_of_gone(self, key: str, right: str) -> Image:
        """The picture of a box that was deleted. Raises Http404 for one that never was, NotAllowed."""
        change = TagChange.objects.visible_to(self.caller).filter(tag_key=key).select_related("image").first()
        if change is None:
            raise Http404
        self.demand(right, change.image.organisation_id)
        return change.image

    @extend_schema(
        summary="Remove one box; the history keeps it",
        request=None,
        responses={204: None},
        parameters=[IF_MATCH],
    )
    def destroy(self, request, key):
        tag, revision = self._claimed({"deleted": True})
        services.delete_tag(tag, revision=revision, by=self.by, source=source_of(self.caller, {}))
        return Response(status=status.HTTP_204_NO_CONTENT, headers=image_version(tag.image))

    @extend_schema(
        summary="Bring a deleted box back, within DELETED_DAYS", request=None, responses=TagSerializer
    )
    @action(detail=True, methods=["post"])
    def restore(self, request, key):
        image = self._image_of_gone(key, "annotate")
        source = source_of(self.caller, {})
        return tag_answer(services.restore_tag(image, key, by=self.by, source=source))
