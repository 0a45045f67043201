"""Shapes of a session's timeline and of what is derived from it."""

from __future__ import annotations

from rest_framework import serializers

from monitoring.timeline import BUCKETS_DEFAULT, BUCKETS_MAX
from sessions_app.api.serializers import EventSerializer
from sessionsite.common.api.fields import MomentField, QuerySerializer

Counts = serializers.ListField


class TimelineQuery(QuerySerializer):
    buckets = serializers.IntegerField(
        min_value=10, max_value=BUCKETS_MAX, default=BUCKETS_DEFAULT, help_text="At most so many."
    )

    def get_fields(self):
        bounds = {
            "from": MomentField(required=False, help_text="The start of the session, unless given."),
            "to": MomentField(required=False, help_text="Exclusive; the end, or now, unless given."),
        }
        return {**super().get_fields(), **bounds}


class SpanSerializer(serializers.Serializer):
    def get_fields(self):
        return {**super().get_fields(), "from": MomentField(), "to": MomentField()}


class GapSerializer(SpanSerializer):
    """From the last picture before it (or the start) to the first after it (or the end)."""

    lasted_s = serializers.FloatField()
    is_open = serializers.BooleanField(help_text="Nothing has come since.")
    cause = serializers.ChoiceField(choices=["camera", "server"], help_text="server: it was restarted in it.")


class LabelLineSerializer(serializers.Serializer):
    label = serializers.CharField()
    total = serializers.IntegerField(help_text="Of the whole session.")
    counts = Counts(child=serializers.IntegerField(), help_text="Kept pictures with this label per bucket.")


class TimelineSerializer(SpanSerializer):
    """`counts` begin at `first_bucket`, `bucket_s` each, on a grid of that step since 1970."""

    session = serializers.CharField()
    at = MomentField()
    is_open = serializers.BooleanField()
    span = SpanSerializer(help_text="The whole session.")
    first_bucket = MomentField()
    bucket_s = serializers.FloatField()
    counted = serializers.ChoiceField(
        choices=["captured", "received"], help_text="captured: also those that are purged by now."
    )
    counts = Counts(child=serializers.IntegerField(), help_text="Pictures per bucket, oldest first.")
    labels = LabelLineSerializer(many=True)
    other_labels = serializers.IntegerField(help_text="Labels that are not among `labels`.")
    expected_interval_s = serializers.FloatField(allow_null=True)
    gaps = GapSerializer(many=True)
    gap_count = serializers.IntegerField()
    gap_total_s = serializers.FloatField()
    shortest_gap_s = serializers.FloatField(help_text="Shorter silences are no gaps here.")
    events = EventSerializer(many=True, help_text="Newest first, without edits of single pictures.")
    more_events = serializers.BooleanField()
