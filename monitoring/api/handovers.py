"""Shapes of a session's report."""

from __future__ import annotations

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from monitoring.api.serializers import ImageSerializer
from monitoring.api.timelines import GapSerializer, SpanSerializer
from monitoring.nina.serializers import SessionReportSerializer
from sessions_app.api.serializers import EventSerializer, SessionSerializer
from sessionsite.common.api.fields import MomentField

Whole = serializers.IntegerField
Counts = serializers.DictField


class CapturedSerializer(serializers.Serializer):
    captured = Whole(help_text="Never lowered.")
    kept = Whole()
    gone = Whole(help_text="Deleted or purged by now.")
    late = Whole(help_text="Came after the stop.")
    size_bytes = Whole()
    per_minute = serializers.FloatField()


class BusiestSerializer(serializers.Serializer):
    count = Whole()

    def get_fields(self):
        return {**super().get_fields(), "from": MomentField()}


class RateLineSerializer(serializers.Serializer):
    bucket_s = serializers.FloatField()
    first_bucket = MomentField()
    counts = serializers.ListField(child=Whole(), help_text="Pictures per bucket, oldest first.")
    busiest = BusiestSerializer()


class GapsSerializer(serializers.Serializer):
    expected_interval_s = serializers.FloatField(allow_null=True)
    shortest_s = serializers.FloatField(help_text="Shorter silences are no gaps.")
    count = Whole()
    total_s = serializers.FloatField()
    running_frac = serializers.FloatField(help_text="The part of the time that lies in no gap.")
    expected_pictures = Whole(allow_null=True, help_text="At the expected interval.")
    longest = GapSerializer(many=True, help_text="In the order of time.")


class LabelsSerializer(serializers.Serializer):
    pictures = Counts(child=Whole())
    boxes = Counts(child=Whole())


class DoubtfulSerializer(serializers.Serializer):
    count = Whole()
    images = ImageSerializer(many=True, help_text="Newest first, cut at 60.")


class EventsSerializer(serializers.Serializer):
    more = serializers.BooleanField()
    entries = EventSerializer(many=True, help_text="Oldest first; of very many the newest.")


class PersonSerializer(serializers.Serializer):
    by = serializers.CharField()
    acts = Counts(child=Whole(), help_text="Kind of journal entry -> how often.")


class PeopleSerializer(serializers.Serializer):
    more = serializers.BooleanField()
    is_part = serializers.BooleanField(help_text="Of more than 50,000 entries not every edit is counted.")
    entries = PersonSerializer(many=True)


class ReportNotesSerializer(serializers.Serializer):
    text = serializers.CharField()
    by = serializers.CharField()
    at = MomentField(allow_null=True)


class HandoverSerializer(SpanSerializer):
    """What one session brought, where it was silent, what is doubtful, who did what."""

    session = SessionSerializer()
    at = MomentField()
    is_open = serializers.BooleanField()
    duration_s = serializers.FloatField()
    counts = CapturedSerializer()
    rate = RateLineSerializer()
    gaps = GapsSerializer()
    labels = LabelsSerializer()
    reviews = Counts(child=Whole(), help_text="Kept pictures per review mark.")
    doubtful = DoubtfulSerializer()
    events = EventsSerializer()
    people = PeopleSerializer()
    notes = ReportNotesSerializer()


ANY_REPORT = PolymorphicProxySerializer(
    component_name="AnySessionReport",
    serializers=[HandoverSerializer, SessionReportSerializer],
    resource_type_field_name=None,
)
