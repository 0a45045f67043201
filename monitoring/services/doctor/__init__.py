"""The full check of a server's data: rows and files both ways, hashes, sums, journals; repairs on request."""

from __future__ import annotations

from collections.abc import Iterator

from monitoring.services.doctor.examination import Examination
from monitoring.services.doctor.faults import KINDS, Fault, Kind
from monitoring.services.doctor.files import check_files, check_left_overs, check_rows
from monitoring.services.doctor.numbers import check_monitors, check_owners, check_rigs, check_sessions
from monitoring.services.doctor.repairs import TooMuchToRemove, check_amount
from monitoring.services.doctor.treatment import Outcome, treat

__all__ = [
    "CHECKS",
    "KINDS",
    "Examination",
    "Fault",
    "Kind",
    "Outcome",
    "TooMuchToRemove",
    "check_amount",
    "examine",
    "treat",
]

# Rows before sums: what a repair of the first changes, the later ones count.
CHECKS = {
    "pictures": check_rows,
    "files": check_files,
    "left-overs": check_left_overs,
    "sessions": check_sessions,
    "monitors": check_monitors,
    "rigs": check_rigs,
    "organisations": check_owners,
}


def examine(seen: Examination) -> Iterator[Fault]:
    """Every fault, one after the other; `seen` counts what was looked at. Nothing is changed."""
    for check in CHECKS.values():
        yield from check(seen)
