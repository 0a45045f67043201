"""What waits for one reader: the newest state of each topic, events in order, a gap for too many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sessionsite.common.hub.frames import Frame, gap_frame

OUTBOX_BYTES = 256 * 1024


class Outbox:
    """Frames in the order to send. Over `limit_bytes` (replays beside it) no event waits in it.

    A newer state takes the place of a waiting one of its topic. Past the limit the waiting events of the
    topic that fills most become one gap; later events lengthen that gap until it is taken.
    """

    def __init__(self, address_of: Callable[[str, int], str | None], limit_bytes: int = OUTBOX_BYTES) -> None:
        self._address_of, self.limit_bytes = address_of, limit_bytes
        self._waiting: dict[tuple, Frame] = {}  # a dict keeps its order and lets a frame be replaced in place
        self._open_gaps: dict[str, tuple[int, int]] = {}  # topic -> (after, upto) of the gap that grows
        self.size_bytes = 0
        self._replay_bytes = 0  # room on top of the limit, until the outbox is empty
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether the reader may ask for more: what it asked for before, replays included, is nearly out."""
        return self.size_bytes <= self.limit_bytes

    @property
    def is_full(self) -> bool:
        return self.size_bytes > self.limit_bytes + self._replay_bytes

    def put(self, frame: Frame, *, is_replay: bool = False) -> None:
        """is_replay: what the reader itself asked for again; it does not count against the limit."""
        if is_replay:
            self._replay_bytes += frame.size
        if frame.topic in self._open_gaps and frame.span is not None:
            self._lengthen_gap(frame.topic, frame.span[1])
            return
        if frame.type == "heartbeat":
            self._drop(("heartbeat",))  # behind whatever it speaks of
        self._place(self._key(frame), frame)
        while self.is_full and self._fold_events():
            continue

    @property
    def first(self) -> Frame | None:
        """What `take` would give."""
        return next(iter(self._waiting.values()), None)

    def take(self) -> Frame | None:
        """The next frame to send; None when nothing waits."""
        if not self._waiting:
            return None
        key = next(iter(self._waiting))
        frame = self._waiting.pop(key)
        self.size_bytes -= frame.size
        if key[0] == "open gap":
            del self._open_gaps[frame.topic]
        if not self._waiting:
            self._replay_bytes = 0
        return frame

    def forget(self, topic: str) -> None:
        """Of `topic` nothing but errors waits any more: the reader has left it."""
        for key, frame in list(self._waiting.items()):
            if frame.topic == topic and frame.type != "error":
                self._drop(key)
        self._open_gaps.pop(topic, None)

    def keep_errors(self) -> None:
        """Nothing but errors waits any more: the connection is about to close, and they say why."""
        for key, frame in list(self._waiting.items()):
            if frame.type != "error":
                self._drop(key)
        self._open_gaps.clear()

    def _key(self, frame: Frame) -> tuple:
        if frame.type in ("state", "heartbeat"):
            return (frame.type, frame.topic)[: 2 if frame.topic else 1]
        if frame.span is not None:
            return (frame.type, frame.topic, frame.span)
        self._numbers += 1
        return (frame.type, self._numbers)

    def _place(self, key: tuple, frame: Frame) -> None:
        old = self._waiting.get(key)
        self._waiting[key] = frame
        self.size_bytes += frame.size - (old.size if old else 0)

    def _drop(self, key: tuple) -> None:
        if (old := self._waiting.pop(key, None)) is not None:
            self.size_bytes -= old.size

    def _fold_events(self) -> bool:
        """The events of the topic that fills most are one gap now, in their place; False without any."""
        sizes: Counter[str] = Counter()
        for frame in self._waiting.values():
            if frame.type == "event":
                sizes[frame.topic] += frame.size
        if not sizes:
            return False
        [(topic, _)] = sizes.most_common(1)
        spans = [frame.span for frame in self._waiting.values() if frame.topic == topic and frame.span]
        gap = self._gap(topic, spans[0][0], spans[-1][1])
        folded: dict[tuple, Frame] = {}
        for key, frame in self._waiting.items():
            if frame.topic == topic and frame.span:
                folded.setdefault(("open gap", topic), gap)
            else:
                folded[key] = frame
        self._waiting = folded
        self.size_bytes = sum(frame.size for frame in folded.values())
        return True

    def _lengthen_gap(self, topic: str, upto: int) -> None:
        self._place(("open gap", topic), self._gap(topic, self._open_gaps[topic][0], upto))

    def _gap(self, topic: str, after: int, upto: int) -> Frame:
        self._open_gaps[topic] = (after, upto)
        return gap_frame(topic, after=after, upto=upto, address=self._address_of(topic, after))
