"""The ASGI entry for single pictures that come with a token, in front of Django's request stack."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from django.conf import settings
from django.db import close_old_connections

from monitoring.ingest.door import Entry, enter
from monitoring.ingest.writer import picture_writer
from monitoring.services import images
from monitoring.services.image_rows import Added
from sessionsite.accounts import rates
from sessionsite.accounts.authentication import secret_in
from sessionsite.accounts.callers import digest_of
from sessionsite.common.api.errors import DEFAULT_TEXTS, ServerError, translated
from sessionsite.common.bodies import declared_length, read_body
from sessionsite.common.dialects import Refusal, refusal
from sessionsite.common.errors import Busy
from sessionsite.common.files import survives_power_cut
from sessionsite.common.group_commit import Answer
from sessionsite.common.remember import Remembered
from sessionsite.common.scheduling import stay_behind
from sessionsite.common.threads import Workers, workers

logger = logging.getLogger(__name__)

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
        self._wires, self._writer = wires, picture_writer(lambda: self._waiting)
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

    @contextmanager
    def place(self, length: int) -> Iterator[Callable[[int], None]]:
        """One picture more is on its way meanwhile; call with the bytes that have come. Raises Busy.

        length: as declared, 0 when nothing was; the bytes that are waiting count as they come.
        """
        if self._waiting >= WAITING_MAX:
            raise _too_many()
        self._check_room(length)
        held = length
        self._waiting += 1
        self._waiting_bytes += held

        def hold(size: int) -> None:
            nonlocal held
            if size > held:
                self._check_room(size - held)
                self._waiting_bytes += size - held
                held = size

        try:
            yield hold
        finally:
            self._waiting -= 1
            self._waiting_bytes -= held

    def _check_room(self, more_bytes: int) -> None:
        if self._waiting_bytes + more_bytes > WAITING_BYTES_MAX:
            raise _too_many()

    async def add(self, wire: Wire, upload: Upload, entry: Entry) -> Added:
        """The picture is kept, durably. Raises what the wire and the rule refuse."""
        answer = Answer.here()
        # All threads start here: a decode thread would start the others as far behind as it is itself.
        self._writer.start()
        disks = workers("disk", DISK_THREADS) if survives_power_cut() else None
        decoders = workers("decode", DECODE_THREADS, stay_behind)
        decoders.submit(self._prepare, wire, upload, entry, answer, disks)
        return await answer.future

    def _prepare(
        self, wire: Wire, upload: Upload, entry: Entry, answer: Answer, disks: Workers | None
    ) -> None:
        """In a decode thread: from bytes to the writer's queue, or to the answer that it got before.

        disks: where files are written; None: here.
        """
        try:
            new = wire.read(upload, entry)
            checked = images.check_or_recall(new, is_running=entry.is_running, recall=_first_answer)
            if isinstance(checked, Added):
                answer.give(checked)
                return
            if disks is not None:
                # A sync waits for the disk: it must not hold up a thread that could decode.
                disks.submit(self._write, checked, answer)
                return
        except Exception as error:
            answer.give(error)
            return
        self._write(checked, answer)

    def _write(self, checked: images.Checked, answer: Answer) -> None:
        """The picture's files are written and its commit queued."""
        try:
            self._writer.put(checked.write(), answer)
        except Exception as error:
            answer.give(error)


def _first_answer(new: images.NewImage) -> Added | None:
    close_old_connections()
    try:
        return images.first_answer(new)
    finally:
        close_old_connections()


def _too_many() -> Busy:
    return Busy("Too many pictures at once; send again.", retry_after_s=RETRY_AFTER_S)


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
        except Exception as exc:
            if (error := translated(exc)) is None:
                logger.exception("a picture failed")
                error = ServerError(DEFAULT_TEXTS[500])
            answer = replace(refusal(scope["path"], error), closes=not self._is_read)
        if answer is not None:
            await answer.send(send)

    async def _answer(self, scope, receive) -> Refusal | None:
        entry = await self._lane.enter(self._secret, self._slug)
        await rates.admit_async(entry.caller, rates.INGEST)
        length = declared_length(self._headers.get("content-length", ""), settings.MAX_BODY_BYTES)
        with self._lane.place(length) as hold:
            body = await read_body(receive, settings.MAX_BODY_BYTES, hold)
            if body is None:
                return None  # the client has gone
            self._is_read = True
            upload = Upload(scope, self._headers, body)
            return self._wire.accepted(await self._lane.add(self._wire, upload, entry))
