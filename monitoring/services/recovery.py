"""At the start of a process: what dead ones left half-way is put right, and running sessions are told."""

from __future__ import annotations

import logging
from pathlib import PurePosixPath

from monitoring.models import Image
from monitoring.services.watch import note_restart
from sessionsite.common.files import repair_dead_leases

logger = logging.getLogger(__name__)


def known_paths(paths: list[str]) -> set[str]:
    """Those of these media paths that a row names. A file's key is the first part of its name."""
    keys = {PurePosixPath(path).name.partition(".")[0] for path in paths}
    rows = Image.objects.filter(key__in=keys).values_list("file_path", "thumbnail_path")
    return {path for row in rows for path in row} & set(paths)


def recover() -> None:
    """Files of dead processes without a row are gone; sessions that were running know of the restart.

    Nothing of a living process is touched.
    """
    report = repair_dead_leases(known_paths)
    if report.removed_files:
        logger.warning("removed %d files that a dead process left without a row", report.removed_files)
    noted = note_restart()
    if noted:
        logger.info("%d sessions were running when the server stopped; they go on", noted)
