"""Verbs of accounts: organisations, members, tokens, tickets, the audit trail, the first start."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from sessionsite.accounts import store
from sessionsite.accounts.callers import (
    caller_again,
    caller_of_token,
    caller_of_token_id,
    caller_of_user,
    caller_of_user_id,
    digest_of,
)
from sessionsite.accounts.models import (
    SLUG,
    ApiToken,
    AuditEntry,
    Invite,
    Membership,
    Organisation,
    Ticket,
    User,
)
from sessionsite.common.access import RIGHTS, ROLE_RIGHTS, ROLES, Caller
from sessionsite.common.errors import Conflict, DomainError, NotAllowed
from sessionsite.common.live import publish_on_commit

__all__ = ["caller_again", "caller_of_token", "caller_of_user", "caller_of_user_id"]

TICKET_LIFE = timedelta(seconds=30)
PERSON_FIELDS = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")
FIRST_PASSWORD = "first-password"  # file name in the data folder


class BadRole(DomainError):
    code = "bad_role"


class BadScope(DomainError):
    code = "bad_scope"


class NotAMember(DomainError):
    """A token of somebody outside the organisation would open nothing."""

    code = "not_a_member"


class MoreThanYouHave(NotAllowed):
    """Nobody gives away rights that they do not hold."""

    code = "more_than_you_have"


class LastAdmin(Conflict):
    """Without an admin nobody could let anybody in again."""

    code = "last_admin"


def audit(
    organisation: Organisation | None, verb: str, obj, *, by: str, before=None, after=None
) -> AuditEntry:
    """One more row of the audit trail, in the caller's transaction. `obj` is named by key, slug or login."""
    names = (getattr(obj, name, None) for name in ("key", "slug", "username"))
    key = next(filter(None, names), None) or str(obj.pk)
    key = key[: AuditEntry._meta.get_field("object_key").max_length]
    return AuditEntry.objects.create(
        organisation=organisation,
        actor=by,
        verb=verb,
        object_type=obj._meta.model_name,
        object_key=key,
        before=before,
        after=after,
    )


def touch_organisation(organisation_id: int) -> None:
    """The organisation's revision is one higher and readers of its fleet are woken after the commit."""
    slug, revision = store.raise_revision(organisation_id)
    publish_on_commit(f"fleet:{slug}", revision=revision, urgent=True)


@transaction.atomic
def create_organisation(slug: str, *, name: str = "", by: str) -> Organisation:
    """A new organisation with no members. Raises Conflict when the slug is taken."""
    SLUG(slug)
    organisation, is_new = Organisation.objects.get_or_create(slug=slug, defaults={"name": name or slug})
    if not is_new:
        raise Conflict(f"The organisation {slug} exists already.", slug=slug)
    audit(organisation, "created", organisation, by=by, after={"slug": slug, "name": organisation.name})
    return organisation


@transaction.atomic
def set_role(
    user: User,
    organisation: Organisation,
    role: str | None,
    *,
    by: str,
    within: frozenset[str] | None = None,
) -> Membership | None:
    """`user` has `role` in `organisation`; None removes them. Open sockets notice within seconds.

    within: the rights of the one who gives it; None gives any. The invitations of somebody who is no admin
    any more are withdrawn. Raises BadRole, MoreThanYouHave, LastAdmin.
    """
    if role is not None and role not in ROLES:
        raise BadRole(f"There is no role {role}; use one of {', '.join(ROLES)}.", role=role)
    if within is not None and role and (more := sorted(ROLE_RIGHTS[role] - within)):
        raise MoreThanYouHave(f"You cannot give a right that you lack: {', '.join(more)}.", rights=more)
    hold_members_of(organisation)
    if role != "admin":
        _keep_an_admin(user, organisation)
        Invite.objects.usable().filter(organisation=organisation, inviter=user).update(
            withdrawn_at=timezone.now()
        )
    member = Membership.objects.filter(user=user, organisation=organisation).first()
    before = member and {"user": user.get_username(), "role": member.role}
    if role is None:
        if member:
            audit(organisation, "removed", member, by=by, before=before)
            member.delete()
        return None
    member, _ = Membership.objects.update_or_create(
        user=user, organisation=organisation, defaults={"role": role}
    )
    audit(
        organisation,
        "set_role",
        member,
        by=by,
        before=before,
        after={"user": user.get_username(), "role": role},
    )
    return member


def hold_members_of(organisation: Organisation) -> None:
    """Nobody else changes its members in this transaction: two who remove each other meet here."""
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)


def organisations_left_alone_by(user: User):
    """The organisations whose only active admin is `user`."""
    administered = Organisation.objects.filter(memberships__user=user, memberships__role="admin")
    others = Membership.objects.filter(role="admin", user__is_active=True).exclude(user=user)
    return administered.exclude(pk__in=others.values("organisation"))


def _keep_an_admin(user: User, organisation: Organisation) -> None:
    if user.is_active and organisations_left_alone_by(user).filter(pk=organisation.pk).exists():
        raise LastAdmin(f"{user} is the last admin of {organisation}: make somebody else admin first.")


@transaction.atomic
def change_password(user: User, password: str) -> None:
    """`user` has this password; every other login of theirs, and what tickets opened, is dead in seconds."""
    user.set_password(password)
    User.objects.filter(pk=user.pk).update(password=user.password)
    Ticket.objects.filter(user=user).delete()
    _audit_person(user, "changed_password", by=user.get_username())


