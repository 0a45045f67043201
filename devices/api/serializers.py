"""Shapes of devices and their tokens."""

from rest_framework import serializers

from sessionsite.common.access import RIGHTS, ROLES
from sessionsite.common.api.fields import MomentField, StrictSerializer, TextField, WordsField


class DeviceSerializer(serializers.Serializer):
    key = serializers.CharField()
    organisation = serializers.CharField(source="organisation.slug")
    name = serializers.CharField()
    type = serializers.CharField()
    slot = serializers.CharField()
    capabilities = serializers.ListField(child=serializers.CharField())
    last_seen_at = MomentField(allow_null=True)
    revision = serializers.IntegerField()
    created_at = MomentField()


class NewDeviceSerializer(StrictSerializer):
    name = TextField(max_length=200)
    type = TextField(max_length=40, help_text="camera, phone, sensor, controller, …")
    slot = TextField(max_length=64, allow_blank=True, default="")
    capabilities = WordsField(default=list)
    organisation = TextField(max_length=64, required=False)


class DeviceChangeSerializer(StrictSerializer):
    name = TextField(max_length=200, required=False)
    type = TextField(max_length=40, required=False)
    slot = TextField(max_length=64, allow_blank=True, required=False)
    capabilities = WordsField(required=False)


class NewDeviceTokenSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=ROLES, default="operator")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=RIGHTS),
        max_length=len(RIGHTS),
        default=lambda: ["ingest", "control", "annotate", "read"],
    )
    expires_at = MomentField(required=False, allow_null=True)


class AttachmentSerializer(StrictSerializer):
    device = TextField(max_length=40, help_text="The device's key.")
