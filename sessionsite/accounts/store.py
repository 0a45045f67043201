"""An organisation's revision and the holder of a token, in raw SQL that is the same on both databases.

The ORM's two queries for a revision cost more processor time than the commit of a whole batch of markers; its
question who holds a token, asked for each request, was a fifth of a list of sessions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import orjson
from django.db import connection
from django.utils import timezone


def raise_revision(organisation_id: int) -> tuple[str, int]:
    """The organisation's revision is one higher, in the caller's transaction: its (slug, revision) now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_organisation SET revision = revision + 1 WHERE id = %s RETURNING slug, revision",
            [organisation_id],
        )
        [row] = cursor.fetchall()
    return row


class TokenRow(NamedTuple):
    """What a token's caller is made of.

    member_role: the owner's in this organisation. is_due: its last use was noted too long ago, or never.
    """

    id: int
    name: str
    role: str
    scopes: list[str]
    organisation_id: int
    owner_id: int | None
    owner_is_superuser: bool
    member_role: str | None
    is_due: bool


_USABLE = """
    SELECT t.id, t.name, t.role, CAST(t.scopes AS text), t.organisation_id, t.owner_id, u.is_superuser,
        m.role, t.last_used_at IS NULL OR t.last_used_at < %s
    FROM accounts_apitoken t
    LEFT JOIN accounts_user u ON u.id = t.owner_id
    LEFT JOIN accounts_membership m ON m.user_id = t.owner_id AND m.organisation_id = t.organisation_id
    WHERE t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > %s)
        AND (t.owner_id IS NULL OR u.is_active) AND """


def token_of_digest(digest: str, *, noted_every: timedelta) -> TokenRow | None:
    """The token of this sha256 while it opens a door: not revoked, not expired, its owner active."""
    return _token("t.digest = %s", digest, noted_every)


def token_of_id(token_id: int, *, noted_every: timedelta) -> TokenRow | None:
    """The token of this primary key while it opens a door."""
    return _token("t.id = %s", token_id, noted_every)


def _token(condition: str, value: str | int, noted_every: timedelta) -> TokenRow | None:
    adapted, now = connection.ops.adapt_datetimefield_value, timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_USABLE + condition, [adapted(now - noted_every), adapted(now), value])
        found = cursor.fetchone()
    if found is None:
        return None
    row = TokenRow(*found)
    return row._replace(
        scopes=orjson.loads(row.scopes),
        owner_is_superuser=bool(row.owner_is_superuser),
        is_due=bool(row.is_due),
    )
