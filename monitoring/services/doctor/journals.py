"""A journal whose numbers have a hole is whole again; what stood there is lost and is said to be."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import F

from sessions_app import services as sessions
from sessions_app.models import Session, SessionEvent
from sessionsite.common.errors import DomainError

LOST = "entry_lost"
LOST_MAX = 10_000


def missing_numbers(session: Session) -> Iterator[int]:
    """The numbers up to the last one, or the last entry, that have no entry."""
    expected = 1
    seqs = SessionEvent.objects.filter(session=session).order_by("seq").values_list("seq", flat=True)
    for seq in seqs.iterator():
        yield from range(expected, seq)
        expected = seq + 1
    yield from range(expected, session.last_seq + 1)


def mend_journal(session: Session, *, by: str) -> str:
    """Every number up to the last has an entry. In the caller's transaction, the session locked.

    Raises DomainError when more than 10,000 entries are lost: a backup is the better cure.
    """
    missing = []
    for seq in missing_numbers(session):
        missing.append(seq)
        if len(missing) > LOST_MAX:
            raise DomainError(f"More than {LOST_MAX:,} journal entries are lost; restore a backup.")
    last = session.true_last_seq
    if not missing and session.last_seq == last:
        return ""
    SessionEvent.objects.bulk_create(
        [
            SessionEvent(
                session=session,
                organisation_id=session.organisation_id,
                seq=seq,
                kind=LOST,
                at=session.last_item_at or session.started_at,
                detail={"by": by},
            )
            for seq in missing
        ],
        batch_size=500,
    )
    before = session.last_seq
    if last > before:  # a number that was given may not be given again
        Session.objects.filter(pk=session.pk).update(last_seq=last, revision=F("revision") + 1)
    detail = {"last_seq": before, "lost": len(missing)}
    sessions.append(session, "journal_repaired", detail=detail, by=by, is_change=True)
    return f"{len(missing):,} lost entries marked" if missing else f"last_seq {before:,} -> {last:,}"
