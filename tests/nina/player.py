"""Feeds a rig with the recorded night as its listener does, and checks what is kept of it."""

from __future__ import annotations

from datetime import timedelta

from monitoring.nina import store
from monitoring.nina.intake import LiveIntake
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.script import Frame
from monitoring.nina.spans import replay
from monitoring.nina.state import State
from monitoring.nina.unified import unified
from sessionsite.common import clock

BOOT = "2025-11-14T17:49:00"


class Player:
    """Feeds a rig as its listener does, with the clock of the recording."""

    def __init__(self, rig, script) -> None:
        self.rig, self.script, self.intake, self.position = rig, script, LiveIntake(), 0

    def rebuild(
        self, entries: int | None = None, *, history: list | None = None, images: bool = True, asked_at=None
    ) -> None:
        """As at the start, at a reconnect and at a refresh: with what NINA holds at that moment.

        asked_at: default: a good while after the last frame.
        """
        history = self.script.history_after(self.position) if history is None else history
        store.rebuild(
            self.rig.pk,
            application_start=BOOT,
            entries=history if entries is None else history[:entries],
            images=self.script.images_after(self.position) if images else [],
            asked_at=asked_at or clock.now() + timedelta(seconds=5),
        )

    def hear(self, frames: list[Frame]) -> None:
        for frame in frames:
            if event := self.intake.take(frame.text, frame.at):
                store.receive(self.rig.pk, [event], counted=self.intake.counted())
        store.set_link(self.rig.pk, counted=self.intake.counted())

    def play(self, upto: int, *, frames: list[Frame] | None = None) -> None:
        self.hear(self.script.frames[self.position : upto] if frames is None else frames)
        self.position = upto

    def restart(self) -> None:
        """Our own process ends and begins anew: everything but the database is lost."""
        self.intake = LiveIntake()
        self.rig = Rig.objects.for_messages().get(pk=self.rig.pk)


def shown(rig, as_of) -> dict:
    rig.refresh_from_db()
    return unified(State.from_json(rig.state), now=as_of)


def assert_follows_from_the_journal(rig) -> None:
    """The kept state is what the stored events lead to, and their numbers have no gaps."""
    rig.refresh_from_db()
    rows = list(RigEvent.objects.filter(rig=rig).order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, rig.last_seq + 1))
    ordered = store.in_order_of_the_night([row for row in rows if not row.is_repeat])
    result = replay(map(store.event_of, ordered), rig.zone, State())
    kept, led_to = State.from_json(rig.state).as_json(), result.state.as_json()
    assert {name: (kept[name], value) for name, value in led_to.items() if kept[name] != value} == {}
