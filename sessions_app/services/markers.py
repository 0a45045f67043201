"""Markers: a person or a device pointed at a moment of a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from devices.models import Device
from sessions_app import store
from sessions_app.models import Session, SessionEvent
from sessions_app.services.journal import DEDUP_KEY_MAX, DedupMismatch
from sessions_app.severity import SEVERITY_WORDS
from sessionsite.accounts.services import touch_organisation
from sessionsite.common.databases import UNAVAILABLE
from sessionsite.common.errors import DomainError, Missing
from sessionsite.common.live import publish_on_commit

MARKER = "marker"
LABEL_MAX = 200


class BadMarker(DomainError):
    code = "bad_marker"


class Marked(NamedTuple):
    """An entry that was just written, with what `event_json` reads of a SessionEvent.

    Making the model itself costs more than its row.
    """

    session: Session
    seq: int
    at: datetime
    detail: dict
    device: Device | None
    kind: str = MARKER

    @property
    def device_id(self) -> int | None:
        return self.device and self.device.pk


Entry = Marked | SessionEvent  # a repeat finds the row of the first
Result = Entry | DomainError | DatabaseError | InterfaceError


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
        if self.detail:
            told["detail"] = self.detail
        return told

    @property
    def stored_key(self) -> str | None:
        return None if self.dedup_key is None else f"{MARKER}:{self.dedup_key}"


def mark(session: Session, **told) -> Entry:
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
        if any(isinstance(entry, Entry) for entry in entries):
            owners.add(markers[places[0]].session.organisation_id)
    for organisation_id in sorted(owners):
        touch_organisation(organisation_id)
    return [found[place] for place in range(len(markers))]


def _write_to_session(markers: list[NewMarker]) -> list[Result]:
    session = markers[0].session
    known = _known(session, markers)
    are_new = _are_new(markers, set(known))
    new = list(compress(markers, are_new))
    if new:
        numbers = store.take_numbers(session.pk, len(new))
        if numbers is None:
            return [Missing("There is no such session.")] * len(markers)
        session.revision, session.last_seq = numbers
        publish_on_commit(
            f"session:{session.key}", revision=session.revision, seq=session.last_seq, urgent=len(new) == 1
        )
    entries = iter(_insert(new, first_seq=session.last_seq - len(new) + 1))
    results: list[Result] = []
    for marker, is_new in zip(markers, are_new, strict=True):
        if is_new:
            entry = next(entries)
            if marker.dedup_key is not None:
                known[marker.stored_key] = entry
            results.append(entry)
        else:
            results.append(_repeat(known[marker.stored_key], marker))
    return results


def _are_new(markers: list[NewMarker], keys: set[str | None]) -> list[bool]:
    """Whether each has no key, or one that is neither among `keys` nor that of an earlier marker."""
    found = []
    for marker in markers:
        key = marker.stored_key
        found.append(key is None or key not in keys)
        keys.add(key)
    return found


def _known(session: Session, markers: list[NewMarker]) -> dict[str | None, Entry]:
    """The entries that are there under the markers' keys; the session is locked, so no other can appear."""
    keys = list({marker.stored_key for marker in markers if marker.dedup_key is not None})
    if not keys:
        return {}
    Session.objects.select_for_update().filter(pk=session.pk).first()
    rows = SessionEvent.objects.for_messages().filter(session=session)
    parts = [keys[start : start + store.ROWS_MAX] for start in range(0, len(keys), store.ROWS_MAX)]
    return {row.dedup_key: row for part in parts for row in rows.filter(dedup_key__in=part)}


def _insert(new: list[NewMarker], *, first_seq: int) -> list[Marked]:
    """The entries of these markers, all of one session, whose numbers were taken."""
    if not new:
        return []
    now, session_id, organisation_id = timezone.now(), new[0].session.pk, new[0].session.organisation_id
    entries: list[Marked] = []
    rows: list[store.EventRow] = []
    for seq, marker in enumerate(new, first_seq):
        device, key, at, detail = marker.device, marker.stored_key, marker.at or now, marker.told
        if marker.by:
            detail["by"] = marker.by
        entries.append(Marked(marker.session, seq, at, detail, device))
        device_id = device and device.pk
        rows.append(store.EventRow(session_id, organisation_id, seq, MARKER, at, detail, device_id, key))
    store.insert_events(rows)
    return entries


def _repeat(first: Entry, marker: NewMarker) -> Result:
    told = marker.told
    if any(first.detail.get(name) != told.get(name) for name in ("label", "severity", "detail")):
        return DedupMismatch("This idempotency key came with another marker before.", seq=first.seq)
    return first
