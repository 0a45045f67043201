"""NINA's history and the rows of this generation: which row is which entry, and which are new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from monitoring.nina.events import Event
from monitoring.nina.intake import History, Ingest
from monitoring.nina.matching import event_of, match, merged, repeats_among
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.wire import RemoteClock

BATCH = 50


@dataclass
class Reconciled:
    """The rows of this generation. Of these `added` are not stored yet; `moved` had other times before."""

    rows: list[RigEvent]
    added: list[RigEvent]
    moved: list[RigEvent]


def of_generation(rig: Rig):
    return RigEvent.objects.filter(rig=rig, generation=rig.generation)


def row_of(rig: Rig, event: Event, *, is_live: bool) -> RigEvent:
    """The next row of the rig's journal, not stored yet."""
    rig.last_seq += 1
    return RigEvent(
        rig=rig,
        seq=rig.last_seq,
        generation=rig.generation,
        index=event.index,
        type=event.type,
        at=event.at,
        is_live=is_live,
        raw=event.raw,
    )


def reconcile(rig: Rig, history: History, asked_at: datetime) -> Reconciled:
    """Each accepted entry has its row: its own, that of the frame that told of it, or a new one."""
    rows = list(of_generation(rig).order_by("seq"))
    known = {row.index: row for row in rows if row.index is not None}
    fresh = [event for event in history.events if event.index not in known]
    provisional = [row for row in rows if row.index is None and not row.is_repeat]
    moved, held = _moved(rig, known, history.events, provisional)
    matches = match(provisional, fresh)
    named = [_named(row, event) for event in fresh if (row := matches.get(event.index))]
    unnamed = [row for row in provisional if row.index is None]
    repeated = repeats_among(unnamed, (*history.events, *history.repeats), asked_at)
    repeated += [row for index, row in known.items() if _is_repeated(row, index in history.duplicates)]
    for row in repeated:
        row.is_repeat = True
    changed = [*moved, *held, *named, *repeated, *_with_late_statistics(known, history.events)]
    update_rows(changed, ["index", "at", "raw", "is_repeat"])
    added = [row_of(rig, event, is_live=False) for event in fresh if event.index not in matches]
    _count(rig, history, added, matched=len(matches))
    rig.ingest["accepted"] -= len(repeated)
    rig.ingest["duplicates"] += len(repeated)
    return Reconciled([*rows, *added], added, moved)


def update_rows(rows: Iterable[RigEvent], names: list[str]) -> None:
    """Full batches together and the rest one by one: each connection keeps the plans of its statements, and
    a batch of any other size would be one more of them.
    """
    rows = list({row.pk: row for row in rows}.values())
    full = len(rows) - len(rows) % BATCH
    RigEvent.objects.bulk_update(rows[:full], names, batch_size=BATCH)
    for row in rows[full:]:
        row.save(update_fields=names)


def _moved(
    rig: Rig, known: dict[int, RigEvent], events: Iterable[Event], provisional: list[RigEvent]
) -> tuple[list[RigEvent], list[RigEvent]]:
    """Rows whose entry reads as another time since the site's zone was corrected, and frames behind them.

    Frames that came after an entry which was read as later were held back to its time; they get back that of
    their arrival.
    """
    moved, wrong = [], set()
    for event in events:
        row = known.get(event.index)
        if row is not None and row.at != event.at:
            wrong.add(row.at)
            row.at = event.at
            moved.append(row)
    remote = RemoteClock.from_json(rig.link.get("clock"))
    held = [row for row in provisional if row.at in wrong]
    for row in held:
        row.at = min(row.at, remote.at(row.received_at))
    return moved, held


def _is_repeated(row: RigEvent, is_duplicate: bool) -> bool:
    """Whether an entry that was read as an event repeats one that the history had to be read on for.

    NINA notes a line of its log late and with an earlier time. An image is known by statistics, which this
    reading may be without.
    """
    return is_duplicate and not row.is_repeat and row.type != "IMAGE-SAVE"


def _named(row: RigEvent, event: Event) -> RigEvent:
    row.index, row.at = event.index, event.at
    row.raw = merged(row.raw, event.raw)
    return row


def _with_late_statistics(known: dict[int, RigEvent], events: Iterable[Event]) -> list[RigEvent]:
    """Rows of images whose statistics could not be read when they were stored."""
    changed = []
    for event in events:
        row = known.get(event.index)
        if row is not None and event.statistics and not row.raw.get("ImageStatistics"):
            row.raw = {**row.raw, "ImageStatistics": event.statistics}
            changed.append(row)
    return changed


def _count(rig: Rig, history: History, added: list[RigEvent], *, matched: int) -> None:
    """Entries that were not read before are counted; those whose frame was counted are not."""
    entries, before = history.ingest.received, rig.counted_entries
    counted = Ingest(
        received=max(entries - before - matched, 0),
        duplicates=sum(index >= before for index in history.duplicates),
        malformed=sum(index >= before for index in history.malformed),
    )
    for row in added:
        counted.count_accepted(event_of(row))
    rig.counted_entries = max(entries, before)
    rig.ingest = asdict(Ingest(**rig.ingest).plus(counted))
