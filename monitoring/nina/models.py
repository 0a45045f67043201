"""A telescope's rig and its journal."""

from __future__ import annotations

import zoneinfo

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from sessions_app.models import Session
from sessionsite.common.access import VisibleQuerySet


class RigQuerySet(VisibleQuerySet):
    organisation_path = "monitor__organisation"

    def listening(self):
        """Those that somebody must listen to."""
        return self.filter(is_enabled=True, monitor__archived_at__isnull=True).exclude(url="")

    def for_messages(self):
        """With everything that unified objects and the rig's topic read."""
        return self.select_related("monitor__organisation", "monitor__current_session")


def check_zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValidationError(f"There is no time zone {name!r}.") from None


class Rig(models.Model):
    """What belongs to a monitor of kind rig: where NINA answers, and the state that its events have led to.

    `state` follows from `base_state` and the events of this generation, in the order of their times. A
    generation ends when NINA restarts, since its history begins anew then.
    """

    monitor = models.OneToOneField("monitoring.Monitor", models.CASCADE, related_name="rig")
    url = models.CharField(
        max_length=200,
        blank=True,
        validators=[URLValidator(["http", "https"])],
        help_text="Where NINA's Advanced API answers; empty for imported nights.",
    )
    site_zone = models.CharField(max_length=64, default="UTC", validators=[check_zone])
    is_public = models.BooleanField(default=False, help_text="Its state may be read without a login.")
    is_enabled = models.BooleanField(default=True)
    application_start = models.CharField(max_length=64, blank=True, editable=False)
    generation = models.PositiveIntegerField(default=0, editable=False)
    counted_entries = models.PositiveIntegerField(default=0, editable=False)
    rebuilt_at = models.DateTimeField(null=True, editable=False)
    state = models.JSONField(default=dict, editable=False)
    base_state = models.JSONField(default=dict, editable=False)
    ingest = models.JSONField(default=dict, editable=False)
    link = models.JSONField(default=dict, editable=False)
    epoch = models.BigIntegerField(default=0, editable=False, help_text="Of the listener that wrote last.")
    last_seq = models.BigIntegerField(default=0, editable=False)
    revision = models.BigIntegerField(default=1, editable=False)

    objects = RigQuerySet.as_manager()

    class Meta:
        ordering = ["monitor__slug"]

    def __str__(self):
        return self.monitor.slug

    @property
    def slug(self) -> str:
        return self.monitor.slug

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.site_zone)


class RigEventQuerySet(models.QuerySet):
    def counted(self):
        """Without repeats: what state, sessions and reports follow from."""
        return self.filter(is_repeat=False)


class RigEvent(models.Model):
    """One accepted event. (rig, seq) has no gaps; the order of the night is (at, index, seq).

    An event of the socket is provisional until NINA's history names it: then it gets its `index` there and
    the history's time. `raw` is what NINA sent, of both shapes together.
    """

    rig = models.ForeignKey(Rig, models.CASCADE, related_name="events")
    seq = models.BigIntegerField()
    generation = models.PositiveIntegerField()
    index = models.PositiveIntegerField(null=True)
    type = models.CharField(max_length=100)
    at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    is_live = models.BooleanField(help_text="It came through the socket.")
    is_repeat = models.BooleanField(
        default=False, help_text="NINA's history shows that it repeats another event; it changes nothing."
    )
    session = models.ForeignKey(Session, models.SET_NULL, null=True, related_name="rig_events")
    raw = models.JSONField()

    objects = RigEventQuerySet.as_manager()

    class Meta:
        ordering = ["rig_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["rig", "seq"], name="one_rig_event_per_seq"),
            models.UniqueConstraint(
                fields=["rig", "generation", "index"],
                condition=Q(index__isnull=False),
                name="one_rig_event_per_history_entry",
            ),
        ]
        indexes = [
            models.Index(fields=["rig", "generation", "at"], name="rig_events_of_generation"),
            models.Index(fields=["rig", "at"], name="rig_events_by_time"),
            models.Index(fields=["session", "at"], name="rig_events_of_session"),
        ]

    def __str__(self):
        return f"{self.seq} {self.type}"


class RigGap(models.Model):
    """A time without a connection to NINA, on NINA's clock as it was known then."""

    rig = models.ForeignKey(Rig, models.CASCADE, related_name="gaps")
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="Empty while it lasts.")

    class Meta:
        ordering = ["rig_id", "begun_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["rig"], condition=Q(ended_at__isnull=True), name="one_open_gap_per_rig"
            )
        ]
        indexes = [models.Index(fields=["rig", "begun_at"], name="rig_gaps_by_time")]

    def __str__(self):
        return f"{self.begun_at} to {self.ended_at}"
