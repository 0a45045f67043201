"""The connection to NINA as it is told: what its listener wrote, as long as that one gives signs of life."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sessionsite.common import clock
from sessionsite.common.clock import iso, parse_iso

if TYPE_CHECKING:  # the object for panels is made without a database, too
    from monitoring.nina.models import Rig

HEARD_FOR = timedelta(seconds=60)  # a listener gives a sign of life every 30 s, however quiet its NINA is
SILENT = "the listener of this server gives no sign of life"


@dataclass(frozen=True)
class Link:
    """The connection to NINA."""

    status: str = "disconnected"  # connected | connecting | disconnected
    since: str | None = None
    attempts: int = 0
    error: str = ""
    heard_at: datetime | None = None

    @property
    def is_heard(self) -> bool:
        return self.status == "connected"

    @property
    def heard_until(self) -> datetime | None:
        """From then on nothing is known, unless there is another sign of life before."""
        return self.heard_at + HEARD_FOR if self.is_heard else None


NEVER_HEARD = Link()


def link_of(rig: Rig) -> Link:
    """The connection now. A listener that died while it was connected is connected no longer."""
    kept = rig.link
    link = Link(
        status=kept.get("status", "disconnected"),
        since=kept.get("since"),
        attempts=kept.get("attempts", 0),
        error=kept.get("error", ""),
        heard_at=parse_iso(kept["heard_at"]) if kept.get("heard_at") else None,
    )
    if link.is_heard and (link.heard_at is None or link.heard_until <= clock.now()):
        silent_since = kept.get("heard_at", link.since)
        return replace(link, status="disconnected", since=silent_since, error=SILENT)
    return link


def is_silent(rig: Rig) -> bool:
    """Whether the connection counts as lost though nobody has written so: the listener is gone."""
    return rig.link.get("status") == "connected" and not link_of(rig).is_heard


def link_json(rig: Rig) -> dict[str, Any]:
    """The connection as the rig's topic tells it."""
    link = link_of(rig)
    told = {name: value for name, value in asdict(link).items() if name != "heard_at"}
    return {**rig.link, **told, "heard_until": iso(link.heard_until) if link.heard_until else None}
