"""The readers of one topic that nothing stands before: what is new is written to all of them in one pass."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sessionsite.common.hub.frames import Frame
from sessionsite.common.hub.wires import FULL_BYTES, Wire

if TYPE_CHECKING:
    from sessionsite.common.hub.reader import Reader


class Crowd:
    """Connections that take the very same bytes, by the form of these bytes.

    With hundreds of readers and some milliseconds between two frames, a pass is spent waiting for memory:
    what belongs to a reader has left the processor's caches. So it touches nothing of it but its transport.
    """

    def __init__(self) -> None:
        self._readers: defaultdict[str, dict[Any, Reader]] = defaultdict(dict)  # form -> transport -> reader
        self._wires: dict[Reader, Wire] = {}
        self._since: dict[Reader, int] = {}  # reader -> frames that were written before it came
        self._written = 0

    def __contains__(self, reader: Reader) -> bool:
        return reader in self._wires

    def add(self, reader: Reader, wire: Wire) -> None:
        self._readers[wire.form][wire.transport] = reader
        self._wires[reader], self._since[reader] = wire, self._written

    def remove(self, reader: Reader) -> int:
        """Returns how many frames the reader got here."""
        frames, wire = self.frames_of(reader), self._wires.pop(reader)
        del self._readers[wire.form][wire.transport], self._since[reader]
        return frames

    def frames_of(self, reader: Reader) -> int:
        return self._written - self._since[reader] if reader in self else 0

    def write(self, frame: Frame) -> list[Reader]:
        """All have the frame but those that are returned: their connection is full, or about to end."""
        refused: list[Reader] = []
        for form, readers in self._readers.items():
            data = getattr(frame, form)
            for transport in readers:
                if transport.is_closing() or transport.get_write_buffer_size() >= FULL_BYTES:
                    refused.append(readers[transport])
                else:
                    transport.write(data)
        self._written += 1
        for reader in refused:
            self._since[reader] += 1
        return refused
