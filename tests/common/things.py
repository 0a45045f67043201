"""A family of live topics kept in memory, whose reads can be held up and made to fail."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from sessionsite.common import live
from sessionsite.common.access import Caller
from sessionsite.common.hub import Hub, Reader
from sessionsite.common.live import Snapshot, Topic
from tests.waiting import PATIENCE_S, until

ANN = Caller(name="ann", user_id=1)


@dataclass
class Thing:
    revision: int = 0
    events: list[dict] = field(default_factory=list)
    is_finished: bool = False


class Gate:
    """Holds up a read at a chosen place until the test lets it go."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._reached = threading.Event()

    def shut(self) -> None:
        self._reached.clear()
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        await until(self._reached.is_set, what="somebody reads")

    def pass_through(self) -> None:
        self._reached.set()
        assert self._open.wait(PATIENCE_S), "nobody opened the gate"


class Things(Topic):
    prefix = "thing"
    has_events = True

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.hidden: set[str] = set()
        self.asked, self.snapshot_gate, self.events_gate = Gate(), Gate(), Gate()
        self.held_after: int | None = None  # only a read of the events after this one meets the gate
        self.reads = self.event_reads = 0
        self.failures = 0  # so many reads raise

    def make(self, name: str, events: int = 0) -> Thing:
        thing = self.things[name] = Thing()
        for _ in range(events):
            self.append(name, announce=False)
        return thing

    def change(self, name: str, *, urgent: bool = False, announce: bool = True) -> None:
        """As a verb would: the state moves, then the commit is announced."""
        thing = self.things[name]
        thing.revision += 1
        if announce:
            live._wake(f"thing:{name}", thing.revision, len(thing.events), urgent)

    def append(self, name: str, *, announce: bool = True) -> None:
        thing = self.things[name]
        thing.events.append({"number": len(thing.events) + 1})
        if announce:
            live._wake(f"thing:{name}", thing.revision, len(thing.events), False)

    def authorise(self, caller: Caller, name: str) -> bool:
        is_allowed = name in self.things and name not in self.hidden
        self.asked.pass_through()
        return is_allowed

    def snapshot(self, name: str) -> Snapshot | None:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise OSError("the database does not answer")
        thing = self.things.get(name)
        seen = thing and Snapshot(
            thing.revision, len(thing.events), {"revision": thing.revision}, thing.is_finished
        )
        self.snapshot_gate.pass_through()
        return seen

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        found = {name: self.things[name] for name in names if name in self.things}
        return {name: (thing.revision, len(thing.events)) for name, thing in found.items()}

    def events(self, name: str, after: int, limit: int) -> list[tuple[int, dict]]:
        self.event_reads += 1
        found = list(enumerate(self.things[name].events, start=1))[after : after + limit]
        if self.held_after in (None, after):
            self.events_gate.pass_through()
        return found

    def gap_address(self, name: str, after: int) -> str:
        return f"/things/{name}/events/?after={after}"


class Card:
    """A credential whose rights the test can change."""

    def __init__(self, caller: Caller | None = ANN) -> None:
        self.caller = caller

    def caller_now(self) -> Caller | None:
        return self.caller


class Listener:
    """A reader that keeps what it was sent."""

    def __init__(self, hub: Hub, card: Card | None = None, *, opens: bool = True, **options) -> None:
        self.frames: list[dict] = []
        self.close_code: int | None = None
        self.may_send = asyncio.Event()
        self.may_send.set()
        self._hub = hub
        self.reader = Reader(hub, self._send, self._close, caller=ANN, credential=card or Card(), **options)
        hub.admit(self.reader)
        if opens:
            self.reader.open()

    async def _send(self, frame) -> None:
        await self.may_send.wait()
        self.frames.append(json.loads(frame.body))

    def _close(self, code: int) -> None:
        self.close_code = code

    async def follow(self, topic: str, after: int | None = None) -> Listener:
        await self._hub.subscribe(self.reader, topic, after=after)
        return self

    def of(self, kind: str) -> list[dict]:
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def revision(self) -> int:
        """The newest revision this reader was shown; -1 before its snapshot."""
        return max((frame["revision"] for frame in self.frames if "revision" in frame), default=-1)

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.of("event")]

    async def sees(self, revision: int, within_s: float = PATIENCE_S) -> None:
        await until(lambda: self.revision >= revision, within_s, f"revision {revision}")
