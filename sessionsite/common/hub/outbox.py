"""What waits for one reader: the newest state of each topic, events in order, a gap for too many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sessionsite.common.hub.frames import Frame, gap_frame

OUTBOX_BYTES = 256 * 1024


class Outbox:
    """Frames in the order to send. Never more than `limit_bytes`, except by the one frame that is newest.

    A newer state takes the place of a waiting one of its topic. Past the limit the waiting events of
    the topic that fills most become one gap; later events lengthen that gap until it is taken.
    """

    def __init__(self, address_of: Callable[[str, int], str | None], limit_bytes: int = OUTBOX_BYTES) -> None:
        self._address_of, self._limit_bytes = address_of, limit_bytes
        self._waiting: dict[tuple, Frame] = {}  # a dict keeps its order and lets a frame be replaced in place
        self._gaps: dict[str, tuple[int, int]] = {}  # topic -> (after, upto) of a waiting gap
        self.size_bytes = 0
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: Frame) -> None:
        if frame.type == "event":
            self._put_event(frame)
        elif frame.type == "state":
            self._replace(("state", frame.topic), frame)
        elif frame.type == "heartbeat":
            self._drop(("heartbeat",))  # behind whatever it speaks of
            self._replace(("heartbeat",), frame)
        else:
            self._numbers += 1
            self._replace((frame.type, self._numbers), frame)

    def take(self) -> Frame | None:
        """The next frame to send; None when nothing waits."""
        if not self._waiting:
            return None
        key = next(iter(self._waiting))
        frame = self._waiting.pop(key)
        self.size_bytes -= frame.size
        if key[0] == "gap":
            self._gaps.pop(frame.topic, None)
        return frame

    def forget(self, topic: str) -> None:
        """Nothing of `topic` waits any more: the reader has left it."""
        for key in [key for key, frame in self._waiting.items() if frame.topic == topic]:
            self._drop(key)
        self._gaps.pop(topic, None)

    def clear(self) -> None:
        self._waiting.clear()
        self._gaps.clear()
        self.size_bytes = 0

    def _replace(self, key: tuple, frame: Frame) -> None:
        old = self._waiting.get(key)
        self._waiting[key] = frame
        self.size_bytes += frame.size - (old.size if old else 0)

    def _drop(self, key: tuple) -> None:
        if (old := self._waiting.pop(key, None)) is not None:
            self.size_bytes -= old.size

    def _put_event(self, frame: Frame) -> None:
        if frame.topic in self._gaps:
            self._lengthen_gap(frame.topic, self._gaps[frame.topic][0], frame.seq)
            return
        self._replace(("event", frame.topic, frame.seq), frame)
        if self.size_bytes > self._limit_bytes:
            self._fold_events()

    def _fold_events(self) -> None:
        """The events of the topic that fills most become one gap, in the place of the first of them."""
        sizes: Counter[str] = Counter()
        for key, frame in self._waiting.items():
            if key[0] == "event":
                sizes[frame.topic] += frame.size
        [(topic, _)] = sizes.most_common(1)
        seqs = [key[2] for key in self._waiting if key[0] == "event" and key[1] == topic]
        for seq in seqs:
            self._drop(("event", topic, seq))
        self._lengthen_gap(topic, seqs[0] - 1, seqs[-1])

    def _lengthen_gap(self, topic: str, after: int, upto: int) -> None:
        self._gaps[topic] = (after, upto)
        self._replace(
            ("gap", topic), gap_frame(topic, after=after, upto=upto, address=self._address_of(topic, after))
        )
