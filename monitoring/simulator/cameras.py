"""A simulated camera: takes a picture of its line at an interval and posts it until the server has it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitoring.rosepetal_client import NOT_STARTED, Away, BoxTag, Refused, Wire
from monitoring.simulator.line import Line, Shot

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


@dataclass(frozen=True)
class Habits:
    """How a camera works.

    jitter: share of the interval by which a picture may come early or late.
    drop_out_s: the camera falls silent for so long each time it has worked for drop_out_after_s; 0: never.
    count: pictures after which it ends; None: never.
    """

    interval_s: float = 2.0
    jitter: float = 0.1
    count: int | None = None
    picture_format: str = "JPEG"
    dataset: str = "simulated-parts"
    drop_out_s: float = 0.0
    drop_out_after_s: float = 60.0
    start: bool = False
    uid: str = "simulator"


@dataclass
class _Pending:
    """The picture that is being delivered; image_id once the server has it."""

    shot: Shot
    taken_at: datetime
    image_id: str = ""


@dataclass
class Camera:
    """One camera in front of `line`, feeding `monitor`. `say` gets one line per change of state.

    `step` does one thing and says how long to wait for the next, so that it runs without a clock of its own.
    """

    monitor: str
    line: Line
    wire: Wire
    habits: Habits
    say: Callable[[str], None]
    state: str = ""
    delivered: int = 0
    failed: bool = False
    _may_tag: bool = True
    _number: int = 0
    _pauses: int = 0
    _pending: _Pending | None = None
    _due: float | None = None
    _drop_out_at: float | None = None
    _rng: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"{self.line.seed}/{self.monitor}")
        self._must_start = self.habits.start

    def step(self, now: float) -> float | None:
        """Take, deliver or wait; returns the seconds until the next step, None when the camera has ended.

        now: seconds of a steady clock.
        """
        if self._ended():
            return None
        silent_s = self._drop_out(now)
        if silent_s:
            return silent_s
        try:
            if self._must_start:
                self.wire.start(self.monitor, uid=self.habits.uid)
                self._must_start = False
            self._deliver()
        except Away as away:
            self._become(f"server away ({away}), trying again")
            return self._growing_pause(away.retry_after_s)
        except Refused as refusal:
            return self._after_refusal(refusal, now)
        self._pauses = 0
        self._become("running")
        return None if self._ended() else self._until_next(now)

    def _ended(self) -> bool:
        if self._pending is None and self.habits.count is not None and self.delivered >= self.habits.count:
            self._become(f"done after {self.delivered} pictures")
            return True
        return self.failed

    def _deliver(self) -> None:
        """The pending picture, or a new one, is on the server with its boxes."""
        if self._pending is None:
            shot = self.line.shot(self._number, picture_format=self.habits.picture_format)
            self._pending = _Pending(shot, datetime.now(UTC))
        if not self._pending.image_id:
            self._pending.image_id = self._send_picture(self._pending)
            self.delivered += 1
        if self._pending.shot.boxes and self._may_tag:
            self._send_boxes(self._pending)
        self._next_picture()

    def _send_picture(self, pending: _Pending) -> str:
        shot = pending.shot
        ending = "jpg" if shot.format == "JPEG" else shot.format.lower()
        return self.wire.add_image(
            self.monitor,
            shot.data,
            taken_at=pending.taken_at,
            name=f"{self.monitor}-{shot.number:06d}.{ending}",
            dataset=self.habits.dataset,
            tag=shot.label,
        )

    def _send_boxes(self, pending: _Pending) -> None:
        boxes = [BoxTag(box.label, box.x, box.y, box.w, box.h) for box in pending.shot.boxes]
        try:
            self.wire.update_tags(pending.image_id, boxes, dataset=self.habits.dataset)
        except Refused as refusal:
            if refusal.status == 403:
                self._may_tag = False
            self.say(f"{self.monitor}: boxes refused: {refusal}")

    def _next_picture(self) -> None:
        self._pending, self._number = None, self._number + 1

    def _after_refusal(self, refusal: Refused, now: float) -> float | None:
        """A picture that is not wanted is dropped, as a camera without a disk would drop it."""
        if refusal.status == 401:
            self.failed = True
            self._become(f"ended: the token was refused ({refusal})")
            return None
        if self._must_start:
            self._must_start = False  # it may not start monitors: go on and wait for someone who may
            self._become(f"may not start the monitor: {refusal}")
            return 0.0
        self._next_picture()
        if str(refusal) == NOT_STARTED:
            self._pauses = 0
            self._become("not started, waiting")
            return self._until_next(now)
        self._become(f"refused: {refusal}")
        return self._growing_pause(None)

    def _growing_pause(self, retry_after_s: float | None) -> float:
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._pauses)
        self._pauses = min(self._pauses + 1, 10)
        self._due = None
        return max(pause_s, min(retry_after_s or 0, LONGEST_PAUSE_S)) * self._rng.uniform(0.8, 1.2)

    def _until_next(self, now: float) -> float:
        interval_s, jitter = self.habits.interval_s, self.habits.jitter
        due = (now if self._due is None else self._due) + interval_s
        if due < now - interval_s:
            due = now  # far behind: do not catch up with a burst
        self._due = due
        return max(0.0, due + interval_s * self._rng.uniform(-jitter, jitter) - now)

    def _drop_out(self, now: float) -> float:
        """Seconds of silence that begin now; 0 when the camera goes on."""
        if not self.habits.drop_out_s:
            return 0.0
        if self._drop_out_at is None:
            self._drop_out_at = now + self.habits.drop_out_after_s
        if now < self._drop_out_at:
            return 0.0
        self._drop_out_at = now + self.habits.drop_out_s + self.habits.drop_out_after_s
        self._due = None
        self._become(f"dropped out for {self.habits.drop_out_s:g} s")
        return self.habits.drop_out_s

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.say(f"{self.monitor}: {state}")


def run(cameras: list[Camera], stop: threading.Event, *, duration_s: float | None = None) -> None:
    """Every camera works in a thread of its own until it has ended, `stop` is set or the time is over.

    Returns within about a second of that; a request that is still under way is left behind.
    """
    threads = [threading.Thread(target=_work, args=(camera, stop), daemon=True) for camera in cameras]
    for thread in threads:
        thread.start()
    end = None if duration_s is None else time.monotonic() + duration_s
    while any(thread.is_alive() for thread in threads) and not stop.wait(0.1):
        if end is not None and time.monotonic() >= end:
            stop.set()
    last = time.monotonic() + 1
    for thread in threads:
        thread.join(max(0.0, last - time.monotonic()))


def _work(camera: Camera, stop: threading.Event) -> None:
    pause_s: float | None = 0.0
    while pause_s is not None and not stop.wait(pause_s):
        pause_s = camera.step(time.monotonic())
