"""What the native routes of a rig answer, for the schema. The objects are made in topic.py and report.py."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from sessionsite.common.api.fields import MomentField


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.Field):
    """An object whose keys are those of another wire, or of NINA."""


@extend_schema_field({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2})
class PointField(serializers.Field):
    """[milliseconds since 1970, value]."""


class RigSessionSerializer(serializers.Serializer):
    key = serializers.CharField()
    state = serializers.CharField()
    kind = serializers.CharField()


class RigStateSerializer(serializers.Serializer):
    """What the rig's page follows. `unified` is the object of /ws/unified (docs/nina.md)."""

    slug = serializers.CharField()
    name = serializers.CharField()
    organisation = serializers.CharField()
    site_zone = serializers.CharField()
    is_public = serializers.BooleanField()
    is_listening = serializers.BooleanField(help_text="It has an address and is enabled.")
    link = ObjectField(
        help_text="The connection to NINA: status, since, attempts, error, heard_at, heard_until."
    )
    ingest = ObjectField(help_text="received, accepted, duplicates, malformed, unknown_types, messages.")
    now = MomentField(help_text="On NINA's clock.")
    session = RigSessionSerializer(allow_null=True)
    unified = ObjectField()
    last_seq = serializers.IntegerField()
    revision = serializers.IntegerField()


class RigEventSerializer(serializers.Serializer):
    seq = serializers.IntegerField(help_text="Without gaps in each rig.")
    type = serializers.CharField()
    at = MomentField()
    received_at = MomentField()
    is_live = serializers.BooleanField(help_text="It came through the socket.")
    is_repeat = serializers.BooleanField(help_text="It repeats another event and changes nothing.")
    data = ObjectField(help_text="NINA's own fields.")


class RigEventPageSerializer(serializers.Serializer):
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = RigEventSerializer(many=True)


class FramesSerializer(serializers.Serializer):
    filter = serializers.CharField()
    exposure_s = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField()
    total_s = serializers.FloatField()


class ArcsecSerializer(serializers.Serializer):
    """Guiding RMS over the frames that were guided; nulls where none was."""

    mean_arcsec = serializers.FloatField(allow_null=True)
    median_arcsec = serializers.FloatField(allow_null=True)
    worst_arcsec = serializers.FloatField(allow_null=True)


class GuidingSerializer(ArcsecSerializer):
    guided_s = serializers.IntegerField()


class TargetSerializer(serializers.Serializer):
    name = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    frames = FramesSerializer(many=True)
    count = serializers.IntegerField()
    total_s = serializers.FloatField()
    guiding = ArcsecSerializer()


class FilterSerializer(serializers.Serializer):
    filter = serializers.CharField()
    count = serializers.IntegerField()
    total_s = serializers.FloatField()


class FailureSerializer(serializers.Serializer):
    at = MomentField()
    what = serializers.CharField()
    details = ObjectField()


class SeriesSerializer(serializers.Serializer):
    rms = serializers.ListField(child=PointField())
    hfr = serializers.ListField(child=PointField())
    temperature = serializers.ListField(child=PointField())


class RigSpanSerializer(serializers.Serializer):
    kind = serializers.CharField(
        help_text="target, paused, unsafe, guiding, autofocus, flip, flats, darks, gap."
    )
    label = serializers.CharField()
    to = MomentField(allow_null=True, help_text="Null while it goes on.")

    def get_fields(self):
        return {**super().get_fields(), "from": MomentField()}


class NightReportSerializer(serializers.Serializer):
    """The figures between two moments: frames, guiding, times without safety, failures, the timeline."""

    rig = serializers.CharField()
    site_zone = serializers.CharField()
    to = MomentField()
    targets = TargetSerializer(many=True)
    filters = FilterSerializer(many=True)
    total_images = serializers.IntegerField(help_text="LIGHT frames.")
    total_exposure_s = serializers.FloatField()
    flats = serializers.IntegerField()
    darks = serializers.IntegerField()
    guiding = GuidingSerializer()
    unsafe_s = serializers.IntegerField()
    paused_s = serializers.IntegerField()
    failures = FailureSerializer(many=True)
    series = SeriesSerializer()
    timeline = RigSpanSerializer(many=True)

    def get_fields(self):
        return {**super().get_fields(), "from": MomentField()}


class ReportedSessionSerializer(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    started_at = MomentField()
    stopped_at = MomentField(allow_null=True)
    duration_s = serializers.IntegerField()


class SessionReportSerializer(NightReportSerializer):
    """The same for one session of a rig, from its start to its end or to now."""

    session = ReportedSessionSerializer()
