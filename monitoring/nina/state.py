"""What a rig is doing, as plain JSON values; times in microseconds since 1970.

So it is kept in the database and read back without conversion.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from monitoring.nina.calibration import Darks, Flats

RECENT = 20
IDLE, ACTIVE, PAUSED, FLATS, DARKS = "idle", "active", "paused", "flats", "darks"
CALIBRATING = (FLATS, DARKS)


@dataclass
class State:
    """What the rig is doing. The counters belong to the session that began at `started_us`."""

    fsm: str = IDLE
    started_us: int | None = None
    ended_us: int | None = None
    previous_end_us: int | None = None
    paused_us: int | None = None
    target: dict[str, Any] | None = None
    filter: str | None = None
    filter_us: int | None = None
    is_safe: bool | None = None
    safety_us: int | None = None
    guiding_state: str = "Stopped"
    guiding_us: int | None = None
    guiding_rms: float | None = None
    autofocus_us: int | None = None
    mount: str | None = None
    mount_us: int | None = None
    equipment: dict[str, Any] | None = None
    total_images: int = 0
    images_per_filter: dict[str, int] = field(default_factory=dict)
    total_exposure_s: float = 0
    per_target: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    exposure_s: float | None = None
    temperature: float | None = None
    flats: dict[str, Any] = field(default_factory=lambda: asdict(Flats()))
    darks: dict[str, Any] = field(default_factory=lambda: asdict(Darks()))
    last_image: dict[str, Any] | None = None
    recent: list[dict[str, Any]] = field(default_factory=list)
    newest_us: int | None = None

    @property
    def is_open(self) -> bool:
        return self.fsm != IDLE

    @property
    def is_guiding(self) -> bool:
        return self.guiding_state == "Guiding"

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> State:
        """The state that `as_json` gave; fields of another version are left out."""
        names = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in names})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def open_session(state: State, at_us: int) -> None:
    """A new session began: its counters are zero and nothing is aimed at."""
    state.previous_end_us = state.ended_us
    state.fsm, state.started_us, state.ended_us = ACTIVE, at_us, None
    state.paused_us, state.target, state.mount, state.mount_us = None, None, None, None
    state.total_images, state.images_per_filter, state.total_exposure_s = 0, {}, 0
    state.per_target, state.flats, state.darks = {}, asdict(Flats()), asdict(Darks())


def leave_calibration(state: State) -> None:
    if state.fsm in CALIBRATING:
        state.fsm = ACTIVE
