"""The journal: entries numbered without gaps, in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from devices.models import Device
from sessions_app import store
from sessions_app.models import Session, SessionEvent
from sessionsite.accounts.services import touch_organisation
from sessionsite.common.errors import Unprocessable
from sessionsite.common.live import publish_on_commit

# What the live wall's event list shows at once; other kinds appear there with the next of these.
ON_THE_WALL = frozenset(
    {
        "started",
        "moved",
        "stopped",
        "expired",
        "camera_late",
        "camera_lost",
        "camera_back",
        "stale",
        "server_restarted",
        "marker",
        "recording_started",
        "recording_stopped",
        "image_deleted",
        "image_restored",
        "late_image_added",
        "became_unsafe",
        "became_safe",
    }
)
DEDUP_KEY_MAX = 80


class DedupMismatch(Unprocessable):
    code = "idempotency_mismatch"


def append(
    session: Session,
    kind: str,
    *,
    detail: dict | None = None,
    by: str = "",
    at: datetime | None = None,
    device: Device | None = None,
    dedup_key: str | None = None,
    is_change: bool = False,
    **changes,
) -> SessionEvent:
    """One more entry in the journal of `session`, numbered last_seq + 1; `session` is refreshed.

    changes: fields of the session that change with it (never `state`); they raise its revision.
    is_change: something else that the session shows has changed; this raises the revision too.
    dedup_key: an entry that is there already under this key is returned and nothing changes.
    """
    if changes or is_change:
        changes["revision"] = F("revision") + 1
    try:
        with transaction.atomic():
            return _append(session, kind, detail or {}, by, at or timezone.now(), device, dedup_key, changes)
    except IntegrityError:
        first = dedup_key and SessionEvent.objects.filter(session=session, dedup_key=dedup_key).first()
        if not first:
            raise
        session.refresh_from_db()  # the number that was taken has been given back
        return first


def _append(session, kind, detail, by, at, device, dedup_key, changes) -> SessionEvent:
    if changes:
        Session.objects.filter(pk=session.pk).update(last_seq=F("last_seq") + 1, **changes)
    else:
        store.take_numbers(session.pk, 1)
    session.refresh_from_db()
    if by:
        detail = {**detail, "by": by}
    event = SessionEvent.objects.create(
        session=session,
        organisation_id=session.organisation_id,
        seq=session.last_seq,
        kind=kind,
        at=at,
        device=device,
        detail=detail,
        dedup_key=dedup_key,
    )
    announce(session, kind)
    return event


@dataclass(frozen=True)
class Entry:
    kind: str
    at: datetime
    detail: dict
    dedup_key: str


@transaction.atomic
def append_all(session: Session, entries: Sequence[Entry], *, by: str) -> None:
    """These entries stand in the journal of `session`, in this order; its revision is one higher.

    None of their keys may be there: the caller has looked, under a lock that keeps others from writing them.
    """
    Session.objects.filter(pk=session.pk).update(
        last_seq=F("last_seq") + len(entries), revision=F("revision") + 1
    )
    session.refresh_from_db()
    store.insert_events(
        [
            store.EventRow(
                session.pk,
                session.organisation_id,
                seq,
                entry.kind,
                entry.at,
                {**entry.detail, "by": by},
                dedup_key=entry.dedup_key,
            )
            for seq, entry in enumerate(entries, session.last_seq - len(entries) + 1)
        ]
    )
    for kind in dict.fromkeys(entry.kind for entry in entries):
        announce(session, kind)


def announce(session: Session, kind: str) -> None:
    """Wake the readers of the session, and of the wall when this kind shows there."""
    on_the_wall = kind in ON_THE_WALL
    publish_on_commit(
        f"session:{session.key}", revision=session.revision, seq=session.last_seq, urgent=on_the_wall
    )
    if on_the_wall:
        touch_organisation(session.organisation_id)
