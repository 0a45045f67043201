"""Exports of datasets and sessions: what may be asked for, and the zip that is written while it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from monitoring.api.serializers import REVIEWS, SPLITS
from monitoring.boxes import MAX_LABEL_CHARS
from monitoring.exports import FORMATS, Selection, Wanted, export_zip
from monitoring.jobs import verbs
from monitoring.jobs.messages import JobMessage, job_json
from monitoring.jobs.models import JobKind, JobState
from monitoring.models import Dataset
from sessions_app.models import Session
from sessionsite.common.api.fields import (
    MomentField,
    QuerySerializer,
    StrictSerializer,
    TextField,
    YesNoField,
)
from sessionsite.common.api.shapes import shape_of
from sessionsite.common.api.tables import AnyAccept
from sessionsite.common.files import safe_name

FORMAT_WORDS = list(FORMATS)
ZIP_ANSWER = {(200, "application/zip"): OpenApiTypes.BINARY}
JobSerializer = shape_of(
    JobMessage,
    name="Job",
    kind=serializers.ChoiceField(choices=JobKind.choices),
    state=serializers.ChoiceField(choices=JobState.choices),
)


class CommaWordsField(serializers.CharField):
    """Comma-separated words, each one of `words`; becomes a tuple."""

    def __init__(self, *, words, **kwargs):
        self.words = words
        super().__init__(help_text=f"Any of {', '.join(words)}", required=False, **kwargs)

    def to_internal_value(self, data):
        found = [word.strip() for word in super().to_internal_value(data).split(",") if word.strip()]
        if wrong := [word for word in found if word not in self.words]:
            raise serializers.ValidationError(f"{wrong[0]} is none of {', '.join(self.words)}.")
        return tuple(dict.fromkeys(found))

    def to_representation(self, value):
        return ",".join(value)


class ExportQuery(QuerySerializer):
    format = serializers.ChoiceField(choices=FORMAT_WORDS)
    pictures = serializers.BooleanField(default=True, help_text="false: labels and boxes alone.")
    label = serializers.CharField(max_length=MAX_LABEL_CHARS, required=False, help_text="Of the picture.")
    tag = serializers.CharField(max_length=MAX_LABEL_CHARS, required=False, help_text="Of some box on it.")
    review = CommaWordsField(words=REVIEWS)
    split = CommaWordsField(words=[split for split in SPLITS if split])
    monitor = serializers.CharField(max_length=64, required=False)
    after = MomentField(required=False, help_text="Arrived from this time on.")
    before = MomentField(required=False)


class ExportBody(StrictSerializer):
    """What the export as a job holds; the same words as the query of the one that is sent at once."""

    format = serializers.ChoiceField(choices=FORMAT_WORDS)
    pictures = YesNoField(default=True)
    label = TextField(max_length=MAX_LABEL_CHARS, required=False)
    tag = TextField(max_length=MAX_LABEL_CHARS, required=False)
    review = serializers.ListField(child=serializers.ChoiceField(choices=REVIEWS), required=False)
    split = serializers.ListField(
        child=serializers.ChoiceField(choices=[split for split in SPLITS if split]), required=False
    )
    monitor = TextField(max_length=64, required=False)
    after = MomentField(required=False)
    before = MomentField(required=False)


class DatasetExportQuery(ExportQuery):
    organisation = serializers.CharField(
        max_length=64,
        required=False,
        help_text="Needed where two organisations of the caller use the same key.",
    )


def wanted_of(asked: dict) -> Wanted:
    lists = {name: tuple(asked[name]) for name in ("review", "split") if name in asked}
    return Wanted(**{name: value for name, value in asked.items() if name != "organisation"} | lists)


def export_answer(selection: Selection, wanted: Wanted) -> StreamingHttpResponse:
    """The zip, begun at once."""
    pieces = export_zip(selection, wanted.format, with_pictures=wanted.pictures)
    return zip_answer(pieces, file_name(selection.title, wanted))


def file_name(title: str, wanted: Wanted) -> str:
    return f"{safe_name(title, default='export')}_{wanted.format}_{datetime.now(UTC):%Y-%m-%d}.zip"


def zip_answer(pieces: Iterator[bytes], name: str) -> StreamingHttpResponse:
    headers = {
        "Content-Disposition": content_disposition_header(True, name),
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)


def export_schema(what: str, query: type[ExportQuery]):
    return extend_schema(
        summary=f"{what} as a zip, written while it is sent",
        parameters=[query],
        responses=ZIP_ANSWER,
    )


def start_export_schema(*parameters):
    return extend_schema(
        summary="The same as a job, for large ones; its file waits",
        parameters=list(parameters),
        request=ExportBody,
        responses={202: JobSerializer},
    )


def export_started(view, of: Dataset | Session, asked: dict) -> Response:
    """202 with the job that writes the export."""
    job = verbs.start_export(of, wanted_of(asked), by=view.by)
    return Response(job_json(job), status=202, headers={"Location": f"/api/v1/jobs/{job.key}/"})


EXPORT_ACTION = {
    "detail": True,
    "url_path": "export",
    "filterset_class": None,
    "pagination_class": None,
    "content_negotiation_class": AnyAccept,
}
