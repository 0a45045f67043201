"""What is seen live: monitors, their pictures, the tags on them, and the datasets they become."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from devices.models import Device
from monitoring.querysets import ImageQuerySet, MonitorQuerySet, TagChangeQuerySet, TagQuerySet
from monitoring.splits import Shares
from sessions_app.models import Session
from sessionsite.accounts.models import SLUG, Organisation
from sessionsite.common.access import VisibleQuerySet
from sessionsite.common.ids import new_key

RESERVED_SLUGS = ("new", "updatetags")  # path words of the outside wire and of our own pages


def new_dataset_key() -> str:
    return new_key("ds")


def new_image_key() -> str:
    return new_key("im")


def new_tag_key() -> str:
    return new_key("tg")


class Dataset(models.Model):
    """A named collection of pictures. The key may come from outside and is unique in the organisation."""

    key = models.CharField(max_length=100, default=new_dataset_key)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=40, blank=True, help_text="MULTICLASS, imageObjectDetection, …")
    valid_percent = models.FloatField(null=True, blank=True, help_text="Of pictures in no split.")
    test_percent = models.FloatField(null=True, blank=True, help_text="The others train.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="one_dataset_per_key"),
            models.CheckConstraint(
                condition=Q(valid_percent__isnull=True, test_percent__isnull=True)
                | Q(valid_percent__gte=0, test_percent__gte=0, valid_percent__lte=100 - F("test_percent")),
                name="shares_are_percent",
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def shares(self) -> Shares | None:
        """How pictures in no split are shared out; None: they stay in none."""
        if self.valid_percent is None or self.test_percent is None:
            return None
        return Shares(self.valid_percent, self.test_percent)


class Presence(models.TextChoices):
    UNKNOWN = "", "unknown"
    LIVE = "live", "live"
    LATE = "late", "late"
    LOST = "lost", "lost"


class Monitor(models.Model):
    """A place that is watched. Whether it runs is told by its open session, not by a column here.

    `revision` rises with every change of what monitor:<slug> shows, new pictures included.
    """

    KINDS = [("camera", "camera"), ("rig", "rig"), ("audio", "audio")]

    slug = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=KINDS, default="camera")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="monitors")
    dataset = models.ForeignKey(Dataset, models.SET_NULL, null=True, blank=True, related_name="monitors")
    devices = models.ManyToManyField(Device, blank=True, related_name="monitors")
    expected_interval_s = models.FloatField(
        null=True, blank=True, help_text="Seconds from picture to picture."
    )
    quota_bytes = models.BigIntegerField(
        null=True, blank=True, help_text="Most bytes kept; empty means no limit."
    )
    is_demo = models.BooleanField(default=False)
    capture_for_training = models.BooleanField(default=False)
    presence = models.CharField(max_length=8, choices=Presence.choices, default=Presence.UNKNOWN, blank=True)
    controller = models.JSONField(
        default=dict, blank=True, help_text="The request that waits for the controller."
    )
    controller_acked_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When a controller last did what it was asked; empty: none has yet.",
    )
    current_session = models.ForeignKey(
        Session,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The newest one, open or not.",
    )
    last_image = models.ForeignKey("Image", models.SET_NULL, null=True, blank=True, related_name="+")
    last_item_at = models.DateTimeField(null=True, blank=True)
    previous_item_at = models.DateTimeField(null=True, blank=True)
    stored_bytes = models.BigIntegerField(default=0, editable=False)
    revision = models.BigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = MonitorQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=~Q(slug__in=RESERVED_SLUGS), name="slug_is_not_a_path_word"),
            models.CheckConstraint(
                condition=Q(expected_interval_s__isnull=True) | Q(expected_interval_s__gt=0),
                name="expected_interval_is_positive",
            ),
        ]

    def __str__(self):
        return self.name or self.slug


class Image(models.Model):
    """One picture: its original file untouched, a thumbnail, and what people say of it."""

    SPLITS = [("", "none"), ("train", "train"), ("valid", "valid"), ("test", "test")]
    REVIEWS = [(word, word) for word in ("unreviewed", "accepted", "rejected", "doubtful")]
    SETTLED = frozenset({"accepted", "rejected"})  # its review has ended: label and boxes are read-only

    key = models.CharField(max_length=40, unique=True, default=new_image_key, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="images")
    session = models.ForeignKey(Session, models.PROTECT, null=True, blank=True, related_name="images")
    monitor = models.ForeignKey(Monitor, models.PROTECT, null=True, blank=True, related_name="images")
    dataset = models.ForeignKey(Dataset, models.SET_NULL, null=True, blank=True, related_name="images")
    file_path = models.CharField(max_length=255, help_text="Below the media folder.")
    thumbnail_path = models.CharField(max_length=255)
    format = models.CharField(max_length=8)
    size_bytes = models.BigIntegerField(help_text="Original and thumbnail together.")
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    taken_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    name = models.CharField(max_length=255, blank=True)
    label = models.CharField(max_length=100, blank=True)
    split = models.CharField(max_length=8, choices=SPLITS, default="", blank=True)
    review = models.CharField(max_length=16, choices=REVIEWS, default="unreviewed")
    review_comment = models.CharField(max_length=500, blank=True, db_default="")
    reviewed_by = models.CharField(max_length=200, blank=True, db_default="")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    author = models.CharField(max_length=200, blank=True)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL is not unique
    revision = models.BigIntegerField(default=1)
    editors_revision = models.BigIntegerField(db_default=0, editable=False)  # of those who have it open
    deleted_at = models.DateTimeField(null=True, blank=True)
    pinned_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="It is kept for ever while this is set."
    )

    objects = ImageQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["monitor", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="one_image_per_idempotency_key",
            ),
            models.UniqueConstraint(
                fields=["session", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False, monitor__isnull=True),
                name="one_image_per_key_of_a_session",
            ),
            models.UniqueConstraint(
                fields=["session", "taken_at", "sha256"],
                condition=Q(session__isnull=False),
                name="one_image_per_moment_and_content",
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "-received_at", "-id"], name="images_newest_first"),
            models.Index(fields=["monitor", "-received_at", "-id"], name="images_of_monitor"),
            models.Index(fields=["session", "-received_at", "-id"], name="images_of_session"),
            models.Index(
                # deleted_at is always NULL in it: SQLite counts from the index alone when it stands there.
                fields=["session", "label", "received_at", "deleted_at"],
                condition=Q(deleted_at__isnull=True),
                name="images_of_session_by_label",
            ),
            models.Index(
                fields=["session", "review", "-received_at", "-id"],
                condition=Q(deleted_at__isnull=True) & ~Q(review="unreviewed"),
                name="reviewed_of_session",
            ),
            models.Index(fields=["dataset", "label"], name="images_of_dataset"),
            models.Index(
                fields=["deleted_at"], condition=Q(deleted_at__isnull=False), name="images_by_deletion"
            ),
            models.Index(
                fields=["organisation", "review", "-received_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="images_by_review",
            ),
            models.Index(
                fields=["organisation", "label", "-received_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="images_by_label",
            ),
            models.Index(fields=["split"], condition=~Q(split=""), name="images_by_split"),
            models.Index(
                fields=["pinned_at"], condition=Q(pinned_at__isnull=False), name="images_by_pinning"
            ),
        ]

    def __str__(self):
        return self.name or self.key


class Tag(models.Model):
    """A labelled box on a picture. Fractions of the displayed picture, from its top left corner."""

    SOURCES = [(word, word) for word in ("operator", "device", "import")]

    key = models.CharField(max_length=40, unique=True, default=new_tag_key, editable=False)
    image = models.ForeignKey(Image, models.CASCADE, related_name="tags")
    label = models.CharField(max_length=100)
    x_frac = models.FloatField()
    y_frac = models.FloatField()
    w_frac = models.FloatField()
    h_frac = models.FloatField()
    author = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=16, choices=SOURCES, default="operator")
    revision = models.BigIntegerField(default=1)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(w_frac__gt=0, h_frac__gt=0), name="box_has_an_area"),
            models.CheckConstraint(condition=Q(x_frac__gte=0, y_frac__gte=0), name="box_begins_inside"),
            models.CheckConstraint(
                condition=Q(x_frac__lte=1.000002 - F("w_frac"), y_frac__lte=1.000002 - F("h_frac")),
                name="box_ends_inside",
            ),
        ]
        indexes = [
            models.Index(fields=["label"], name="tags_by_label"),
            models.Index(fields=["source"], name="tags_by_source"),
        ]

    def __str__(self):
        return self.label


class TagChange(models.Model):
    """One edit of a picture: who, when, from what to what. Replayed in order, the tags of now.

    `picture` edits tell of its label, review and split and have no tag_key. The rows of one edit share their
    image_revision. What takes an edit back is an edit of its own: `act` says so, `of_revision` names which.
    """

    VERBS = [(word, word) for word in ("added", "changed", "deleted", "picture")]
    UNDO, REDO = "undo", "redo"

    image = models.ForeignKey(Image, models.CASCADE, related_name="tag_changes")
    tag_key = models.CharField(max_length=40, blank=True)
    verb = models.CharField(max_length=8, choices=VERBS)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    author = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=16, choices=Tag.SOURCES)
    image_revision = models.BigIntegerField(help_text="The picture's revision after this change.")
    act = models.CharField(
        max_length=4, choices=[("", "edit"), (UNDO, UNDO), (REDO, REDO)], blank=True, db_default=""
    )
    of_revision = models.BigIntegerField(
        null=True, help_text="image_revision of the edit that it undoes or redoes."
    )
    batch = models.CharField(
        max_length=40, blank=True, db_default="", help_text="Edits that were made together."
    )
    at = models.DateTimeField(default=timezone.now)

    objects = TagChangeQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["tag_key"], name="tag_changes_by_tag"),
            models.Index(fields=["batch", "id"], condition=~Q(batch=""), name="tag_changes_by_batch"),
        ]

    def __str__(self):
        return f"{self.verb} {self.tag_key}"


class RetentionRule(models.Model):
    """How long, and how much, an organisation keeps of its ended sessions' pictures; pins are kept for ever.

    Of all monitors together, or of one: a monitor's own number of days counts before the organisation's, and
    that before RETENTION_DAYS. Both sizes count.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="retention_rules")
    monitor = models.OneToOneField(
        Monitor, models.CASCADE, null=True, blank=True, related_name="retention_rule"
    )
    keep_days = models.PositiveIntegerField(null=True, blank=True, help_text="Days after the session's end.")
    keep_bytes = models.BigIntegerField(null=True, blank=True, help_text="Over it the oldest sessions go.")
    changed_by = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"], condition=Q(monitor__isnull=True), name="one_rule_per_organisation"
            ),
            models.CheckConstraint(
                condition=Q(keep_bytes__isnull=True) | Q(keep_bytes__gte=0), name="keep_bytes_is_no_debt"
            ),
        ]

    def __str__(self):
        return f"retention of {self.monitor or self.organisation}"


class PictureEditor(models.Model):
    """A page on which somebody has a picture open to edit it; gone LEASE_S seconds after its last renewal."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="editors")
    client = models.CharField(max_length=40, help_text="A word that each open page makes for itself.")
    name = models.CharField(max_length=200)
    tag_key = models.CharField(max_length=40, blank=True, help_text="The box that is chosen there.")
    renewed_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["image", "client"], name="one_editor_per_page")]
        indexes = [models.Index(fields=["renewed_at"], name="editors_by_age")]

    def __str__(self):
        return f"{self.name} on {self.image_id}"


class MonitorDay(models.Model):
    """What one monitor brought in on one UTC day; the disk forecast and the calendar read it."""

    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="days")
    day = models.DateField()
    images = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["monitor", "day"], name="one_row_per_monitor_and_day")]
        indexes = [models.Index(fields=["day"], name="days_by_date")]

    def __str__(self):
        return f"{self.monitor} on {self.day}: {self.images}"


from monitoring.jobs.models import Job, JobItem  # noqa: E402, F401 - Django finds models in this module
from monitoring.nina.models import Rig, RigEvent, RigGap  # noqa: E402, F401 - Django finds models in this module
