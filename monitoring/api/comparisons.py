"""Shapes of sessions side by side."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from sessions_app.api.serializers import SessionSerializer
from sessionsite.common.api.fields import MomentField

COMPARED = OpenApiParameter(
    "s", OpenApiTypes.STR, many=True, required=True, description="Key of a session; two to four of them."
)


class PlacedGapSerializer(serializers.Serializer):
    after_s = serializers.FloatField(help_text="From the start of the session.")
    lasted_s = serializers.FloatField()
    cause = serializers.ChoiceField(choices=["camera", "server"])


class ComparedGapsSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    total_s = serializers.FloatField()
    running_frac = serializers.FloatField()
    shortest_s = serializers.FloatField()
    expected_interval_s = serializers.FloatField(allow_null=True)
    longest = PlacedGapSerializer(many=True)


class ColumnSerializer(serializers.Serializer):
    session = SessionSerializer()
    duration_s = serializers.FloatField()
    per_minute = serializers.FloatField()
    counts = serializers.ListField(child=serializers.IntegerField(), help_text="Per bucket from its start.")
    gaps = ComparedGapsSerializer()


class ComparedLabelSerializer(serializers.Serializer):
    label = serializers.CharField()
    counts = serializers.ListField(child=serializers.IntegerField(), help_text="In the order of `sessions`.")


class ComparisonSerializer(serializers.Serializer):
    """Two to four sessions, each bucket counted from the start of its session."""

    at = MomentField()
    bucket_s = serializers.FloatField()
    longest_s = serializers.FloatField()
    sessions = ColumnSerializer(many=True)
    labels = ComparedLabelSerializer(many=True)
    tags = ComparedLabelSerializer(many=True)
