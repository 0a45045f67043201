"""The ASGI entry for single pictures that come with a token, in front of Django's request stack."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from django.conf import settings
from django.db import close_old_connections

from monitoring.ingest.door import Entry, enter
from monitoring.ingest.writer import Job, Writer
from monitoring.services import images
from monitoring.services.image_rows import Added
from sessionsite.accounts.authentication import secret_in
from sessionsite.accounts.callers import digest_of
from sessionsite.common.dialects import Refusal, refusal
from sessionsite.common.errors import BodyTooLarge, Busy, DomainError
from sessionsite.common.files import survives_power_cut
from sessionsite.common.remember import Remembered
from sessionsite.common.threads import pool

DECODE_THREADS = 2
DISK_THREADS = 8
WAITING_MAX = 128  # pictures between their first byte and their commit
WAITING_BYTES_MAX = 256 * 1024 * 1024
RETRY_AFTER_S = 1
METHOD = "POST"


@dataclass(frozen=True)
class Upload:
    """A request as the readers of the wires see it: its ASGI scope, headers by lower-case name, the body."""

    scope: dict
    headers: dict[str, str]
    body: bytes


class Wire(Protocol):
    """One outside form of posting a picture."""

    pattern: re.Pattern[str]

    def read(self, upload: Upload, entry: Entry) -> images.NewImage:
        """Raises a DomainError for anything that is not as this wire writes it."""

    def accepted(self, added: Added) -> Refusal:
        """The whole answer, in the form that lanes send."""


class PictureLane:
    """Takes what it knows and leaves the rest: `claim` says which."""

    def __init__(self, wires: list[Wire]) -> None:
        self._wires, self._writer = wires, Writer()
        self._doors: Remembered[Entry] = Remembered(enter)
        self._waiting = self._waiting_bytes = 0

    @property
    def waiting(self) -> int:
        """Pictures that are on their way in now."""
        return self._waiting

    def claim(self, scope) -> Callable | None:
        """The application for this request; None when it is not a picture with a token."""
        if scope["method"] != METHOD:
            return None
        for wire in self._wires:
            if (found := wire.pattern.fullmatch(scope["path"])) is not None:
                headers = {
                    name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
                }
                secret = secret_in(headers.get("authorization", ""))
                # A body in an unknown encoding, or none at all, gets its error from the ordinary view.
                if secret is None or "content-encoding" in headers:
                    return None
                return _Request(self, wire, found["slug"], secret, headers)
        return None

    async def enter(self, secret: str, slug: str) -> Entry:
        """Raises NotAuthenticated, NotAllowed, Missing; right for a second after it was asked."""
        return await self._doors.get((digest_of(secret), slug), secret, slug)

    def take_place(self, length: int) -> None:
        """One more picture is on its way. Raises Busy when there are too many."""
        if self._waiting >= WAITING_MAX or self._waiting_bytes + length > WAITING_BYTES_MAX:
            raise Busy("Too many pictures at once; send again.", retry_after_s=RETRY_AFTER_S)
        self._waiting += 1
        self._waiting_bytes += length

    def leave_place(self, length: int) -> None:
        self._waiting -= 1
        self._waiting_bytes -= length

    async def add(self, wire: Wire, upload: Upload, entry: Entry) -> Added:
        """The picture is kept, durably. Raises what the wire and the rule refuse."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future = loop.create_future()
        decoders: ThreadPoolExecutor = pool("decode", DECODE_THREADS)
        done = await loop.run_in_executor(decoders, self._prepare, wire, upload, entry, loop, future)
        result = done if done is not None else await future
        if isinstance(result, DomainError):
            raise result
        return result

    def _prepare(self, wire: Wire, upload: Upload, entry: Entry, loop, future) -> Added | None:
        """In a decode thread: from bytes to the writer's queue; an Added when it was there before."""
        new = wire.read(upload, entry)
        if not entry.is_running:
            close_old_connections()
            try:
                if (known := images.first_answer(new)) is not None:
                    return known
            finally:
                close_old_connections()
        checked = images.check(new)
        if survives_power_cut():
            # A sync waits for the disk: it must not hold up a thread that could decode.
            pool("disk", DISK_THREADS).submit(self._write, checked, loop, future)
        else:
            self._write(checked, loop, future)
        return None

    def _write(self, checked: images.Checked, loop, future) -> None:
        """The picture's files are written and its commit queued; an error goes to the one who waits."""
        try:
            self._writer.put(Job(checked.write(), loop, future))
        except Exception as error:
            loop.call_soon_threadsafe(_fail, future, error)


def _fail(future: asyncio.Future, error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class _Request:
    """One claimed request as an ASGI application."""

    def __init__(
        self, lane: PictureLane, wire: Wire, slug: str, secret: str, headers: dict[str, str]
    ) -> None:
        self._lane, self._wire, self._slug, self._secret, self._headers = lane, wire, slug, secret, headers
        self._is_read = False

    async def __call__(self, scope, receive, send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except DomainError as error:
            answer = replace(refusal(scope["path"], error), closes=not self._is_read)
        if answer is not None:
            await answer.send(send)

    async def _answer(self, scope, receive) -> Refusal | None:
        entry = await self._lane.enter(self._secret, self._slug)
        length = declared_length(self._headers)
        place = length or 0
        self._lane.take_place(place)
        try:
            body = await read_body(receive, length)
            if body is None:
                return None  # the client has gone
            self._is_read = True
            upload = Upload(scope, self._headers, body)
            return self._wire.accepted(await self._lane.add(self._wire, upload, entry))
        finally:
            self._lane.leave_place(place)


def declared_length(headers: dict[str, str]) -> int | None:
    """The body's length as declared. Raises BodyTooLarge before a byte of it is read."""
    text = headers.get("content-length", "")
    length = int(text) if text.isascii() and text.isdigit() else None
    if length is not None and length > settings.MAX_BODY_BYTES:
        raise BodyTooLarge(settings.MAX_BODY_BYTES)
    return length


async def read_body(receive, length: int | None) -> bytes | None:
    """The whole body; None when the client left. Raises BodyTooLarge as soon as it is over the cap."""
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if piece := message.get("body", b""):
            pieces.append(piece)
            size += len(piece)
            if size > settings.MAX_BODY_BYTES:
                raise BodyTooLarge(settings.MAX_BODY_BYTES)
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
