"""Files of the media folder: their names and places, and how they get there whole or not at all."""

from .leases import Batch, Inflight, RepairReport, close_leases, inflight, publish, repair_dead_leases
from .places import (
    BadPath,
    check_path,
    media_file,
    media_path,
    media_root,
    remove_media,
    safe_name,
    survives_power_cut,
    write_file,
)

__all__ = [
    "BadPath",
    "Batch",
    "Inflight",
    "RepairReport",
    "check_path",
    "close_leases",
    "inflight",
    "media_file",
    "media_path",
    "media_root",
    "publish",
    "remove_media",
    "repair_dead_leases",
    "safe_name",
    "survives_power_cut",
    "write_file",
]
