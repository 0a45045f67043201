"""Imports over REST: the archive on its way in, piece by piece, and the report of the dry run."""

from __future__ import annotations

import sqlite3

from django.conf import settings
from rest_framework import serializers
from rest_framework.parsers import BaseParser

from monitoring.imports.formats import READERS
from monitoring.imports.plan import OUTCOMES, Line, Plan
from monitoring.jobs import folders, verbs
from monitoring.jobs.models import Job, JobKind, JobState
from sessionsite.common.api.fields import QuerySerializer, StrictSerializer, TextField, WholeField
from sessionsite.common.api.parsers import bounded
from sessionsite.common.errors import Busy

LINES_MAX = 200


class NewImportSerializer(StrictSerializer):
    format = serializers.ChoiceField(choices=list(READERS))
    size_bytes = WholeField(min_value=1, max_value=2**63 - 1, help_text="Of the zip archive.")
    name = TextField(max_length=200, allow_blank=True, default="")


class UploadQuery(QuerySerializer):
    offset = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, default=0, help_text="The archive's byte that the body begins with."
    )


class ReportQuery(QuerySerializer):
    after = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=0)
    outcome = serializers.ChoiceField(choices=OUTCOMES, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=LINES_MAX, default=50)


class ReportLineSerializer(serializers.Serializer):
    """What would happen to one file, or to one picture that the annotations name."""

    number = serializers.IntegerField()
    file = serializers.CharField()
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    reason = serializers.CharField()
    label = serializers.CharField(allow_null=True)
    split = serializers.CharField(allow_null=True)
    boxes_added = serializers.IntegerField()
    boxes_unchanged = serializers.IntegerField()
    boxes_refused = serializers.IntegerField()


class ReportSerializer(serializers.Serializer):
    """Lines in the archive's order; `next_after` is null at their end."""

    next_after = serializers.IntegerField(allow_null=True)
    results = ReportLineSerializer(many=True)


class PieceParser(BaseParser):
    """A piece of an archive, at most MAX_BODY_BYTES."""

    media_type = "application/octet-stream"

    def parse(self, stream, media_type=None, parser_context=None):
        return bounded(stream, settings.MAX_BODY_BYTES)


def report_of(job: Job, asked: dict) -> dict:
    """The lines of the dry run. Raises NotReady, Busy."""
    is_checked = job.kind == JobKind.IMPORT and "plan" in job.result
    if not is_checked or job.state == JobState.UPLOADING or not folders.has_file(job, "plan.sqlite3"):
        raise verbs.NotReady("There is no report yet.", job=job.key)
    limit = asked["limit"]
    try:
        with Plan(folders.folder_of(job)) as plan:
            lines = plan.lines(after=asked["after"], limit=limit + 1, outcome=asked.get("outcome", ""))
    except sqlite3.OperationalError as error:
        raise Busy("The report is being written.") from error
    more = len(lines) > limit
    return {
        "next_after": lines[limit - 1].n if more else None,
        "results": [_line(line) for line in lines[:limit]],
    }


def _line(line: Line) -> dict:
    return {
        "number": line.n,
        "file": line.file,
        "outcome": line.outcome,
        "reason": line.reason,
        "label": line.label,
        "split": line.split,
        "boxes_added": line.added,
        "boxes_unchanged": line.unchanged,
        "boxes_refused": line.refused,
    }
