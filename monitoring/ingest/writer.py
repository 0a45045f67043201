"""The commit of the pictures that queue up in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable

from monitoring.services import image_rows
from monitoring.services.errors import Unstorable
from monitoring.services.image_rows import Added, Pending
from sessionsite.common.errors import DomainError
from sessionsite.common.group_commit import GroupCommit

logger = logging.getLogger(__name__)


def picture_writer(coming: Callable[[], int]) -> GroupCommit[Pending]:
    """The one thread of this process that commits pictures; coming: how many are on their way."""
    return GroupCommit("picture writer", _commit, coming)


def _commit(batch: list[Pending]) -> list[Added | DomainError | None]:
    try:
        image_rows.commit(batch)
    except Exception:  # a bug: those of the batch that have a result keep it
        logger.exception("a batch of %d pictures failed", len(batch))
        for item in batch:
            item.result = item.result or Unstorable("The picture could not be stored.")
    return [item.result for item in batch]
