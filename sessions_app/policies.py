"""What may end a session of each kind, as data; docs/watched-sessions.md shows the same table to people."""

from __future__ import annotations

from dataclasses import dataclass

from sessions_app.states import Kind


@dataclass(frozen=True)
class Policy:
    """counts_viewers: who looks is counted and shown. reaped: it ends when nobody looks for its idle_ttl_s.

    stale: it ends when nothing was accepted for SESSION_STALE_AFTER_S.
    """

    counts_viewers: bool
    reaped: bool
    stale: bool


POLICIES: dict[Kind, Policy] = {
    Kind.MONITOR: Policy(counts_viewers=False, reaped=False, stale=True),
    Kind.RECORDING: Policy(counts_viewers=False, reaped=False, stale=False),
    Kind.RIG: Policy(counts_viewers=False, reaped=False, stale=False),
    Kind.ANNOTATION: Policy(counts_viewers=True, reaped=True, stale=False),
}
COUNTED = tuple(kind for kind, policy in POLICIES.items() if policy.counts_viewers)
REAPED = tuple(kind for kind, policy in POLICIES.items() if policy.reaped)
