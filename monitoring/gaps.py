"""Stretches of a session in which pictures were due and none came."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.density import Stretch, edges_of, empty_of
from monitoring.models import Image
from monitoring.presence import late_after_s
from sessions_app.models import Session, SessionEvent, SessionMinute
from sessionsite.common.clock import EPOCH, iso

UNEXPECTED_S = 60.0  # what counts as a gap where no interval is expected
CELLS_MAX = 5000  # stretches that one search looks at
RUNS_MAX = 1000  # whose edges are looked up
GAPS_MAX = 200  # the longest of one answer
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Gap:
    """From the last picture before it (or the start) to the first after it (or the end)."""

    start: datetime
    end: datetime
    is_open: bool  # nothing has come since
    cause: str  # "server": it was restarted in between; else "camera"

    @property
    def lasted_s(self) -> float:
        return (self.end - self.start).total_seconds()

    def as_json(self) -> dict:
        return {
            "from": iso(self.start),
            "to": iso(self.end),
            "lasted_s": round(self.lasted_s, 3),
            "is_open": self.is_open,
            "cause": self.cause,
        }


@dataclass(frozen=True)
class Gaps:
    """rows: at most GAPS_MAX, in the order of time. shortest_s: shorter ones were not looked for."""

    rows: list[Gap]
    count: int
    total_s: float
    shortest_s: float
    expected_interval_s: float | None


def gap_after_s(interval_s: float | None) -> float:
    """How long a silence is a gap: as long as it takes until the camera is late."""
    return late_after_s(interval_s) if interval_s else UNEXPECTED_S


def find_gaps(session: Session, start: datetime, end: datetime) -> Gaps:
    """The gaps of `session` between two moments; needs its monitor selected.

    A gap that is as long as the threshold covers a whole cell of half of it, so the empty cells show where to
    look, and two looks into the index tell where it begins and ends. Where a span would need more than
    CELLS_MAX cells they are wider, and `shortest_s` says what is still found.
    """
    interval_s = session.monitor.expected_interval_s if session.monitor_id else None
    least_s = gap_after_s(interval_s)
    span_s = max((end - start).total_seconds(), 0.001)
    cell_s = max(least_s / 2, span_s / CELLS_MAX)
    least_s = max(least_s, 2 * cell_s)
    cells = _cells(start, end, cell_s)
    empty = [cells[number] for number in empty_of(session.pk, cells)]
    runs = sorted(_runs(_without_purged(session, empty)), key=lambda run: run[0] - run[1])[:RUNS_MAX]
    restarts, is_silent = _restarts(session), _is_silent_since(session, end)
    edges = dict.fromkeys(edges_of(session.pk, runs, within=(start, end)))
    found = [_gap(edge, start, end, restarts, is_silent) for edge in edges]
    found = [gap for gap in found if gap.lasted_s >= least_s]
    longest = sorted(found, key=lambda gap: -gap.lasted_s)[:GAPS_MAX]
    return Gaps(
        sorted(longest, key=lambda gap: gap.start),
        len(found),
        sum(gap.lasted_s for gap in found),
        least_s,
        interval_s,
    )


def _cells(start: datetime, end: datetime, cell_s: float) -> list[Stretch]:
    count = max(1, math.ceil((end - start).total_seconds() / cell_s))
    edges = [start + timedelta(seconds=number * cell_s) for number in range(count)] + [end]
    return [(low, high) for low, high in zip(edges, edges[1:], strict=False) if high > low]


def _without_purged(session: Session, empty: list[Stretch]) -> list[Stretch]:
    """A cell in which pictures came that retention has removed since is no gap. The oldest ones go first."""
    entries = SessionEvent.objects.milestones().filter(session=session, kind="images_purged")
    if not empty or not entries.exists():
        return empty
    arrivals = Image.objects.filter(session=session).order_by("received_at")
    kept_since = arrivals.values_list("received_at", flat=True).first()
    minutes = SessionMinute.objects.filter(
        session=session, minute__gte=_minute(empty[0][0]), minute__lte=_minute(empty[-1][1])
    )
    captured = set(minutes.values_list("minute", flat=True))

    def is_purged(cell: Stretch) -> bool:
        is_old = kept_since is None or cell[0] < kept_since
        return is_old and any(minute in captured for minute in range(_minute(cell[0]), _minute(cell[1]) + 1))

    return [cell for cell in empty if not is_purged(cell)]


def _minute(moment: datetime) -> int:
    return (moment - EPOCH) // MINUTE


def _runs(cells: list[Stretch]) -> list[Stretch]:
    """Neighbouring cells as one stretch."""
    runs: list[Stretch] = []
    for low, high in cells:
        if runs and runs[-1][1] == low:
            runs[-1] = (runs[-1][0], high)
        else:
            runs.append((low, high))
    return runs


def _gap(edge: tuple, start: datetime, end: datetime, restarts: list[datetime], is_silent: bool) -> Gap:
    before, after = edge
    low, high = before or start, after or end
    cause = "server" if any(low < moment <= high for moment in restarts) else "camera"
    return Gap(low, high, after is None and is_silent, cause)


def _is_silent_since(session: Session, end: datetime) -> bool:
    """The session goes on, and what was looked at ends where its pictures end, not in the middle of them."""
    return session.stopped_at is None and not session.images.filter(received_at__gte=end).exists()


def _restarts(session: Session) -> list[datetime]:
    entries = SessionEvent.objects.milestones().filter(session=session, kind="server_restarted")
    return list(entries.order_by("-seq").values_list("at", flat=True)[:GAPS_MAX])
