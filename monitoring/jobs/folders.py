"""The files of jobs: `DATA_DIR/jobs/<key>/`, which every process of an installation shares."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from django.conf import settings

from monitoring.jobs.models import Job
from sessionsite.common.ids import is_key

LEFT_OVER_S = 3600.0  # a folder without a row is removed at this age


def root() -> Path:
    return Path(settings.DATA_DIR) / "jobs"


def folder_of(job: Job) -> Path:
    """The job's own folder, made when it is missing."""
    folder = root() / job.key
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    return folder


def file_of(job: Job) -> Path:
    return root() / job.key / job.file


def has_file(job: Job, name: str) -> bool:
    return (root() / job.key / name).exists()


def remove_folder(key: str) -> None:
    """The files of a job are gone; none were there is no error."""
    shutil.rmtree(root() / key, ignore_errors=True)


def remove_left_over_folders() -> int:
    """Folders whose job is gone are gone, too. Returns how many."""
    folders = [path for path in root().glob("jb_*") if is_key(path.name, "jb") and _is_old(path)]
    known = set(Job.objects.filter(key__in=[path.name for path in folders]).values_list("key", flat=True))
    left_over = [path for path in folders if path.name not in known]
    for path in left_over:
        shutil.rmtree(path, ignore_errors=True)
    return len(left_over)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > LEFT_OVER_S
    except FileNotFoundError:
        return False
