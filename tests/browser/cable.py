"""The network between a browser and a server, which a test can cut and mend."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Cable:
    """Listens at `url` and carries bytes to a port of this machine and back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_cut = False
        self._ends: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._start(self._accept)

    def cut(self) -> None:
        """Every connection is gone, and each new one at once."""
        with self._guard:
            self._is_cut = True
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._door.close()

    def _start(self, target, *args) -> None:
        threading.Thread(target=target, args=args, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._door.accept()
                with self._guard:
                    if self._is_cut:
                        near.close()
                        continue
                    far = socket.create_connection(("127.0.0.1", self._port))
                    self._ends |= {near, far}
                self._start(self._carry, near, far)
                self._start(self._carry, far, near)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._guard:
            self._ends.discard(source)
        source.close()
