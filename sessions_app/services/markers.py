"""Markers: a person or a device pointed at a moment of a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from devices.models import Device
from sessions_app import store
from sessions_app.models import Session, SessionEvent
from sessions_app.services.journal import DEDUP_KEY_MAX, DedupMismatch
from sessionsite.accounts.services import touch_organisation
from sessionsite.common.databases import UNAVAILABLE
from sessionsite.common.errors import DomainError, Missing
from sessionsite.common.live import publish_on_commit

MARKER = "marker"
LABEL_MAX = 200
SEVERITY_WORDS = ("info", "warning", "error")

Result = SessionEvent | DomainError | DatabaseError | InterfaceError


class BadMarker(DomainError):
    code = "bad_marker"


@dataclass(frozen=True)
class NewMarker:
    """A marker on its way in. detail: JSON of the caller's, kept as it is.

    at: now, unless given. dedup_key: the same key again, in the same session, returns the first entry.
    """

    session: Session
    label: str
    by: str
    at: datetime | None = None
    severity: str = "info"
    detail: dict | None = None
    device: Device | None = None
    dedup_key: str | None = None

    @property
    def told(self) -> dict:
        """What two markers under one key must have in common."""
        told = {"label": self.label.strip(), "severity": self.severity}
        return {**told, "detail": self.detail} if self.detail else told

    @property
    def stored_key(self) -> str | None:
        return None if self.dedup_key is None else f"{MARKER}:{self.dedup_key}"


def mark(session: Session, **told) -> SessionEvent:
    """The entry of one marker; told: the fields of NewMarker. Raises what mark_all puts into its list."""
    [result] = mark_all([NewMarker(session, **told)])
    if isinstance(result, Exception):
        raise result
    return result


def mark_all(markers: Sequence[NewMarker]) -> list[Result]:
    """Each marker is an entry of its session's journal, or is refused with its reason, in the order given.

    Refusals: BadMarker without a label or for a severity that does not exist, DedupMismatch when its key
    came with another label or detail, Missing when the session is gone, and what the database says.
    One refusal never fails the others. The entries carry their session and device as they came.
    """
    results: list[Result | None] = [_refusal(marker) for marker in markers]
    _commit_halving([place for place, result in enumerate(results) if result is None], markers, results)
    return results


def _refusal(marker: NewMarker) -> DomainError | None:
    if not 1 <= len(marker.label.strip()) <= LABEL_MAX:
        return BadMarker(f"A marker needs a label of 1 to {LABEL_MAX} characters.")
    if marker.severity not in SEVERITY_WORDS:
        return BadMarker(f"severity is one of {', '.join(SEVERITY_WORDS)}.", field="severity")
    if marker.dedup_key is not None and not 1 <= len(marker.dedup_key) <= DEDUP_KEY_MAX:
        return BadMarker(f"An idempotency key has 1 to {DEDUP_KEY_MAX} characters.")
    return None


def _commit_halving(places: list[int], markers: Sequence[NewMarker], results: list) -> None:
    if not places:
        return
    try:
        with transaction.atomic():
            found = _write([markers[place] for place in places])
    except (DatabaseError, InterfaceError) as error:
        if len(places) == 1 or isinstance(error, UNAVAILABLE):
            found = [error] * len(places)
        else:
            middle = len(places) // 2
            _commit_halving(places[:middle], markers, results)
            _commit_halving(places[middle:], markers, results)
            return
    for place, result in zip(places, found, strict=True):
        results[place] = result


def _write(markers: list[NewMarker]) -> list[Result]:
    """In the lock order: sessions by pk, then organisations."""
    by_session: dict[int, list[int]] = defaultdict(list)
    for place, marker in enumerate(markers):
        by_session[marker.session.pk].append(place)
    found: dict[int, Result] = {}
    owners = set()
    for session_id in sorted(by_session):
        places = by_session[session_id]
        entries = _write_to_session([markers[place] for place in places])
        found.update(zip(places, entries, strict=True))
        if any(isinstance(entry, SessionEvent) for entry in entries):
            owners.add(markers[places[0]].session.organisation_id)
    for organisation_id in sorted(owners):
        touch_organisation(organisation_id)
    return [found[place] for place in range(len(markers))]


def _write_to_session(markers: list[NewMarker]) -> list[Result]:
    session, now = markers[0].session, timezone.now()
    known = _known(session, markers)
    fresh: dict[str | None, NewMarker] = {}
    unkeyed: list[NewMarker] = []
    for marker in markers:
        if marker.stored_key is None:
            unkeyed.append(marker)
        elif marker.stored_key not in known:
            fresh.setdefault(marker.stored_key, marker)
    new = [*unkeyed, *fresh.values()]
    numbers = store.take_numbers(session.pk, len(new)) if new else None
    if new and numbers is None:
        return [Missing("There is no such session.")] * len(markers)
    entries: dict[int, SessionEvent] = {}
    if numbers is not None:
        session.revision, session.last_seq = numbers
        for number, marker in enumerate(new, session.last_seq - len(new) + 1):
            entries[id(marker)] = _entry(marker, number, now)
        store.insert_events([_row(entry) for entry in entries.values()])
        publish_on_commit(
            f"session:{session.key}", revision=session.revision, seq=session.last_seq, urgent=len(new) == 1
        )
    known |= {marker.stored_key: entries[id(marker)] for marker in fresh.values()}
    return [entries.get(id(marker)) or _repeat(known[marker.stored_key], marker) for marker in markers]


def _known(session: Session, markers: list[NewMarker]) -> dict[str | None, SessionEvent]:
    """The entries that are there under the markers' keys; the session is locked, so no other can appear."""
    keys = {marker.stored_key for marker in markers if marker.stored_key is not None}
    if not keys:
        return {}
    Session.objects.select_for_update().filter(pk=session.pk).first()
    rows = SessionEvent.objects.for_messages().filter(session=session, dedup_key__in=keys)
    return {row.dedup_key: row for row in rows}


def _entry(marker: NewMarker, seq: int, now: datetime) -> SessionEvent:
    return SessionEvent(
        session=marker.session,
        organisation_id=marker.session.organisation_id,
        seq=seq,
        kind=MARKER,
        at=marker.at or now,
        device=marker.device,
        detail={**marker.told, "by": marker.by} if marker.by else marker.told,
        dedup_key=marker.stored_key,
    )


def _row(entry: SessionEvent) -> store.EventRow:
    return store.EventRow(
        entry.session_id,
        entry.organisation_id,
        entry.seq,
        entry.kind,
        entry.at,
        entry.detail,
        entry.device_id,
        entry.dedup_key,
    )


def _repeat(first: SessionEvent, marker: NewMarker) -> Result:
    told = marker.told
    if any(first.detail.get(name) != told.get(name) for name in ("label", "severity", "detail")):
        return DedupMismatch("This idempotency key came with another marker before.", seq=first.seq)
    return first
