"""The journal: entries numbered without gaps, in the transaction of the change they tell of."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from devices.models import Device
from sessions_app.models import Session, SessionEvent
from sessionsite.accounts.services import touch_organisation
from sessionsite.common.errors import DomainError, Unprocessable
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
MARKER_LABEL_MAX = 200
DEDUP_KEY_MAX = 80
SEVERITY_WORDS = ("info", "warning", "error")


class BadMarker(DomainError):
    code = "bad_marker"


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
    Session.objects.filter(pk=session.pk).update(last_seq=F("last_seq") + 1, **changes)
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


def announce(session: Session, kind: str) -> None:
    """Wake the readers of the session, and of the wall when this kind shows there."""
    on_the_wall = kind in ON_THE_WALL
    publish_on_commit(
        f"session:{session.key}", revision=session.revision, seq=session.last_seq, urgent=on_the_wall
    )
    if on_the_wall:
        touch_organisation(session.organisation_id)


def mark(
    session: Session,
    *,
    label: str,
    by: str,
    at: datetime | None = None,
    severity: str = "info",
    detail: dict | None = None,
    device: Device | None = None,
    dedup_key: str | None = None,
) -> SessionEvent:
    """A person or device pointed at a moment. detail: JSON of the caller's, kept as it is.

    dedup_key: the same key again returns the first entry. Raises BadMarker without a label or for a severity
    that does not exist, DedupMismatch when the key came with another label or detail.
    """
    label = label.strip()
    if not label or len(label) > MARKER_LABEL_MAX:
        raise BadMarker(f"A marker needs a label of 1 to {MARKER_LABEL_MAX} characters.")
    if severity not in SEVERITY_WORDS:
        raise BadMarker(f"severity is one of {', '.join(SEVERITY_WORDS)}.", field="severity")
    if dedup_key is not None and not 1 <= len(dedup_key) <= DEDUP_KEY_MAX:
        raise BadMarker(f"An idempotency key has 1 to {DEDUP_KEY_MAX} characters.")
    told = {"label": label, "severity": severity, **({"detail": detail} if detail else {})}
    key = None if dedup_key is None else f"marker:{dedup_key}"
    event = append(session, "marker", detail=told, by=by, at=at, device=device, dedup_key=key)
    if any(event.detail.get(name) != told.get(name) for name in ("label", "severity", "detail")):
        raise DedupMismatch("This idempotency key came with another marker before.", seq=event.seq)
    return event
