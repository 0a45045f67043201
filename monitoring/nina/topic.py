"""rig:<slug>: the state of a rig and its journal, entry by entry."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from monitoring.nina.link import link_json, link_of
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.state import State
from monitoring.nina.unified import unified
from monitoring.nina.wire import RemoteClock
from sessionsite.common.access import Caller
from sessionsite.common.clock import iso
from sessionsite.common.live import Snapshot, Topic


def rig_now(rig: Rig) -> datetime:
    """The present moment on NINA's clock, which durations and end times are measured by."""
    return RemoteClock.from_json(rig.link.get("clock")).now()


def unified_of(rig: Rig) -> dict:
    """The one object of this rig, for the socket, REST and the page."""
    return unified(State.from_json(rig.state), now=rig_now(rig), link=link_of(rig))


def rig_state(rig: Rig) -> dict:
    """What the rig's page follows; needs RigQuerySet.for_messages."""
    session = rig.monitor.current_session
    return {
        "slug": rig.slug,
        "name": rig.monitor.name,
        "organisation": rig.monitor.organisation.slug,
        "site_zone": rig.site_zone,
        "is_public": rig.is_public,
        "is_listening": rig.is_enabled and bool(rig.url),
        "link": link_json(rig),
        "ingest": rig.ingest,
        "now": iso(rig_now(rig)),
        "session": session and {"key": session.key, "state": session.state, "kind": session.kind},
        "unified": unified_of(rig),
        "last_seq": rig.last_seq,
        "revision": rig.revision,
    }


def rig_event_json(row: RigEvent) -> dict:
    """One journal entry; `is_live` tells frames of the socket from what a history brought later."""
    return {
        "seq": row.seq,
        "type": row.type,
        "at": iso(row.at),
        "received_at": iso(row.received_at),
        "is_live": row.is_live,
        "is_repeat": row.is_repeat,
        "data": {name: value for name, value in row.raw.items() if name not in ("Event", "Time")},
    }


class RigTopic(Topic):
    prefix = "rig"
    has_events = True

    def authorise(self, caller: Caller, name: str) -> bool:
        return Rig.objects.visible_to(caller).filter(monitor__slug=name).exists()

    def snapshot(self, name: str) -> Snapshot | None:
        rig = Rig.objects.for_messages().filter(monitor__slug=name).first()
        return rig and Snapshot(rig.revision, rig.last_seq, rig_state(rig))

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        rows = Rig.objects.filter(monitor__slug__in=list(names))
        return {
            slug: (revision, seq)
            for slug, revision, seq in rows.values_list("monitor__slug", "revision", "last_seq")
        }

    def events(self, name: str, after: int, limit: int) -> list[tuple[int, dict]]:
        rows = RigEvent.objects.filter(rig__monitor__slug=name, seq__gt=after).order_by("seq")[:limit]
        return [(row.seq, rig_event_json(row)) for row in rows]

    def gap_address(self, name: str, after: int) -> str:
        return f"/api/v1/rigs/{name}/events/?after={after}"
