"""From a credential to a Caller: a logged-in user, a bearer token, a one-time ticket."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from sessionsite.accounts.models import ApiToken, Membership, User
from sessionsite.accounts.store import TokenRow, token_of_digest, token_of_id
from sessionsite.common.access import NO_RIGHTS, ROLE_RIGHTS, Caller, limited_rights

logger = logging.getLogger(__name__)

LAST_USED_EVERY = timedelta(minutes=1)  # the last use of a token or a login is written at most this often


def digest_of(secret: str) -> str:
    """sha256, hex. The secrets hold 256 random bits, so a slow password hash would add nothing but time."""
    return hashlib.sha256(secret.encode()).hexdigest()


def caller_of_user(user) -> Caller:
    """The caller that a logged-in user is; nobody's rights for an anonymous or deactivated one."""
    if not user.is_authenticated or not user.is_active:
        return Caller(name="nobody")
    _note_seen(user)
    roles = Membership.objects.filter(user_id=user.pk).values_list("organisation_id", "role")
    return Caller(
        name=user.get_username(),
        rights={organisation_id: ROLE_RIGHTS[role] for organisation_id, role in roles},
        user_id=user.pk,
        everywhere=user.is_superuser,
    )


def caller_of_user_id(user_id: int, auth_hash: str | None = None) -> Caller | None:
    """auth_hash: None for a user who has another password by now than then."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or (auth_hash is not None and not is_hash_of(user, auth_hash)):
        return None
    return caller_of_user(user)


def is_hash_of(user: User, auth_hash: str) -> bool:
    return constant_time_compare(user.get_session_auth_hash(), auth_hash)


def _caller_of_token_row(token: TokenRow) -> Caller:
    limits = [ROLE_RIGHTS[token.role]]
    if token.scopes:
        limits.append(frozenset(token.scopes))
    if token.owner_id and not token.owner_is_superuser:
        limits.append(ROLE_RIGHTS[token.member_role] if token.member_role else NO_RIGHTS)
    return Caller(name=token.name, rights={token.organisation_id: limited_rights(*limits)}, token_id=token.id)


def caller_of_token(secret: str) -> Caller | None:
    """The caller that holds this secret, or None when no usable token has it. Notes the use."""
    token = token_of_digest(digest_of(secret), noted_every=LAST_USED_EVERY)
    if token is None:
        return None
    if token.is_due:
        _note_use(token.id)
    return _caller_of_token_row(token)


def caller_of_token_id(token_id: int) -> Caller | None:
    """The caller of a token that is known already; None once it was revoked or has expired."""
    token = token_of_id(token_id, noted_every=LAST_USED_EVERY)
    return _caller_of_token_row(token) if token else None


def caller_again(caller: Caller) -> Caller | None:
    """The same caller with the rights of this moment; None when the credential is dead."""
    if caller.token_id:
        return caller_of_token_id(caller.token_id)
    return caller_of_user_id(caller.user_id) if caller.user_id else None


def _note_seen(user: User) -> None:
    now = timezone.now()
    if user.last_seen_at is None or now - user.last_seen_at > LAST_USED_EVERY:
        stale = Q(last_seen_at__isnull=True) | Q(last_seen_at__lt=now - LAST_USED_EVERY)
        try:
            User.objects.filter(stale, pk=user.pk).update(last_seen_at=now)
        except OperationalError as error:
            logger.warning("it could not be noted who was seen: %s", error)


def _note_use(token_id: int) -> None:
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_EVERY)
    try:
        ApiToken.objects.filter(stale, pk=token_id).update(last_used_at=now)
    except OperationalError as error:  # a full disk must not keep anybody from reading
        logger.warning("the use of a token could not be noted: %s", error)
