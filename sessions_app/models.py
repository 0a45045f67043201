"""Sessions, their journal and their counters: what happened."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from devices.models import Device
from sessions_app.querysets import SessionEventQuerySet, SessionQuerySet
from sessions_app.severity import IsSevere
from sessions_app.states import OPEN, Kind, State
from sessionsite.accounts.models import Organisation
from sessionsite.common.begins import Folded
from sessionsite.common.ids import new_key


def new_session_key() -> str:
    return new_key("se")


class Session(models.Model):
    """From a start to a stop. `total_counter` counts what was captured and is never lowered.

    `state` is written by services/lifecycle.py alone; `revision` rises with every change of the row,
    `last_seq` is the number of the newest journal entry.
    """

    key = models.CharField(max_length=40, unique=True, default=new_session_key, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="sessions")
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.MONITOR)
    monitor = models.ForeignKey(
        "monitoring.Monitor", models.SET_NULL, null=True, blank=True, related_name="sessions"
    )
    devices = models.ManyToManyField(Device, blank=True, related_name="sessions")
    started_by = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CREATED)
    end_reason = models.CharField(max_length=64, blank=True)
    total_counter = models.BigIntegerField(default=0)
    image_count = models.BigIntegerField(default=0, help_text="Pictures that are not deleted.")
    size_bytes = models.BigIntegerField(default=0)
    data = models.JSONField(default=dict, blank=True)
    flow = models.JSONField(default=dict, blank=True)
    notes = models.TextField(blank=True)
    notes_revision = models.PositiveIntegerField(default=0, editable=False)
    notes_by = models.CharField(max_length=200, blank=True, editable=False)
    notes_at = models.DateTimeField(null=True, editable=False)
    min_timestamp_ns = models.BigIntegerField(null=True, blank=True)
    max_timestamp_ns = models.BigIntegerField(null=True, blank=True)
    pinned_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Its pictures are kept for ever while this is set."
    )
    idle_ttl_s = models.PositiveIntegerField(null=True, blank=True, help_text="Empty means: never reaped.")
    last_subscriber_left_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty while somebody looks."
    )
    last_item_at = models.DateTimeField(null=True, blank=True, help_text="When something was last accepted.")
    revision = models.BigIntegerField(default=1, editable=False)
    last_seq = models.BigIntegerField(default=0, editable=False)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["monitor"], condition=Q(state__in=OPEN), name="one_open_session_per_monitor"
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "-started_at", "-id"], name="sessions_newest_first"),
            models.Index(fields=["monitor", "-started_at", "-id"], name="sessions_of_monitor"),
            models.Index(fields=["state", "-started_at", "-id"], name="sessions_by_state"),
            models.Index(fields=["organisation", "kind", "-started_at", "-id"], name="sessions_by_kind"),
            models.Index(
                fields=["pinned_at"], condition=Q(pinned_at__isnull=False), name="sessions_by_pinning"
            ),
            models.Index("organisation", Folded("name"), name="sessions_by_name"),
            models.Index("organisation", Folded("started_by"), name="sessions_by_starter"),
        ]

    def __str__(self):
        return self.name or self.key

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class SessionEvent(models.Model):
    """One journal entry. (session, seq) has no gaps; entries are never changed or removed."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="events")
    # Without an index of its own: SQLite would walk it for the newest entries, past all the pictures.
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+", db_index=False)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(default=timezone.now)
    device = models.ForeignKey(Device, models.SET_NULL, null=True, related_name="+")
    detail = models.JSONField(default=dict)
    dedup_key = models.CharField(max_length=100, null=True)  # noqa: DJ001 - NULL keeps it out of the constraint

    objects = SessionEventQuerySet.as_manager()

    class Meta:
        ordering = ["session_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="one_entry_per_seq"),
            models.UniqueConstraint(
                fields=["session", "dedup_key"],
                condition=Q(dedup_key__isnull=False),
                name="one_entry_per_dedup_key",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organisation", "-id"],
                condition=~Q(kind="images_added") & ~Q(kind="frame") & ~Q(kind="device_tags_changed"),
                name="notable_events_newest",
            ),
            models.Index(
                fields=["organisation", "kind", "-id"],
                condition=~Q(kind="images_added") & ~Q(kind="frame") & ~Q(kind="device_tags_changed"),
                name="notable_events_by_kind",
            ),
            models.Index(
                fields=["organisation", "-id"],
                condition=~Q(kind="images_added")
                & ~Q(kind="frame")
                & ~Q(kind="device_tags_changed")
                & Q(IsSevere("kind", "detail")),
                name="severe_events_newest",
            ),
            models.Index(
                fields=["session", "seq"],
                condition=~Q(kind="images_added")
                & ~Q(kind="frame")
                & ~Q(kind="tags_changed")
                & ~Q(kind="image_changed")
                & ~Q(kind="device_tags_changed"),
                name="milestones_of_session",
            ),
            models.Index(
                # The kind stands in front, or SQLite would take this one where the one above is meant.
                fields=["session", "kind", "seq"],
                condition=~Q(kind="images_added") & ~Q(kind="frame"),
                name="notable_of_session_by_kind",
            ),
        ]

    def __str__(self):
        return f"{self.seq} {self.kind}"


