"""Up to 100 pictures in one request, each with a result of its own."""

from __future__ import annotations

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from devices.services import device_of, note_seen
from monitoring import imaging
from monitoring.api.serializers import PictureFields
from monitoring.api.uploads import added_json, added_status
from monitoring.services import Added, NewImage, add_images
from sessionsite.common.api.fields import PatternField, StrictSerializer, refuse_repeats
from sessionsite.common.api.parsers import check_json
from sessionsite.common.errors import DomainError

BATCH_MAX = 100


class AboutSerializer(PictureFields):
    """What is said of one picture of a batch."""

    idempotency_key = PatternField(
        r"[\x21-\x7e]{1,200}", hint="1 to 200 printable characters.", required=False
    )


class BatchSerializer(StrictSerializer):
    images = serializers.ListField(child=serializers.FileField(), max_length=BATCH_MAX)
    about = serializers.CharField(
        required=False, help_text="JSON: a list with one object per picture, in their order; see AddImage."
    )


class BatchResultSerializer(serializers.Serializer):
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = serializers.ListField(
        child=serializers.DictField(), help_text="Per picture `status` and what a single upload answers."
    )


BATCH_SCHEMA = extend_schema(
    summary="Add up to 100 pictures; each has its own result",
    request={"multipart/form-data": BatchSerializer},
    responses=BatchResultSerializer,
)


def take_in_batch(view, monitor) -> Response:
    """Keep the pictures of `view`'s form. 200 with a result for each, in their order.

    A field that cannot be read refuses the whole request before a picture is looked at.
    """
    files = view.request.FILES.getlist("images")
    if not 1 <= len(files) <= BATCH_MAX:
        raise ValidationError({"images": [f"Send 1 to {BATCH_MAX} files named `images`."]})
    if unknown := [name for name in view.request.data if name not in ("images", "about")]:
        raise ValidationError({unknown[0]: ["There is no such field."]})
    refuse_repeats(view.request.data, what="field", but=["images"])
    about = _about(view.request.data.get("about"), len(files))
    asked = [
        _asked(file, fields, monitor=monitor, author=view.by)
        for file, fields in zip(files, about, strict=True)
    ]
    results = iter(add_images([new for new in asked if isinstance(new, NewImage)]))
    answers = [_result(next(results) if isinstance(new, NewImage) else new) for new in asked]
    if device := device_of(view.caller):
        note_seen(device)
    accepted = sum(1 for answer in answers if answer["status"] < 300)
    return Response({"accepted": accepted, "refused": len(answers) - accepted, "results": answers})


def _about(text, count: int) -> list[dict]:
    """One checked object per picture. Raises ValidationError."""
    if text is None:
        return [{}] * count
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError) as exc:
        raise ValidationError({"about": ["This is not JSON."]}) from exc
    check_json(value)
    if not isinstance(value, list) or len(value) != count:
        raise ValidationError({"about": [f"Send a list of {count}, one object per picture."]})
    serializer = AboutSerializer(data=value, many=True)
    serializer.is_valid(raise_exception=True)
    return [dict(fields) for fields in serializer.validated_data]


def _asked(file, fields: dict, *, monitor, author: str) -> NewImage | DomainError:
    try:
        imaging.check_size_bytes(file.size)
    except DomainError as error:
        return error
    return NewImage(
        file.read(),
        monitor=monitor,
        name=fields.get("name", file.name),
        taken_at=fields.get("taken_at"),
        label=fields.get("label", ""),
        dataset_key=fields.get("dataset"),
        idempotency_key=fields.get("idempotency_key"),
        author=author,
    )


def _result(result: Added | DomainError) -> dict:
    if isinstance(result, Added):
        return {"status": added_status(result), **added_json(result)}
    return {"status": result.status, **result.as_json()}
