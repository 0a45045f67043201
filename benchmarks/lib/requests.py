"""The requests of a load, each different where the server would otherwise see a repeat."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

BACK_MS = 600_000  # pictures of a load are dated from ten minutes ago, a millisecond apart
BOUNDARY = "----------------of-the-benchmark"
TYPES = {".jpg": "image/jpeg", ".png": "image/png"}
_ID = re.compile(rb'"(?:id|key)"\s*:\s*"([^"]+)"')


class Requests:
    """An endless row of requests of one kind, each as the pieces to write.

    kind: `json` (Rosepetal picture), `raw`, `form` (multipart), `body` (a fixed body), `get`; `path` is where
    it goes. pictures: files to send in turn. body: text, in which `{n}` becomes an ever new number.
    items: how many things one request brings. headers: further ones.
    """

    def __init__(
        self,
        kind: str,
        path: str,
        *,
        token: str = "",
        method: str = "",
        pictures: list[str] | None = None,
        body: str = "",
        items: int = 1,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.items = items
        self._path, self._method = path, method or ("GET" if kind == "get" else "POST")
        self._headers = {
            "Host": "127.0.0.1",
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **(headers or {}),
        }
        makers: dict[str, Any] = {
            "json": lambda: self._envelopes(pictures),
            "raw": lambda: self._raw(pictures),
            "form": lambda: self._forms(pictures),
            "body": lambda: self._bodies(body),
            "get": lambda: cycle([[self._head()]]),
        }
        self._requests: Iterator[list[bytes]] = makers[kind]()

    def next(self) -> list[bytes]:
        return next(self._requests)

    @staticmethod
    def id_in(answer: bytes) -> str:
        """The key of what was accepted. Raises ValueError when the answer names none."""
        found = _ID.search(answer)
        if found is None:
            raise ValueError(f"no id in {answer[:200]!r}")
        return found[1].decode()

    def _head(self, length: int | None = None, content_type: str = "") -> bytes:
        lines = [f"{self._method} {self._path} HTTP/1.1"]
        headers = dict(self._headers)
        if length is not None:
            headers |= {"Content-Length": str(length), "Content-Type": content_type}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _envelopes(self, pictures: list[str]) -> Iterator[list[bytes]]:
        """The date, 13 digits, is the one part that changes, so that head and picture are made once."""
        ready = []
        for path in map(Path, pictures):
            before = b'{"image_data": {"date": '
            about = f', "name": "{path.name}", "tag": "OK"}}, "image": "'.encode()
            after = about + base64.b64encode(path.read_bytes()) + b'"}'
            ready.append((self._head(len(before) + 13 + len(after), "application/json") + before, after))
        date_ms = int(time.time() * 1000) - BACK_MS
        for head, after in cycle(ready):
            yield [head, b"%d" % date_ms, after]
            date_ms += 1

    def _raw(self, pictures: list[str]) -> Iterator[list[bytes]]:
        bodies = [(path, path.read_bytes()) for path in map(Path, pictures)]
        return cycle([[self._head(len(data), TYPES[path.suffix]), data] for path, data in bodies])

    def _forms(self, pictures: list[str]) -> Iterator[list[bytes]]:
        ready = []
        for path in map(Path, pictures):
            start = (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{path.name}"\r\n'
                f"Content-Type: {TYPES[path.suffix]}\r\n\r\n"
            )
            body = start.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
            ready.append([self._head(len(body), f"multipart/form-data; boundary={BOUNDARY}"), body])
        return cycle(ready)

    def _bodies(self, body: str) -> Iterator[list[bytes]]:
        number = time.time_ns()
        while True:
            text = body.replace("{n}", str(number)).encode()
            yield [self._head(len(text), "application/json"), text]
            number += 1
