"""The night in figures: per target and filter, guiding, times without safety, failures, and its timeline.

Everything follows from the stored events between two moments, so a finished night always gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import mean, median
from typing import Any

from monitoring.nina.events import Event, scalar, us_of
from monitoring.nina.link import is_silent, link_of
from monitoring.nina.machine import Machine
from monitoring.nina.matching import event_of
from monitoring.nina.models import Rig, RigEvent, RigGap
from monitoring.nina.state import DARKS, FLATS, PAUSED, State
from monitoring.nina.stats import UNKNOWN, exposure_key, image_of
from monitoring.nina.store import in_order_of_the_night
from monitoring.nina.topic import rig_now
from monitoring.nina.unified import iso_us
from monitoring.nina.wire import RemoteClock
from sessions_app.models import Session
from sessions_app.states import Kind
from sessionsite.common.clock import iso

FAILURES = {
    "ERROR-AF": "autofocus failed",
    "ERROR-PLATESOLVE": "plate solving failed",
    "SEQUENCE-ENTITY-FAILED": "a step of the sequence failed",
    "CAMERA-DOWNLOAD-TIMEOUT": "the camera's picture did not arrive",
    "IMAGE-SAVE-FAILED": "a picture could not be saved",
}
LONGEST_EXPOSURE = timedelta(hours=1)
WHEEL_HOLDS = timedelta(days=7)  # an older position of the wheel is not looked for


@dataclass
class Lane:
    """Intervals of one kind, in the order of time. `to_us` None: it still goes on."""

    kind: str
    spans: list[dict[str, Any]] = field(default_factory=list)
    label: str | None = None

    def hold(self, label: str | None, at_us: int) -> None:
        """From now on it is `label`; None: it is over."""
        if label == self.label:
            return
        if self.label is not None:
            self.spans[-1]["to_us"] = at_us
        if label is not None:
            self.spans.append({"kind": self.kind, "label": label, "from_us": at_us, "to_us": None})
        self.label = label


class NightReport:
    """Fed with events in their order; `as_json` tells what they add up to."""

    def __init__(self, rig: Rig, before: State | None = None) -> None:
        self.machine = Machine(rig.zone, before)
        kinds = ("target", "paused", "unsafe", "guiding", "autofocus", "flip", "flats", "darks")
        self.lanes = {kind: Lane(kind) for kind in kinds}
        self.frames: dict[str, dict[tuple[str, str], int]] = {}
        self.projects: dict[str, str | None] = {}
        self.failures: list[dict[str, Any]] = []
        self.hfr: list[list[float]] = []
        self.rms: list[list[float]] = []
        self.rms_of: dict[str, list[list[float]]] = {}
        self.temperature: list[list[float]] = []
        self.flats = self.darks = 0

    def take(self, event: Event) -> None:
        state = self.machine.state
        counted = self._counted()
        self.machine.apply(event)
        if event.type == "IMAGE-SAVE":
            self._image(event, counted)
        if event.type in FAILURES:
            self._failure(event)
        self._lanes(state, event.at_us)

    def _counted(self) -> tuple[int | None, int, int, int]:
        state = self.machine.state
        return state.started_us, state.total_images, state.flats["count"], state.darks["count"]

    def _image(self, event: Event, before: tuple) -> None:
        started_us, lights, flats, darks = self._counted()
        is_new = started_us != before[0]
        image, ms = image_of(event, self.machine.zone), event.at_us // 1000
        self.flats += flats > (0 if is_new else before[2])
        self.darks += darks > (0 if is_new else before[3])
        if image.temperature is not None:
            self.temperature.append([ms, image.temperature])
        if lights <= (0 if is_new else before[1]):
            return
        state = self.machine.state
        target = image.target or (state.target["name"] if state.target else UNKNOWN)
        key = ((state.last_image or {}).get("filter") or UNKNOWN, exposure_key(image.exposure_s))
        counts = self.frames.setdefault(target, {})
        counts[key] = counts.get(key, 0) + 1
        if state.target and state.target["name"] == target:
            self.projects[target] = state.target["project"]
        if image.hfr is not None:
            self.hfr.append([ms, image.hfr])
        if image.rms_arcsec is not None:
            self.rms.append([ms, image.rms_arcsec])
            self.rms_of.setdefault(target, []).append([ms, image.rms_arcsec])

    def _failure(self, event: Event) -> None:
        told = {name: scalar(value) for name, value in event.payload.items() if scalar(value) is not None}
        self.failures.append({"at": iso(event.at), "what": FAILURES[event.type], "details": told})
        if event.type == "ERROR-AF" and (spans := self.lanes["autofocus"].spans):
            spans[-1]["label"] = self.lanes["autofocus"].label = "autofocus failed"

    def _lanes(self, state: State, at_us: int) -> None:
        words = {
            "target": state.target["name"] if state.is_open and state.target else None,
            "paused": "paused" if state.fsm == PAUSED else None,
            "unsafe": "unsafe" if state.is_safe is False else None,
            "guiding": "guiding" if state.is_guiding else None,
            "flip": "meridian flip" if state.mount == "flipping" else None,
            "flats": "flats" if state.fsm == FLATS else None,
            "darks": "darks" if state.fsm == DARKS else None,
        }
        for kind, word in words.items():
            self.lanes[kind].hold(word, at_us)
        focus = self.lanes["autofocus"]
        focus.hold((focus.label or "autofocus") if state.autofocus_us is not None else None, at_us)

    def as_json(self, start_us: int, end_us: int) -> dict[str, Any]:
        return {
            "targets": [self._target(name, counts) for name, counts in self.frames.items()],
            "filters": self._filters(),
            "total_images": sum(sum(counts.values()) for counts in self.frames.values()),
            "total_exposure_s": sum(row["total_s"] for row in self._filters()),
            "flats": self.flats,
            "darks": self.darks,
            "guiding": {**_figures(self.rms), "guided_s": self._lasted("guiding", start_us, end_us)},
            "unsafe_s": self._lasted("unsafe", start_us, end_us),
            "paused_s": self._lasted("paused", start_us, end_us),
            "failures": self.failures,
            "series": {"rms": self.rms, "hfr": self.hfr, "temperature": self.temperature},
            "timeline": [_told(span) for lane in self.lanes.values() for span in lane.spans],
        }

    def _target(self, name: str, counts: dict[tuple[str, str], int]) -> dict[str, Any]:
        rows = [_row(filter_name, key, count) for (filter_name, key), count in sorted(counts.items())]
        return {
            "name": name,
            "project": self.projects.get(name),
            "frames": rows,
            "count": sum(row["count"] for row in rows),
            "total_s": sum(row["total_s"] for row in rows),
            "guiding": _figures(self.rms_of.get(name, [])),
        }

    def _filters(self) -> list[dict[str, Any]]:
        sums: dict[str, list[float]] = {}
        for counts in self.frames.values():
            for (name, key), count in counts.items():
                row = _row(name, key, count)
                sums.setdefault(name, [0, 0])
                sums[name][0] += count
                sums[name][1] += row["total_s"]
        return [
            {"filter": name, "count": n, "total_s": total_s} for name, (n, total_s) in sorted(sums.items())
        ]

    def _lasted(self, kind: str, start_us: int, end_us: int) -> int:
        spans = self.lanes[kind].spans
        lasted = [min(span["to_us"] or end_us, end_us) - max(span["from_us"], start_us) for span in spans]
        return sum(max(each, 0) for each in lasted) // 1_000_000


def _row(filter_name: str, key: str, count: int) -> dict[str, Any]:
    exposure_s = None if key == UNKNOWN else float(key)
    return {
        "filter": filter_name,
        "exposure_s": exposure_s,
        "count": count,
        "total_s": round((exposure_s or 0) * count, 3),
    }


def _figures(series: list[list[float]]) -> dict[str, float | None]:
    values = [value for _, value in series]
    if not values:
        return {"mean_arcsec": None, "median_arcsec": None, "worst_arcsec": None}
    return {
        "mean_arcsec": round(mean(values), 2),
        "median_arcsec": round(median(values), 2),
        "worst_arcsec": max(values),
    }


def _told(span: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": span["kind"],
        "label": span["label"],
        "from": iso_us(span["from_us"]),
        "to": iso_us(span["to_us"]),
    }


def night_report(
    rig: Rig, start: datetime, end: datetime, *, saved_later: Iterable[Event] = ()
) -> dict[str, Any]:
    """What the rig's stored events between two moments, and a few later ones, add up to."""
    events = RigEvent.objects.counted().filter(rig=rig)
    before = State()
    for row in _held_before(events, start):
        Machine(rig.zone, before).apply(event_of(row))
    held = {name: getattr(before, name) for name in ("is_safe", "safety_us", "filter", "filter_us")}
    report = NightReport(rig, State(**held))
    report.lanes["unsafe"].hold("unsafe" if before.is_safe is False else None, us_of(start))
    for row in in_order_of_the_night(events.filter(at__gte=start, at__lte=end)):
        report.take(event_of(row))
    for event in saved_later:
        report.take(event)
    found = report.as_json(us_of(start), us_of(min(end, max(rig_now(rig), start))))
    found["timeline"] = sorted(found["timeline"] + _gaps(rig, start, end), key=lambda span: span["from"])
    return {"rig": rig.slug, "site_zone": rig.site_zone, "from": iso(start), "to": iso(end), **found}


