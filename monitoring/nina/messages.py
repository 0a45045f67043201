"""What leaves on /ws/unified. Wire: part e of the panel's protocol; see docs/nina.md."""

from __future__ import annotations

from typing import Any

import orjson

from monitoring.nina.models import RigEvent
from sessionsite.common.clock import iso, now


def message(kind: str, data: dict[str, Any]) -> str:
    return orjson.dumps({"type": kind, "data": data, "timestamp": iso(now())}).decode()


def connection(slug: str) -> str:
    return message("connection", {"message": f"Following {slug}", "rig": slug, "timestamp": iso(now())})


def heartbeat() -> str:
    return message("heartbeat", {"timestamp": iso(now())})


def states(unified: dict[str, Any]) -> list[str]:
    """The state twice: one panel knows `sessionUpdate` only, the published document `unifiedSession`."""
    return [message("unifiedSession", unified), message("sessionUpdate", unified)]


def nina_event(row: RigEvent) -> str:
    at = iso(row.at)
    flat = {**row.raw, "Time": at, "eventType": row.type, "timestamp": at}
    return message("nina-event", {"Type": row.type, "Timestamp": at, "Source": "NINA", "Data": flat})
