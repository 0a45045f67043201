"""One examination: what it was asked to look at, and what it has seen so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from monitoring.services.media_check import Walk

HASH_SAMPLE = 200
TELL_EVERY_S = 5.0


def _nobody(_text: str) -> None:
    pass


@dataclass
class Examination:
    """all_hashes: read every original; else about `hash_sample` of them, spread over all rows.

    progress: is told now and then how far it is.
    """

    all_hashes: bool = False
    hash_sample: int = HASH_SAMPLE
    progress: Callable[[str], None] = _nobody
    pictures: int = 0
    hashed: int = 0
    lost: int = 0
    sessions: int = 0
    monitors: int = 0
    rigs: int = 0
    walk: Walk = field(default_factory=Walk)
    _told_at: float = field(default_factory=time.monotonic)

    def tell(self, text: str) -> None:
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            self.progress(text)

    def as_json(self) -> dict:
        return {
            "pictures": self.pictures,
            "hashed": self.hashed,
            "lost_pictures_deleted": self.lost,
            "media_files": self.walk.files,
            "media_bytes": self.walk.size_bytes,
            "young_files": self.walk.young,
            "foreign_files": self.walk.foreign,
            "sessions": self.sessions,
            "monitors": self.monitors,
            "rigs": self.rigs,
        }