def _held_before(events, start: datetime) -> Iterable[RigEvent]:
    """The last words on safety and on the wheel's filter before the night."""
    earlier = events.filter(at__lt=start).order_by("-at")
    rows = list(earlier.filter(type="SAFETY-CHANGED")[:1])
    of_wheel = earlier.filter(at__gte=start - WHEEL_HOLDS)
    for name in ("FILTERWHEEL-CHANGED", "IMAGE-SAVE"):  # some changes are none, and some images are late
        rows += of_wheel.filter(type=name)[:20]
    return in_order_of_the_night(rows)


def _gaps(rig: Rig, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Times without a connection to NINA; what happened then its history has told later."""
    gaps = RigGap.objects.filter(rig=rig, begun_at__lt=end).exclude(ended_at__lte=start)
    times = list(gaps.order_by("begun_at").values_list("begun_at", "ended_at"))
    if silent_since := _silent_since(rig, end):
        times.append((silent_since, None))
    return [
        {"kind": "gap", "label": "connection lost", "from": iso(begun), "to": iso(ended) if ended else None}
        for begun, ended in times
    ]


def _silent_since(rig: Rig, end: datetime) -> datetime | None:
    """The last sign of life, on NINA's clock, of a listener that died: its gap is stored by the next one."""
    heard_at = link_of(rig).heard_at
    if heard_at is None or not is_silent(rig):
        return None
    begun_at = RemoteClock.from_json(rig.link.get("clock")).at(heard_at)
    return begun_at if begun_at < end else None


def _saved_later(events, rig: Rig, end: datetime) -> list[Event]:
    """Frames that were being exposed at the end: they count in what ended."""
    rows = events.filter(type="IMAGE-SAVE", at__gt=end, at__lte=end + LONGEST_EXPOSURE)
    saved = [(event, image_of(event, rig.zone)) for event in map(event_of, in_order_of_the_night(rows))]
    return [event for event, image in saved if image.begun_us and image.begun_us <= us_of(end)]


def has_night(session: Session) -> bool:
    """Whether the session is a rig's, so that `session_report` can tell of it."""
    return session.kind == Kind.RIG and Rig.objects.filter(monitor_id=session.monitor_id).exists()


def session_report(session: Session) -> dict[str, Any]:
    """The report of one rig session, from its start to its end or to now; frames begun by then count."""
    rig = Rig.objects.for_messages().get(monitor=session.monitor)
    events = RigEvent.objects.counted().filter(rig=rig)
    newest = events.order_by("-at").values_list("at", flat=True).first() or session.started_at
    end = session.stopped_at or max(rig_now(rig), newest)
    found = night_report(rig, session.started_at, end, saved_later=_saved_later(events, rig, end))
    return {
        "session": {
            "key": session.key,
            "name": session.name,
            "state": session.state,
            "started_at": iso(session.started_at),
            "stopped_at": iso(session.stopped_at) if session.stopped_at else None,
            "duration_s": int((end - session.started_at).total_seconds()),
        },
        **found,
    }
