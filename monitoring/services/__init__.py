"""Verbs of monitors, pictures and tags."""

from monitoring.boxes import BadTag
from monitoring.services.attachments import attach_device, detach_device
from monitoring.services.datasets import (
    BadDataset,
    DatasetInUse,
    DatasetTaken,
    change_dataset,
    create_dataset,
    remove_dataset,
)
from monitoring.services.demo import remove_demo
from monitoring.services.edits import change_image, delete_image, restore_image
from monitoring.services.errors import (
    DiskFull,
    IdempotencyMismatch,
    NotStarted,
    QuotaExceeded,
    RevisionMismatch,
)
from monitoring.services.images import Added, NewImage, add_image, add_images
from monitoring.services.monitors import (
    AlreadyStarted,
    AlreadyStopped,
    BadMonitor,
    MonitorRunning,
    SlugTaken,
    archive_monitor,
    change_monitor,
    close_stale,
    controller_ack,
    create_monitor,
    end_any_session,
    open_session_of,
    restore_monitor,
    start_monitor,
    stop_monitor,
    touch_monitor,
)
from monitoring.services.tags import add_tag, change_tag, delete_tag, replace_tags

__all__ = [
    "Added",
    "AlreadyStarted",
    "AlreadyStopped",
    "BadDataset",
    "BadMonitor",
    "BadTag",
    "DatasetInUse",
    "DatasetTaken",
    "DiskFull",
    "IdempotencyMismatch",
    "MonitorRunning",
    "NewImage",
    "NotStarted",
    "QuotaExceeded",
    "RevisionMismatch",
    "SlugTaken",
    "add_image",
    "add_images",
    "add_tag",
    "archive_monitor",
    "attach_device",
    "change_dataset",
    "change_image",
    "change_monitor",
    "change_tag",
    "close_stale",
    "controller_ack",
    "create_dataset",
    "create_monitor",
    "delete_image",
    "delete_tag",
    "detach_device",
    "end_any_session",
    "open_session_of",
    "remove_dataset",
    "remove_demo",
    "replace_tags",
    "restore_image",
    "restore_monitor",
    "start_monitor",
    "stop_monitor",
    "touch_monitor",
]