@transaction.atomic
def change_person(user: User, before: User | None, *, by: str) -> None:
    """`user` is saved, and every organisation of theirs reads who changed what (`before`: as stored).

    Under another password every other login, and what tickets opened, is dead in seconds. Invitations of
    somebody who was shut out, or is no superuser any more, are withdrawn.
    """
    user.save()
    if before is None:
        return
    if (before.is_active and not user.is_active) or (before.is_superuser and not user.is_superuser):
        Invite.objects.usable().filter(inviter=user).update(withdrawn_at=timezone.now())
    changed = [name for name in PERSON_FIELDS if getattr(user, name) != getattr(before, name)]
    if changed:
        then, now = ({name: getattr(each, name) for name in changed} for each in (before, user))
        _audit_person(user, "changed", by=by, before=then, after=now)
    if user.password != before.password:
        Ticket.objects.filter(user=user).delete()
        _audit_person(user, "set_password", by=by)


def _audit_person(user: User, verb: str, *, by: str, before=None, after=None) -> None:
    """A row in each of their organisations; one without an organisation for a person who has none."""
    members = user.memberships.select_related("organisation")
    for organisation in [member.organisation for member in members] or [None]:
        audit(organisation, verb, user, by=by, before=before, after=after)


@transaction.atomic
def create_token(
    organisation: Organisation,
    *,
    name: str,
    role: str,
    by: str,
    scopes: Iterable[str] | None = None,
    expires_at: datetime | None = None,
    owner: User | None = None,
    within: frozenset[str] | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its secret; the secret is in nobody's hands but the caller's.

    within: the rights of the one who gives it; None takes any. An owner limits the token to their own role.
    Raises BadRole, BadScope, MoreThanYouHave, NotAMember.
    """
    if role not in ROLES:
        raise BadRole(f"There is no role {role}; use one of {', '.join(ROLES)}.", role=role)
    scopes = sorted(set(scopes or ()), key=str)
    if unknown := [scope for scope in scopes if scope not in RIGHTS]:
        raise BadScope(f"There is no scope {unknown[0]}; use some of {', '.join(RIGHTS)}.", scopes=unknown)
    if expires_at is not None and expires_at <= timezone.now():
        raise DomainError("The token would have expired already.", expires_at=expires_at.isoformat())
    namesake = User.objects.filter(username__iexact=name).exclude(pk=owner.pk if owner else None)
    if namesake.exists():  # what a token does stands in journals under its name
        raise DomainError("Somebody logs in under this name; give the token another one.", field="name")
    if beyond := [scope for scope in scopes if scope not in ROLE_RIGHTS[role]]:
        raise BadScope(f"The role {role} does not hold the scope {beyond[0]}.", scopes=beyond)
    asked = frozenset(scopes) or ROLE_RIGHTS[role]
    if within is not None and (more := sorted(asked - within)):
        raise MoreThanYouHave(f"You cannot give a right that you lack: {', '.join(more)}.", rights=more)
    if owner and not owner.is_superuser and not organisation.memberships.filter(user=owner).exists():
        raise NotAMember(f"{owner} is no member of {organisation}.", owner=owner.get_username())
    secret = secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        organisation=organisation,
        name=name,
        role=role,
        scopes=scopes,
        digest=digest_of(secret),
        prefix=secret[:8],
        owner=owner,
        created_by=by,
        expires_at=expires_at,
    )
    audit(organisation, "created", token, by=by, after={"name": name, "role": role, "scopes": scopes})
    return token, secret


@transaction.atomic
def revoke_token(token: ApiToken, *, by: str) -> bool:
    """The token opens no door any more; False when it was revoked before. Its sockets close within 5 s."""
    if not ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
        return False
    token.refresh_from_db()
    audit(token.organisation, "revoked", token, by=by, before={"name": token.name, "prefix": token.prefix})
    return True


def issue_ticket(caller: Caller) -> tuple[str, datetime]:
    """A secret that stands for `caller` once, within 30 s, and the moment it ends."""
    Ticket.objects.filter(expires_at__lt=timezone.now() - TICKET_LIFE).delete()
    secret, expires_at = secrets.token_urlsafe(32), timezone.now() + TICKET_LIFE
    is_person = caller.token_id is None
    Ticket.objects.create(
        digest=digest_of(secret),
        auth_hash=User.objects.get(pk=caller.user_id).get_session_auth_hash() if is_person else "",
        expires_at=expires_at,
        token_id=caller.token_id,
        user_id=None if caller.token_id else caller.user_id,
    )
    return secret, expires_at


def redeem_ticket(secret: str) -> Caller | None:
    """The caller a ticket stands for; None when it is unknown, used or over."""
    found = redeem_with_hash(secret)
    return found and found[0]


def redeem_with_hash(secret: str) -> tuple[Caller, str] | None:
    """The caller a ticket stands for, and the hash of their password when it was issued ("" for a token).

    None when it is unknown, used or over. The delete decides a race.
    """
    ticket = Ticket.objects.filter(digest=digest_of(secret), expires_at__gt=timezone.now()).first()
    if ticket is None or not Ticket.objects.filter(pk=ticket.pk).delete()[0]:
        return None
    if ticket.user_id:
        caller = caller_of_user_id(ticket.user_id, ticket.auth_hash)
    else:
        caller = caller_of_token_id(ticket.token_id)
    return caller and (caller, ticket.auth_hash)


def bootstrap(data_dir: Path) -> str | None:
    """Organisation `default` exists, and a first user `admin` when there was no user at all.

    Returns the new random password, or None when somebody was there already. The password is kept in
    `<data_dir>/first-password`, mode 0600, until its owner deletes the file.
    """
    with transaction.atomic():
        organisation, _ = Organisation.objects.get_or_create(slug="default", defaults={"name": "Default"})
        if User.objects.exists():
            return None
        password = secrets.token_urlsafe(12)
        admin = User.objects.create_superuser("admin", password=password)
        set_role(admin, organisation, "admin", by="bootstrap")
        _write_private(Path(data_dir) / FIRST_PASSWORD, password + "\n")
    return password


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
