"""Verbs of jobs: asked for, taken up, moved on, cancelled, removed; every move is one compare-and-swap."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from monitoring import disk
from monitoring.exports import Wanted
from monitoring.jobs import folders
from monitoring.jobs.models import OPEN, Job, JobKind, JobState
from monitoring.models import Dataset
from monitoring.services.errors import DiskFull
from sessions_app.models import Session
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import audit
from sessionsite.common.errors import Conflict, Missing, TooLarge
from sessionsite.common.files import safe_name
from sessionsite.common.live import publish_on_commit

UPLOAD = "upload.zip"  # in the folder of an import

OPEN_MAX = 20  # jobs of one person in one organisation that are not finished
ATTEMPTS_MAX = 3
LINK_LIFE_S = 3600
LINK_SALT = "monitoring.jobs.link"
FAILED_OFTEN = f"The server ended {ATTEMPTS_MAX} times while it worked on this; it is not tried again."


class JobMoved(Conflict):
    """The job is in a state that does not permit this."""

    code = "job_moved"


class TooManyJobs(Conflict):
    code = "too_many_jobs"


class UploadMoved(Conflict):
    """The archive goes on at another byte; the details say at which."""

    code = "upload_moved"


class UploadTooLarge(TooLarge):
    code = "upload_too_large"


class NotReady(Conflict):
    """The job has no file (yet)."""

    code = "not_ready"


class Replaced(Exception):
    """The run has lost its job: somebody cancelled or removed it, or another process took it up."""


def start_export(of: Dataset | Session, wanted: Wanted, *, by: str) -> Job:
    """A job that will write the export of `of`. Raises TooManyJobs."""
    its = {"dataset": of} if isinstance(of, Dataset) else {"session": of}
    title = f"{of} as {wanted.format.replace('_', ' ')}"
    return create_job(of.organisation, JobKind.EXPORT, title=title, params=wanted.as_json(), by=by, **its)


def start_import(dataset: Dataset, *, format: str, name: str, size_bytes: int, by: str) -> Job:
    """A job that waits for its archive of so many bytes. Raises UploadTooLarge, TooManyJobs."""
    if size_bytes > settings.IMPORT_MAX_BYTES:
        limit = settings.IMPORT_MAX_BYTES
        raise UploadTooLarge(f"An archive has at most {limit:,} bytes.", limit_bytes=limit)
    return create_job(
        dataset.organisation, JobKind.IMPORT, title=f"{name or 'archive'} into {dataset}", by=by,
        state=JobState.UPLOADING, params={"format": format}, dataset=dataset, size_bytes=size_bytes,
        file_name=safe_name(name, default="archive.zip"),
    )  # fmt: skip


def receive(job: Job, *, offset: int, data: bytes) -> Job:
    """`data` stands in the archive from byte `offset` on, durably; with its last byte the dry run is queued.

    Raises JobMoved, UploadMoved (the next byte is another one), DiskFull.
    """
    end = offset + len(data)
    if job.kind != JobKind.IMPORT or job.state != JobState.UPLOADING:
        raise JobMoved("The job takes no archive now.", job=job.key)
    if offset != job.received_bytes or not offset < end <= job.size_bytes:
        raise UploadMoved("Go on from `received_bytes`.", received_bytes=job.received_bytes)
    if disk.is_full():
        raise DiskFull("The disk has reached its reserve; free some space and send again.")
    with open(os.open(folders.folder_of(job) / UPLOAD, os.O_CREAT | os.O_WRONLY, 0o640), "wb") as target:
        target.seek(offset)
        target.write(data)
        target.flush()
        os.fsync(target.fileno())
    with transaction.atomic():
        taken = Job.objects.filter(pk=job.pk, state=JobState.UPLOADING, received_bytes=offset).update(
            received_bytes=end, progress_frac=end / job.size_bytes, revision=F("revision") + 1
        )
        job.refresh_from_db()
        if not taken:
            raise UploadMoved("Go on from `received_bytes`.", received_bytes=job.received_bytes)
        if end == job.size_bytes:
            job = move(job, before=(JobState.UPLOADING,), to=JobState.QUEUED, progress_frac=0.0)
    return job


def apply_import(job: Job, *, by: str) -> Job:
    """What the dry run found will be written. Raises JobMoved unless a dry run has just ended."""
    params = {**job.params, "apply": True, "applied_by": by}
    return move(
        job, before=(JobState.READY,), to=JobState.QUEUED, params=params, progress_frac=0.0, message=""
    )


@transaction.atomic
def create_job(
    organisation: Organisation,
    kind: JobKind,
    *,
    title: str,
    by: str,
    state: JobState = JobState.QUEUED,
    **fields,
) -> Job:
    """A new job. Raises TooManyJobs while OPEN_MAX of the same person wait or run."""
    mine = Job.objects.filter(organisation=organisation, created_by=by, state__in=OPEN)
    if mine.exclude(state=JobState.READY).count() >= OPEN_MAX:
        raise TooManyJobs(f"{OPEN_MAX} of your jobs are waiting or running.", limit=OPEN_MAX)
    job = Job.objects.create(
        organisation=organisation, kind=kind, title=title[:300], created_by=by, state=state,
        expires_at=_expiry(), **fields,
    )  # fmt: skip
    audit(organisation, f"{kind}_asked", job, by=by, after={"title": job.title, **job.params})
    return job


def _expiry():
    return timezone.now() + timedelta(hours=settings.JOB_KEEP_HOURS)


@transaction.atomic
def move(job: Job, *, before: tuple[JobState, ...], to: JobState, claim: str | None = None, **changes) -> Job:
    """`job` is in state `to` with these values, and its readers are told. Raises JobMoved.

    claim: the run that moves it; None is for people.
    """
    mine = {} if claim is None else {"claim": claim}
    moved = Job.objects.filter(pk=job.pk, state__in=before, **mine).update(
        state=to, revision=F("revision") + 1, **changes
    )
    if not moved:
        raise JobMoved("The job is not in a state that permits this.", job=job.key)
    job.refresh_from_db()
    publish_on_commit(f"job:{job.key}", revision=job.revision, urgent=True)
    return job


def cancel(job: Job, *, by: str) -> Job:
    """The job does not go on; what it did stays done. A finished one: JobMoved."""
    message = f"Cancelled by {by}"[:500]
    return move(job, before=OPEN, to=JobState.CANCELLED, message=message, finished_at=timezone.now())


@transaction.atomic
def remove(job: Job, *, by: str) -> None:
    """The job, its files and every link to them are gone; what it changed stays."""
    audit(job.organisation, "removed", job, by=by, before={"title": job.title, "state": job.state})
    key = job.key
    Job.objects.filter(pk=job.pk).delete()
    transaction.on_commit(lambda: folders.remove_folder(key))


_UNFINISHED = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING)


def has_work() -> bool:
    """Whether there is something to take up; asked without the lease, which costs a write each time."""
    return Job.objects.filter(_UNFINISHED).exists()


def take_up() -> Job | None:
    """The next job, claimed by a new run from its start; None when there is nothing to do.

    Only to be called under the lease of the runner: a job that runs then was left by a dead process.
    """
    while True:
        job = Job.objects.filter(_UNFINISHED).order_by("pk").first()
        if job is None:
            return None
        if job.attempts >= ATTEMPTS_MAX:
            end(job, JobState.FAILED, claim=job.claim, message=FAILED_OFTEN)
            continue
        claim = secrets.token_hex(8)
        changes = {"claim": claim, "attempts": F("attempts") + 1, "progress_frac": 0.0, "message": ""}
        taken = Job.objects.filter(pk=job.pk, state=job.state, claim=job.claim).update(
            state=JobState.RUNNING, started_at=timezone.now(), revision=F("revision") + 1, **changes
        )
        if taken:
            job.refresh_from_db()
            publish_on_commit(f"job:{job.key}", revision=job.revision, urgent=True)
            return job


def note_progress(job: Job, fraction: float, message: str) -> None:
    """The page shows how far the run is. Raises Replaced when it is this job's run no more."""
    noted = Job.objects.filter(pk=job.pk, state=JobState.RUNNING, claim=job.claim).update(
        progress_frac=min(max(fraction, 0.0), 1.0), message=message[:500], revision=F("revision") + 1
    )
    if not noted:
        raise Replaced
    publish_on_commit(f"job:{job.key}")