class FlowBucket(models.Model):
    """How many items a session accepted in one second (Unix seconds)."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="flow_buckets")
    second = models.BigIntegerField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "second"], name="one_bucket_per_second")]
        indexes = [models.Index(fields=["second"], name="buckets_by_age")]

    def __str__(self):
        return f"{self.count} in second {self.second}"


class SessionMinute(models.Model):
    """How many items a session accepted in one minute (Unix minutes). Kept as long as the session.

    Captured, as `total_counter` is: a picture that is deleted or purged later has come all the same.
    """

    session = models.ForeignKey(Session, models.CASCADE, related_name="minutes")
    minute = models.BigIntegerField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "minute"], name="one_count_per_minute")]

    def __str__(self):
        return f"{self.count} in minute {self.minute}"


class LabelCount(models.Model):
    """How many pictures, or boxes, of a session carry a label now; `review` counts the marks of its pictures.

    Pictures that nobody has reviewed are not counted: they are the rest of the session's image_count.
    """

    IMAGE, BOX, REVIEW = "image", "box", "review"

    session = models.ForeignKey(Session, models.CASCADE, related_name="label_counts")
    of = models.CharField(max_length=8, choices=[(IMAGE, IMAGE), (BOX, BOX), (REVIEW, REVIEW)])
    label = models.CharField(max_length=100)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "of", "label"], name="one_count_per_label")]
        indexes = [
            models.Index(
                fields=["label", "session"], condition=Q(of="review", count__gt=0), name="review_counts"
            ),
            # Without the count in it: counting must not write it anew.
            models.Index(fields=["label", "session"], name="sessions_by_label"),
        ]

    def __str__(self):
        return f"{self.label}: {self.count}"


class SubscriberLease(models.Model):
    """How many readers one hub has for a watched session; alive for 30 s after `renewed_at`."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="subscriber_leases")
    holder = models.CharField(max_length=100)
    count = models.PositiveIntegerField()
    renewed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "holder"], name="one_lease_per_session_and_holder"),
        ]
        indexes = [
            models.Index(fields=["holder"], name="subscriber_leases_of_holder"),
            models.Index(fields=["renewed_at"], name="subscriber_leases_by_age"),
        ]

    def __str__(self):
        return f"{self.count} readers of {self.session_id} at {self.holder}"


class Lease(models.Model):
    """A task that one process at a time may do. `epoch` rises with every new holder: a fence."""

    name = models.CharField(max_length=100, unique=True)
    holder = models.CharField(max_length=100)
    epoch = models.BigIntegerField(default=1)
    expires_at = models.DateTimeField()

    def __str__(self):
        return f"{self.name} held by {self.holder}"
