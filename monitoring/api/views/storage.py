"""What is kept, for how long, and when the disk is full: for administrators."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from monitoring.models import Monitor, RetentionRule
from monitoring.services import retention
from monitoring.storage import preview, storage_state
from sessionsite.accounts.api.organisations import organisation_for
from sessionsite.accounts.models import Organisation
from sessionsite.common.api.fields import QuerySerializer, StrictSerializer, TextField, WholeField
from sessionsite.common.api.views import BaseViewSet
from sessionsite.common.errors import Missing


class StorageQuery(QuerySerializer):
    organisation = TextField(
        max_length=64, required=False, help_text="Its slug; needed by members of several."
    )


class RuleSerializer(StrictSerializer):
    """A rule of the organisation, or of one of its monitors; both numbers null: no rule."""

    organisation = TextField(
        max_length=64, required=False, help_text="Its slug; needed by members of several."
    )
    monitor = TextField(
        max_length=64, allow_null=True, default=None, help_text="Its slug; null: all together."
    )
    keep_days = WholeField(min_value=1, max_value=retention.DAYS_MAX, allow_null=True, default=None)
    keep_bytes = WholeField(min_value=0, max_value=2**63 - 1, allow_null=True, default=None)


class KeptSerializer(serializers.Serializer):
    keep_days = serializers.IntegerField(allow_null=True)
    keep_bytes = serializers.IntegerField(allow_null=True)


class MonitorStorageSerializer(KeptSerializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    stored_bytes = serializers.IntegerField()
    quota_bytes = serializers.IntegerField(allow_null=True)
    is_archived = serializers.BooleanField()


class PinnedSerializer(serializers.Serializer):
    sessions = serializers.IntegerField()
    images = serializers.IntegerField(help_text="Single ones, of sessions that are not pinned.")
    size_bytes = serializers.IntegerField()


class ForecastSerializer(serializers.Serializer):
    free_bytes = serializers.IntegerField()
    total_bytes = serializers.IntegerField()
    reserve_bytes = serializers.IntegerField()
    bytes_per_day = serializers.IntegerField()
    days_left = serializers.FloatField(allow_null=True)
    full_at = serializers.DateTimeField(allow_null=True)
    words = serializers.CharField()


@extend_schema_serializer(many=False)
class StorageSerializer(serializers.Serializer):
    """What the organisation keeps, and for how long."""

    organisation = serializers.CharField()
    at = serializers.DateTimeField()
    stored_bytes = serializers.IntegerField()
    rule = KeptSerializer()
    default_days = serializers.IntegerField(allow_null=True)
    deleted_days = serializers.IntegerField(allow_null=True)
    monitors = MonitorStorageSerializer(many=True)
    pinned = PinnedSerializer()
    forecast = ForecastSerializer()


class DueSerializer(serializers.Serializer):
    session = serializers.CharField()
    name = serializers.CharField()
    monitor = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField()
    images = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    reason = serializers.ChoiceField(
        choices=[retention.AGE, retention.MONITOR_SIZE, retention.ORGANISATION_SIZE]
    )
    words = serializers.CharField()


class PreviewSerializer(serializers.Serializer):
    """What would go now. is_too_much: more than half, which waits for a person."""

    sessions = serializers.IntegerField()
    images = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    stored_bytes = serializers.IntegerField()
    is_too_much = serializers.BooleanField()
    results = DueSerializer(many=True, help_text="The first 100.")


@extend_schema(tags=["storage"])
class StorageViewSet(BaseViewSet):
    serializer_class = StorageSerializer
    queryset = Organisation.objects.all()
    pagination_class = None
    required_rights = {"list": "admin", "preview": "admin", "trial": "admin", "rule": "admin"}

    def _organisation(self, asked: dict) -> Organisation:
        return organisation_for(self.caller, asked.get("organisation"), "admin")

    def _monitor(self, organisation: Organisation, slug: str | None) -> Monitor | None:
        if slug is None:
            return None
        monitor = Monitor.objects.filter(organisation=organisation, slug=slug).first()
        if monitor is None:
            raise Missing("There is no such monitor.")
        return monitor

    @extend_schema(
        operation_id="storage_retrieve",
        summary="Bytes per monitor, rules, pins, and when the disk is full",
        parameters=[StorageQuery],
        responses=StorageSerializer,
    )
    def list(self, request):
        return Response(storage_state(self._organisation(StorageQuery.of(request))))

    @extend_schema(
        operation_id="storage_preview",
        summary="What the rules would remove now",
        parameters=[StorageQuery],
        responses=PreviewSerializer,
    )
    @action(detail=False)
    def preview(self, request):
        return Response(preview(self._organisation(StorageQuery.of(request))))

    @extend_schema(
        operation_id="storage_trial",
        summary="What they would remove if this rule were set; nothing is saved",
        request=RuleSerializer,
        responses=PreviewSerializer,
    )
    @preview.mapping.post
    def trial(self, request):
        asked = self.checked(RuleSerializer)
        organisation = self._organisation(asked)
        rule = RetentionRule(
            organisation=organisation,
            monitor=self._monitor(organisation, asked["monitor"]),
            keep_days=asked["keep_days"],
            keep_bytes=asked["keep_bytes"],
        )
        return Response(preview(organisation, rule))

    @extend_schema(
        operation_id="storage_rule",
        summary="Set how long and how much is kept; both null: no rule",
        request=RuleSerializer,
        responses=StorageSerializer,
    )
    @action(detail=False, methods=["put"])
    def rule(self, request):
        asked = self.checked(RuleSerializer)
        organisation = self._organisation(asked)
        monitor = self._monitor(organisation, asked["monitor"])
        retention.set_rule(
            organisation,
            by=self.by,
            monitor=monitor,
            keep_days=asked["keep_days"],
            keep_bytes=asked["keep_bytes"],
        )
        return Response(storage_state(organisation))
