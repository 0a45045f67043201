"""Jobs, and what they changed on pictures so that it can be undone."""

from django.db import models
from django.utils import timezone

from monitoring.models import Dataset, Image
from sessions_app.models import Session
from sessionsite.accounts.models import Organisation
from sessionsite.common.access import VisibleQuerySet
from sessionsite.common.ids import new_key


def new_job_key() -> str:
    return new_key("jb")


class JobKind(models.TextChoices):
    EXPORT = "export"
    IMPORT = "import"
    RELABEL = "relabel"


class JobState(models.TextChoices):
    """uploading -> queued -> running -> done | failed | cancelled; an import is `ready` between two steps."""

    UPLOADING = "uploading"
    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.UPLOADING, JobState.QUEUED, JobState.RUNNING, JobState.READY)


class JobQuerySet(VisibleQuerySet):
    def for_messages(self):
        """With everything that messages.job_json reads."""
        return self.select_related("organisation", "dataset", "session")


class Job(models.Model):
    """`state` is written by jobs/verbs.py alone; `revision` rises with every change of the row.

    claim: the run that works on it; a run whose claim is not here any more has been replaced.
    file: the finished file, its name in the job's folder.
    """

    key = models.CharField(max_length=40, unique=True, default=new_job_key, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=16, choices=JobKind.choices)
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)
    title = models.CharField(max_length=300)
    dataset = models.ForeignKey(Dataset, models.CASCADE, null=True, related_name="jobs")
    session = models.ForeignKey(Session, models.CASCADE, null=True, related_name="jobs")
    params = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    progress_frac = models.FloatField(default=0)
    message = models.CharField(max_length=500, blank=True)
    claim = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    file = models.CharField(max_length=100, blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    received_bytes = models.BigIntegerField(default=0)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="Row and files go then.")
    revision = models.BigIntegerField(default=1)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "id"], name="jobs_by_state"),
            models.Index(fields=["organisation", "-id"], name="jobs_newest_first"),
            models.Index(fields=["expires_at"], name="jobs_by_expiry"),
        ]

    def __str__(self):
        return self.title


class JobItem(models.Model):
    """What a job changed on one picture: `{"label": [was, is], "tags": {key: [was, is]}}`."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="items")
    image = models.ForeignKey(Image, models.CASCADE, related_name="+")
    before = models.JSONField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["job", "image"], name="one_item_per_job_and_image")]

    def __str__(self):
        return f"{self.image_id} of {self.job_id}"
