"""POST of a marker in the fast lane: the reading, the rule and the answers of the view."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from devices.models import Device
from devices.services import device_of
from sessions_app.api.serializers import MarkerSerializer
from sessions_app.messages import event_json
from sessions_app.models import Session, SessionEvent
from sessions_app.services import NewMarker, mark_all
from sessions_app.services.markers import LABEL_MAX
from sessions_app.severity import SEVERITY_WORDS
from sessionsite.accounts import rates
from sessionsite.accounts.authentication import secret_in
from sessionsite.accounts.callers import caller_of_token, digest_of
from sessionsite.common.access import Caller
from sessionsite.common.api.errors import DEFAULT_TEXTS, ServerError, translated
from sessionsite.common.api.parsers import JSON_BYTES, strict_json
from sessionsite.common.api.permissions import lacks
from sessionsite.common.bodies import read_body
from sessionsite.common.dialects import Refusal, refusal
from sessionsite.common.errors import Busy, Missing, NotAuthenticated
from sessionsite.common.group_commit import Answer, GroupCommit
from sessionsite.common.remember import Remembered

logger = logging.getLogger(__name__)

PATH = re.compile(r"/api/v1/sessions/(?P<key>se_[0-9a-z]{26})/events/")
RIGHT = "control"
WAITING_MAX = 1024  # markers between their first byte and their commit
RETRY_AFTER_S = 1
ACCEPTED_TYPES = (b"*/*", b"application/json", b"")
PLAIN_KEYS = {"label", "severity", "detail"}


@dataclass(frozen=True)
class Entry:
    """`caller`, perhaps a device, may put markers into `session`."""

    caller: Caller
    session: Session
    device: Device | None


class MarkerLane:
    """Takes markers that come with a token, as JSON of a declared length; `claim` says which."""

    def __init__(self) -> None:
        self._doors: Remembered[Entry] = Remembered(_enter)
        self._waiting = 0
        self._writer: GroupCommit[NewMarker] = GroupCommit("marker writer", mark_all, lambda: self._waiting)

    def claim(self, scope) -> Callable | None:
        """The application for this request; None when it is not for this lane."""
        if scope["method"] != "POST" or scope["query_string"]:
            return None
        if (found := PATH.fullmatch(scope["path"])) is None:
            return None
        headers = dict(scope["headers"])
        secret = secret_in(headers.get(b"authorization", b"").decode("latin-1"))
        # Whatever is out of the ordinary gets its answer, or its error, from the ordinary view.
        return _Request(self, found["key"], secret, headers) if secret and _is_plain(headers) else None

    async def add(self, secret: str, key: str, receive, headers: Mapping[bytes, bytes]) -> Refusal | None:
        """The answer to one request; None when its client has gone. Raises what is refused."""
        entry = await self._doors.get((digest_of(secret), key), secret, key)
        await rates.admit_async(entry.caller, rates.INGEST)
        if self._waiting >= WAITING_MAX:
            raise Busy("Too many markers at once; send again.", retry_after_s=RETRY_AFTER_S)
        self._waiting += 1
        try:
            body = await read_body(receive, JSON_BYTES)
            if body is None:
                return None
            answer = Answer.here()
            self._writer.put(_new_marker(body, entry, headers.get(b"idempotency-key")), answer)
            event: SessionEvent = await answer.future
        finally:
            self._waiting -= 1
        return Refusal(201, event_json(event), closes=False)


def _is_plain(headers: Mapping[bytes, bytes]) -> bool:
    length = headers.get(b"content-length", b"")
    return (
        headers.get(b"content-type", b"").partition(b";")[0].strip() == b"application/json"
        and headers.get(b"accept", b"").strip() in ACCEPTED_TYPES
        and b"content-encoding" not in headers
        and length.isdigit()
        and 0 < int(length) <= JSON_BYTES
    )


def _enter(secret: str, key: str) -> Entry:
    """The entry for this token and session. Raises NotAuthenticated, NotAllowed, Missing."""
    caller = caller_of_token(secret)
    if caller is None:
        raise NotAuthenticated("This token is unknown, expired or revoked.")
    if not caller.everywhere and not caller.organisation_ids(RIGHT):
        raise lacks(RIGHT)
    sessions = Session.objects.select_related("monitor").visible_to(caller)
    session = sessions.filter(key=key).first()
    if session is None:
        raise Missing(DEFAULT_TEXTS[404])
    if not caller.may(RIGHT, session.organisation_id):
        raise lacks(RIGHT)
    return Entry(caller, session, device_of(caller))


def _new_marker(body: bytes, entry: Entry, key: bytes | None) -> NewMarker:
    """What the body says. Raises what the view's reading raises, as a DomainError."""
    dedup_key = None if key is None else key.decode("latin-1")
    return NewMarker(
        entry.session, by=entry.caller.name, device=entry.device, dedup_key=dedup_key, **_told(body)
    )


def _told(body: bytes) -> dict:
    try:
        told = strict_json(body)
        if _needs_no_serializer(told):
            return told
        checked = MarkerSerializer(data=told)
        checked.is_valid(raise_exception=True)
        return checked.validated_data
    except Exception as exc:
        error = translated(exc)
        if error is None:
            raise
        raise error from exc


def _needs_no_serializer(told: object) -> bool:
    """A marker that the serializer would hand on as it is; building one costs more than all the rest."""
    return (
        isinstance(told, dict)
        and told.keys() <= PLAIN_KEYS
        and isinstance(label := told.get("label"), str)
        and label.isprintable()
        and label == label.strip()
        and 1 <= len(label) <= LABEL_MAX
        and told.get("severity", "info") in SEVERITY_WORDS
        and isinstance(told.get("detail", {}), dict)
    )


class _Request:
    """One claimed request as an ASGI application."""

    def __init__(self, lane: MarkerLane, key: str, secret: str, headers: Mapping[bytes, bytes]) -> None:
        self._lane, self._key, self._secret, self._headers = lane, key, secret, headers

    async def __call__(self, scope, receive, send) -> None:
        try:
            answer = await self._lane.add(self._secret, self._key, receive, self._headers)
        except Exception as exc:
            if (error := translated(exc)) is None:
                logger.exception("a marker failed")
                error = ServerError(DEFAULT_TEXTS[500])
            answer = replace(refusal(scope["path"], error), closes=True)
        if answer is not None:
            await answer.send(send)
