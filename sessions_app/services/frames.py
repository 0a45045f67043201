"""Frames: what an annotation producer or a classifier says of a moment of a watched session."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from sessions_app.models import Session, SessionEvent
from sessions_app.services import journal
from sessions_app.services.journal import DEDUP_KEY_MAX, DedupMismatch
from sessions_app.states import ACCEPTING, Kind
from sessionsite.common.errors import Conflict, DomainError

FRAME = "frame"  # kind of journal entry; its detail is the frame
FRAMES_MAX = 100  # at once
ELCOR = {
    "calm": "With calm assurance:",
    "raised": "With rising intensity:",
    "urgent": "With great urgency:",
    "quiet": "In a hushed tone:",
}


class NotAnnotated(Conflict):
    code = "not_annotated"


class SessionOver(Conflict):
    code = "session_over"


class BadKey(DomainError):
    code = "bad_key"


@dataclass(frozen=True)
class Frame:
    """label with confidence 0..1; shift_magnitude: how far from the speaker's baseline, 0..1.

    shift_direction: up, down or steady. at: now, if not given.
    """

    label: str
    confidence: float
    speaker_id: str = ""
    shift_magnitude: float = 0.0
    shift_direction: str = "steady"
    affect: str = ""
    subtext: str = ""
    prosody_flags: tuple[str, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True)
class Taken:
    """accepted: frames that are in the journal. below_threshold: those whose confidence was too low."""

    accepted: int
    below_threshold: int
    last_seq: int


def add_frames(session: Session, frames: Sequence[Frame], *, by: str, dedup_key: str | None = None) -> Taken:
    """Every frame of at least FRAME_MIN_CONFIDENCE is an entry of the journal, in the order given.

    dedup_key: the same key with the same frames changes nothing more; with others it is refused.
    Raises NotAnnotated for another kind of session, SessionOver, BadKey, DedupMismatch.
    """
    if session.kind != Kind.ANNOTATION:
        raise NotAnnotated(
            f"A {session.kind} session takes no frames.", session=session.key, kind=session.kind
        )
    kept = [frame for frame in frames if frame.confidence >= settings.FRAME_MIN_CONFIDENCE]
    key, mark = _dedup(dedup_key, frames)
    with transaction.atomic():
        changes = {"total_counter": F("total_counter") + len(kept), "last_item_at": timezone.now()}
        mine = Session.objects.filter(pk=session.pk, state__in=ACCEPTING)
        if not mine.update(revision=F("revision") + 1, last_seq=F("last_seq") + len(kept), **changes):
            raise SessionOver("The session is over.", session=session.key)
        if key and (first := _first_of(session, key, mark)) is not None:
            transaction.set_rollback(True)
            return Taken(len(kept), len(frames) - len(kept), first.seq + len(kept) - 1)
        session.refresh_from_db()
        _write(session, kept, by, mark)
        if kept:
            journal.announce(session, FRAME)
    return Taken(len(kept), len(frames) - len(kept), session.last_seq)


def _dedup(dedup_key: str | None, frames: Sequence[Frame]) -> tuple[str, str | None]:
    """(what all entries under this key begin with, the mark of these very frames under it)."""
    if dedup_key is None:
        return "", None
    if not 1 <= len(dedup_key) <= DEDUP_KEY_MAX - 20:
        raise BadKey(f"An idempotency key has 1 to {DEDUP_KEY_MAX - 20} characters.")
    body = orjson.dumps([asdict(frame) for frame in frames])
    return f"frames:{dedup_key}:", f"frames:{dedup_key}:{hashlib.sha256(body).hexdigest()[:16]}"


def _first_of(session: Session, key: str, mark: str) -> SessionEvent | None:
    """The first entry that came under this key. Raises DedupMismatch when it came with other frames."""
    found = SessionEvent.objects.filter(session=session, kind=FRAME, dedup_key__startswith=key)
    # Another key may begin alike, and SQLite compares without case.
    first = next((e for e in found if e.dedup_key.startswith(key) and len(e.dedup_key) == len(mark)), None)
    if first is not None and first.dedup_key != mark:
        raise DedupMismatch("This idempotency key came with other frames before.", seq=first.seq)
    return first


def _write(session: Session, kept: Sequence[Frame], by: str, mark: str | None) -> None:
    seq = session.last_seq - len(kept)
    entries = [
        SessionEvent(
            session=session,
            organisation_id=session.organisation_id,
            seq=seq + number,
            kind=FRAME,
            at=frame.at or timezone.now(),
            detail=_detail(session, frame, by),
            dedup_key=mark if number == 1 else None,
        )
        for number, frame in enumerate(kept, start=1)
    ]
    SessionEvent.objects.bulk_create(entries, batch_size=FRAMES_MAX)


def _detail(session: Session, frame: Frame, by: str) -> dict:
    detail = asdict(frame)
    at = detail.pop("at") or timezone.now()
    detail["t_s"] = round((at - session.started_at).total_seconds(), 3)
    if not frame.subtext and session.data.get("elcor"):
        detail["subtext"] = ELCOR.get(frame.label, f"With {frame.label}:")
    return {**detail, "by": by}
