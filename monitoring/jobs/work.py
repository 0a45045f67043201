"""What each kind of job does."""

from __future__ import annotations

import os

from monitoring import exports
from monitoring.imports.running import run_import
from monitoring.jobs import folders
from monitoring.jobs.models import JobKind
from monitoring.jobs.relabel import run_relabel
from monitoring.jobs.runner import Run
from sessionsite.common.files import safe_name


def run_export(run: Run) -> dict:
    """The zip lies in the job's folder, whole."""
    job, wanted = run.job, exports.Wanted.from_json(run.job.params)
    selection = (
        exports.of_dataset(job.dataset, wanted) if job.dataset else exports.of_session(job.session, wanted)
    )
    total = selection.pictures.count()
    folder = folders.folder_of(job)
    for left_over in folder.glob("*.part"):  # of a run that was killed
        left_over.unlink(missing_ok=True)
    part = folder / f"{job.claim}.part"
    pieces = exports.export_zip(
        selection, wanted.format, with_pictures=wanted.pictures, note=lambda done: run.note(done, total)
    )
    try:
        with open(part, "wb") as target:
            for piece in pieces:
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        file = f"{job.claim}.zip"
        os.rename(part, part.with_name(file))
    finally:
        part.unlink(missing_ok=True)
    name = f"{safe_name(selection.title, default='export')}_{wanted.format}_{job.created_at:%Y-%m-%d}.zip"
    return {
        "file": file,
        "file_name": name,
        "size_bytes": (part.with_name(file)).stat().st_size,
        "message": f"{total:,} pictures",
        "result": {"pictures": total},
    }


FUNCTIONS = {JobKind.EXPORT: run_export, JobKind.IMPORT: run_import, JobKind.RELABEL: run_relabel}
