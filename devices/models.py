"""Devices: cameras, phones, sensors and controllers that take part in sessions."""

from django.db import models
from django.utils import timezone

from sessionsite.accounts.models import ApiToken, Organisation
from sessionsite.common.access import VisibleQuerySet
from sessionsite.common.ids import new_key


def new_device_key() -> str:
    return new_key("dv")


class Device(models.Model):
    """One piece of equipment, known by its key; `slot` says which place of the set-up it fills."""

    key = models.CharField(max_length=40, unique=True, default=new_device_key, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="devices")
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=40, help_text="camera, phone, sensor, controller, …")
    slot = models.CharField(
        max_length=64, blank=True, help_text="The place in the set-up, such as `top camera`."
    )
    capabilities = models.JSONField(
        default=list, blank=True, help_text='A list of words, such as ["rgb_video"].'
    )
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self):
        return self.name


class Credential(models.Model):
    """A token that belongs to a device: whoever shows it speaks for that device."""

    device = models.ForeignKey(Device, models.CASCADE, related_name="credentials")
    token = models.OneToOneField(ApiToken, models.CASCADE, related_name="credential")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self):
        return f"{self.token} of {self.device}"
