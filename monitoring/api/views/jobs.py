"""Jobs: one's exports and imports, how far they are, their files, and links to them."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.response import Response

from monitoring.api.exports import ZIP_ANSWER, JobSerializer
from monitoring.api.imports import PieceParser, ReportQuery, ReportSerializer, UploadQuery, report_of
from monitoring.jobs import folders, verbs
from monitoring.jobs.messages import job_json
from monitoring.jobs.models import Job, JobKind, JobState
from monitoring.jobs.relabel import start_undo
from sessionsite.accounts.api.organisations import OrganisationFilters, only_organisation
from sessionsite.common.api.fields import MomentField
from sessionsite.common.api.filters import WordsFilter, YesNoFilter
from sessionsite.common.api.tables import AnyAccept
from sessionsite.common.api.views import BaseViewSet, Listed, Retrieved
from sessionsite.common.errors import Missing

JOB_KEY = "jb_[0-9a-z]{26}"


class JobFilters(OrganisationFilters):
    kind = WordsFilter(choices=JobKind.values)
    state = WordsFilter(choices=JobState.values)
    dataset = filters.CharFilter(field_name="dataset__key", max_length=100)
    mine = YesNoFilter(method="of_caller", help_text="true: only those that the caller asked for.")

    def of_caller(self, queryset, name, value):
        by = self.request.auth.name
        return queryset.filter(created_by=by) if value else queryset.exclude(created_by=by)


class LinkSerializer(serializers.Serializer):
    """Whoever has the url gets the file, without a login, until then or until the job is removed."""

    url = serializers.CharField()
    expires_at = MomentField()


@extend_schema(tags=["jobs"])
@extend_schema_view(
    list=extend_schema(summary="Exports, imports and the like, newest first"),
    retrieve=extend_schema(summary="One job: the same object as on its live topic"),
)
class JobViewSet(Listed, Retrieved, BaseViewSet):
    queryset = Job.objects.for_messages()
    serializer_class = JobSerializer
    filterset_class = JobFilters
    lookup_field, lookup_value_regex = "key", JOB_KEY
    required_rights = {
        **dict.fromkeys(("destroy", "cancel", "link"), "read"),  # and one's own, or annotate
        **dict.fromkeys(("upload", "apply", "undo"), "annotate"),
    }
    rate_scopes = {"upload": "ingest", "file": "exports"}

    def render(self, obj) -> dict:
        return job_json(obj)

    def list(self, request):
        return self.listed(only_organisation(self.get_queryset(), self.caller))

    def get_own(self) -> Job:
        """The job when the caller asked for it or may annotate. Raises NotAllowed."""
        job = self.get_object()
        if job.created_by != self.by:
            self.demand("annotate", job.organisation_id)
        return job

    @extend_schema(
        summary="It does not go on; 409 job_moved when it is over", request=None, responses=JobSerializer
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request, key):
        return Response(job_json(verbs.cancel(self.get_own(), by=self.by)))

    @extend_schema(summary="Remove it with its files and links", request=None, responses={204: None})
    def destroy(self, request, key):
        verbs.remove(self.get_own(), by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="The next piece of an import's archive; 409 upload_moved says where to go on",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        parameters=[UploadQuery],
        responses=JobSerializer,
    )
    @action(detail=True, methods=["put"], parser_classes=[PieceParser])
    def upload(self, request, key):
        job, asked = self.get_object(), UploadQuery.of(request)
        data = request.data if isinstance(request.data, bytes) else b""  # an empty body reaches no parser
        return Response(job_json(verbs.receive(job, offset=asked["offset"], data=data)))

    @extend_schema(
        summary="What the dry run of an import found, file by file",
        parameters=[ReportQuery],
        responses=ReportSerializer,
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def report(self, request, key):
        return Response(report_of(self.get_object(), ReportQuery.of(request)))

    @extend_schema(
        summary="Do what the dry run found; 409 job_moved before it is over",
        request=None,
        responses=JobSerializer,
    )
    @action(detail=True, methods=["post"])
    def apply(self, request, key):
        return Response(job_json(verbs.apply_import(self.get_object(), by=self.by)))

    @extend_schema(
        summary="A job that gives back the labels that this one changed",
        request=None,
        responses={202: JobSerializer},
    )
    @action(detail=True, methods=["post"])
    def undo(self, request, key):
        undoing = start_undo(self.get_object(), by=self.by)
        return Response(job_json(undoing), status=202, headers={"Location": f"/api/v1/jobs/{undoing.key}/"})

    @extend_schema(summary="Its file; 409 not_ready before", responses=ZIP_ANSWER)
    @action(detail=True, filterset_class=None, pagination_class=None, content_negotiation_class=AnyAccept)
    def file(self, request, key):
        job = self.get_object()
        if job.state != JobState.DONE or not job.file:
            raise verbs.NotReady("There is no file yet.", job=job.key)
        return file_answer(job)

    @extend_schema(
        summary="A link to its file that expires; 409 not_ready before",
        request=None,
        responses=LinkSerializer,
    )
    @action(detail=True, methods=["post"])
    def link(self, request, key):
        job = self.get_own()
        query = urlencode({"ticket": verbs.make_link(job, by=self.by)})
        url = request.build_absolute_uri(f"/exports/{job.key}/file/?{query}")
        until = timezone.now() + timedelta(seconds=verbs.LINK_LIFE_S)
        return Response(LinkSerializer({"url": url, "expires_at": until}).data)


def file_answer(job: Job) -> FileResponse:
    try:
        file = folders.file_of(job).open("rb")
    except FileNotFoundError as error:
        raise Missing("The file of this job is gone.", job=job.key) from error
    answer = FileResponse(file, as_attachment=True, filename=job.file_name, content_type="application/zip")
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["X-Accel-Buffering"] = "no"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@never_cache
@require_safe
def linked_file(request: HttpRequest, key: str) -> HttpResponseBase:
    """GET /exports/<job>/file/?ticket=: the file for whoever has the link."""
    try:
        return file_answer(verbs.linked_job(key, request.GET.get("ticket", "")))
    except Missing as error:
        raise Http404(error.message) from error
