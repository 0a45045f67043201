"""A picture on its way in, in three dresses: the raw file, a multipart form, base64 in JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiRequest, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.response import Response

from devices.services import device_of, note_seen
from monitoring import imaging
from monitoring.api.serializers import (
    AddedImageSerializer,
    Base64PictureSerializer,
    FilePictureSerializer,
    PictureFields,
    PictureQuery,
)
from monitoring.services import Added, NewImage, add_image
from sessionsite.common.api.parsers import LargeJSONParser
from sessionsite.common.errors import DomainError

HEADERS = {"name": "X-Image-Name", "taken_at": "X-Image-Taken-At", "label": "X-Image-Label",
           "dataset": "X-Image-Dataset"}  # fmt: skip
_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)


class BadIdempotencyKey(DomainError):
    code = "bad_idempotency_key"


@dataclass(frozen=True)
class RawPicture:
    """The body itself is the picture."""

    data: bytes


class PictureParser(BaseParser):
    """`image/*`: the bytes as they are, one more than allowed at most; decoding tells what they are."""

    media_type = "image/*"

    def parse(self, stream, media_type=None, parser_context=None):
        imaging.check_size_bytes(int(stream.META.get("CONTENT_LENGTH") or 0))
        return RawPicture(stream.read(settings.MAX_IMAGE_BYTES + 1))


class BytesParser(PictureParser):
    media_type = "application/octet-stream"


UPLOAD_PARSERS = [PictureParser, BytesParser, MultiPartParser, LargeJSONParser]

UPLOAD_SCHEMA = extend_schema(
    request={
        "image/jpeg": OpenApiRequest(OpenApiTypes.BINARY),
        "multipart/form-data": FilePictureSerializer,
        "application/json": Base64PictureSerializer,
    },
    responses={200: AddedImageSerializer, 201: AddedImageSerializer},
    parameters=[
        PictureQuery,
        *(
            OpenApiParameter(header, str, OpenApiParameter.HEADER, description=f"As `{name}` in the query.")
            for name, header in HEADERS.items()
        ),
        OpenApiParameter(
            "Idempotency-Key",
            str,
            OpenApiParameter.HEADER,
            description="1 to 200 printable ASCII characters. A repeat is answered with the first picture.",
        ),
    ],
)


def picture_in(request) -> tuple[bytes, dict]:
    """The picture and what is said of it. Raises NotAPicture, PictureTooLarge, ValidationError."""
    body = request.data
    if isinstance(body, RawPicture):
        return body.data, _fields_beside(request)
    if request.content_type.lower().startswith(("image/", BytesParser.media_type)):
        return b"", {}  # an empty body reaches no parser
    serializer = FilePictureSerializer if isinstance(body, QueryDict) else Base64PictureSerializer
    fields = _checked(serializer, body)
    image = fields.pop("image")
    beside = _agreed(fields, _fields_beside(request), "The body and the query or headers disagree.")
    if isinstance(image, str):
        return imaging.decode_base64(image), beside
    imaging.check_size_bytes(image.size)
    return image.read(), {"name": image.name, **beside}


def _fields_beside(request) -> dict:
    """What query and headers say of the picture."""
    if not request.META["QUERY_STRING"] and request.headers.keys().isdisjoint(HEADERS.values()):
        return {}  # as most cameras send it
    query = PictureQuery.of(request)
    found = {name: request.headers[header] for name, header in HEADERS.items() if header in request.headers}
    return _agreed(query, _checked(PictureFields, found), "The query and the header disagree.")


def _agreed(fields: dict, others: dict, words: str) -> dict:
    """Both together. Raises ValidationError where they say different things of one field."""
    if twice := [name for name in others if name in fields and fields[name] != others[name]]:
        raise ValidationError({name: [words] for name in twice})
    return {**others, **fields}


def _checked(serializer_class, data) -> dict:
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def idempotency_key(request) -> str | None:
    """The header's value, None when there is none. Raises BadIdempotencyKey."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise BadIdempotencyKey("An idempotency key has 1 to 200 printable ASCII characters, no blanks.")
    return key


def new_image(request, *, author: str, monitor=None, session=None) -> NewImage:
    """The picture in `request`, not yet looked at. Raises what `picture_in` and `idempotency_key` raise."""
    data, fields = picture_in(request)
    return NewImage(
        data,
        monitor=monitor,
        session=session,
        name=fields.get("name", ""),
        taken_at=fields.get("taken_at"),
        label=fields.get("label", ""),
        dataset_key=fields.get("dataset"),
        idempotency_key=idempotency_key(request),
        author=author,
    )


def take_in(view, *, monitor=None, session=None) -> Response:
    """Keep the picture of `view`'s request. 201, or 200 when it was there before."""
    added = add_image(new_image(view.request, author=view.by, monitor=monitor, session=session))
    if device := device_of(view.caller):
        note_seen(device)
    return Response(added_json(added), status=added_status(added), headers=added_headers(added))


def added_status(added: Added) -> int:
    return status.HTTP_200_OK if added.repeated else status.HTTP_201_CREATED


def added_headers(added: Added) -> dict[str, str]:
    return {"Location": f"/api/v1/images/{added.key}/"}


def added_json(added: Added) -> dict:
    address = f"/api/v1/images/{added.key}/"
    return {
        "key": added.key,
        "session": added.session,
        "repeated": added.repeated,
        "url": address,
        "file_url": f"{address}file/",
        "thumbnail_url": f"{address}thumbnail/",
    }
