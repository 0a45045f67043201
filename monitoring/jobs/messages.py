"""What of a job leaves the server, the same on every wire; and the topic job:<key>."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from monitoring.jobs.models import OPEN, Job, JobState
from sessionsite.common.access import Caller
from sessionsite.common.clock import iso
from sessionsite.common.live import Snapshot, Topic


@dataclass(frozen=True)
class JobMessage:
    """One job. progress_frac: 0 to 1. file_url: there once it is done and has a file."""

    key: str
    organisation: str
    kind: str
    state: str
    title: str
    dataset: str | None
    session: str | None
    params: dict
    result: dict
    progress_frac: float
    message: str
    file_name: str
    file_url: str | None
    size_bytes: int
    received_bytes: int
    created_by: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None
    revision: int


def job_json(job: Job) -> dict:
    """`job` as JSON; needs JobQuerySet.for_messages."""
    has_file = job.state == JobState.DONE and job.file
    return asdict(
        JobMessage(
            key=job.key,
            organisation=job.organisation.slug,
            kind=job.kind,
            state=job.state,
            title=job.title,
            dataset=job.dataset.key if job.dataset else None,
            session=job.session.key if job.session else None,
            params=job.params,
            result=job.result,
            progress_frac=round(job.progress_frac, 4),
            message=job.message,
            file_name=job.file_name,
            file_url=f"/api/v1/jobs/{job.key}/file/" if has_file else None,
            size_bytes=job.size_bytes,
            received_bytes=job.received_bytes,
            created_by=job.created_by,
            created_at=iso(job.created_at),
            started_at=job.started_at and iso(job.started_at),
            finished_at=job.finished_at and iso(job.finished_at),
            expires_at=job.expires_at and iso(job.expires_at),
            revision=job.revision,
        )
    )


class JobTopic(Topic):
    """One job: how far it is, then what became of it."""

    prefix = "job"

    def authorise(self, caller: Caller, name: str) -> bool:
        return Job.objects.visible_to(caller).filter(key=name).exists()

    def snapshot(self, name: str) -> Snapshot | None:
        job = Job.objects.for_messages().filter(key=name).first()
        return job and Snapshot(job.revision, None, job_json(job), job.state not in OPEN)

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        rows = Job.objects.filter(key__in=list(names)).values_list("key", "revision")
        return {key: (revision, None) for key, revision in rows}