def put_back(job: Job) -> None:
    """The server stops: the job waits for the next process, and this run does not count."""
    Job.objects.filter(pk=job.pk, state=JobState.RUNNING, claim=job.claim).update(
        state=JobState.QUEUED, claim="", attempts=F("attempts") - 1, revision=F("revision") + 1
    )


def forget_upload(job: Job) -> None:
    """The archive that an import brought is gone; what it says of the archive's files stays."""
    (folders.folder_of(job) / UPLOAD).unlink(missing_ok=True)


def end(job: Job, to: JobState, *, claim: str, **changes) -> Job:
    """The run is over. Raises JobMoved when the job is no longer its own."""
    over = {} if to in OPEN else {"finished_at": timezone.now()}
    running = (JobState.RUNNING, JobState.QUEUED)
    changes = {"attempts": 0, "expires_at": _expiry(), **over, **changes}
    return move(job, before=running, to=to, claim=claim, **changes)


def forget_old_jobs() -> int:
    """Jobs past their time are gone with their files. Returns how many."""
    old = Job.objects.filter(expires_at__lte=timezone.now()).exclude(state=JobState.RUNNING)
    keys = list(old.order_by("pk").values_list("key", flat=True)[:500])
    for key in keys:
        folders.remove_folder(key)
    Job.objects.filter(key__in=keys).delete()
    folders.remove_left_over_folders()
    return len(keys)


def make_link(job: Job, *, by: str) -> str:
    """A ticket that opens the job's file to whoever has it, for LINK_LIFE_S or until the job is removed.

    Raises NotReady.
    """
    if job.state != JobState.DONE or not job.file:
        raise NotReady("There is no file to link to yet.", job=job.key)
    audit(job.organisation, "linked", job, by=by, after={"title": job.title, "for_s": LINK_LIFE_S})
    return signing.dumps({"job": job.key, "file": job.file}, salt=LINK_SALT)


def linked_job(key: str, ticket: str) -> Job:
    """The job that the ticket opens. Raises Missing: expired, forged, or of a job or file that is gone."""
    try:
        found = signing.loads(ticket, salt=LINK_SALT, max_age=LINK_LIFE_S)
    except signing.BadSignature as error:
        raise Missing("This link is no longer valid.") from error
    job = Job.objects.filter(key=key, state=JobState.DONE).first()
    if job is None or found != {"job": job.key, "file": job.file}:
        raise Missing("This link is no longer valid.")
    return job
