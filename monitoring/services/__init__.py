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
from monitoring.services.editors import edit_picture, leave_picture
from monitoring.services.edits import change_image, delete_image, reopen_review, restore_image
from monitoring.services.errors import (
    DiskFull,
    IdempotencyMismatch,
    NotStarted,
    QuotaExceeded,
    ReviewEnded,
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
from monitoring.services.pins import pin_image
from monitoring.services.review import preview_review, review_many, undo_review
from monitoring.services.tags import add_tag, change_tag, delete_tag, replace_tags
from monitoring.services.undo import redo, restore_tag, undo

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
    "ReviewEnded",
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
    "edit_picture",
    "end_any_session",
    "leave_picture",
    "open_session_of",
    "pin_image",
    "preview_review",
    "redo",
    "remove_dataset",
    "remove_demo",
    "reopen_review",
    "replace_tags",
    "restore_image",
    "restore_monitor",
    "restore_tag",
    "review_many",
    "start_monitor",
    "stop_monitor",
    "touch_monitor",
    "undo",
    "undo_review",
]
