"""One round of repairs: every fault that is found is repaired where that is possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from monitoring.services import quarantine
from monitoring.services.doctor.faults import Fault
from monitoring.services.doctor.repairs import BY, REPAIRS, repair
from sessionsite.common.errors import DomainError

TOGETHER = 500  # orphans per audit row


@dataclass(frozen=True)
class Outcome:
    """What became of one fault. is_left: it is still there, and `text` says why; else what was done."""

    fault: Fault
    text: str
    is_left: bool = False


def treat(faults: Iterator[Fault], *, by: str = BY) -> Iterator[Outcome]:
    """Repairs each fault as it comes; those that had gone meanwhile are left out.

    Files that no row names go to one box of the quarantine, several at a time.
    """
    box, orphans = quarantine.new_box_name(), []
    for fault in chain(faults, [None]):
        if orphans and (fault is None or fault.kind != "orphan" or len(orphans) == TOGETHER):
            yield from _put_away(orphans, box, by)
            orphans = []
        if fault is None:
            return
        if fault.kind == "orphan":
            orphans.append(fault)
        elif outcome := _one(fault, by):
            yield outcome


def _put_away(orphans: list[Fault], box: str, by: str) -> Iterator[Outcome]:
    try:
        moved = quarantine.quarantine([fault.where for fault in orphans], box, by=by)
    except OSError as error:
        yield from (Outcome(fault, str(error), is_left=True) for fault in orphans)
        return
    for fault in orphans:
        if fault.where in moved.paths:
            yield Outcome(fault, f"moved to quarantine {box}")


def _one(fault: Fault, by: str) -> Outcome | None:
    if fault.kind not in REPAIRS:
        return Outcome(fault, "only a person can help", is_left=True)
    try:
        done = repair(fault, by=by)
    except (DomainError, OSError) as refusal:
        return Outcome(fault, str(refusal), is_left=True)
    return Outcome(fault, done) if done else None
