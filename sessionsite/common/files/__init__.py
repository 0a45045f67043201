"""Files of the media folder: their names and places, and how they get there whole or not at all."""

from .leases import (
    Batch,
    Inflight,
    close_leases,
    inflight,
    publish,
)
from .places import (
    QUARANTINE,
    BadPath,
    check_path,
    disk_errors,
    is_full_disk,
    media_file,
    media_path,
    media_paths,
    media_root,
    remove_media,
    safe_name,
    survives_power_cut,
    write_file,
)
from .repair import RepairReport, dead_leases, repair_dead_leases

__all__ = [
    "QUARANTINE",
    "BadPath",
    "Batch",
    "Inflight",
    "RepairReport",
    "check_path",
    "close_leases",
    "dead_leases",
    "disk_errors",
    "inflight",
    "is_full_disk",
    "media_file",
    "media_path",
    "media_paths",
    "media_root",
    "publish",
    "remove_media",
    "repair_dead_leases",
    "safe_name",
    "survives_power_cut",
    "write_file",
]
