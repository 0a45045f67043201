"""Verbs of invitations: a link is made, withdrawn, accepted once."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from sessionsite.accounts.callers import digest_of
from sessionsite.accounts.models import ApiToken, Invite, Organisation, User
from sessionsite.accounts.services import BadRole, MoreThanYouHave, audit, hold_members_of, set_role
from sessionsite.common.access import ROLE_RIGHTS, ROLES, Caller
from sessionsite.common.errors import Conflict, DomainError

LIFE = timedelta(days=7)
LIFE_DAYS_MAX = 30


class InviteOver(DomainError):
    """Unknown, used, withdrawn and expired look the same."""

    code, status = "invite_over", 410

    def __init__(self) -> None:
        super().__init__("This invitation was used, withdrawn or is over. Ask for a new one.")


class AlreadyMember(Conflict):
    code = "already_member"


class NameTaken(Conflict):
    code = "name_taken"


@transaction.atomic
def create_invite(
    organisation: Organisation, *, role: str, by: Caller, note: str = "", life: timedelta = LIFE
) -> tuple[Invite, str]:
    """A new invitation and the secret of its link, which nobody is told again.

    Raises BadRole, MoreThanYouHave: nobody invites to more than they may do themselves.
    """
    if role not in ROLES:
        raise BadRole(f"There is no role {role}; use one of {', '.join(ROLES)}.", role=role)
    if more := sorted(right for right in ROLE_RIGHTS[role] if not by.may(right, organisation.pk)):
        raise MoreThanYouHave(f"You cannot give a right that you lack: {', '.join(more)}.", rights=more)
    secret = secrets.token_urlsafe(32)
    invite = Invite.objects.create(
        organisation=organisation,
        role=role,
        note=note,
        digest=digest_of(secret),
        inviter_id=by.user_id,
        created_by=by.name,
        expires_at=timezone.now() + life,
    )
    audit(organisation, "invited", invite, by=by.name, after={"role": role, "note": note})
    return invite, secret


@transaction.atomic
def withdraw_invite(invite: Invite, *, by: str) -> bool:
    """The link opens nothing any more; False when it did not before."""
    if not Invite.objects.usable().filter(pk=invite.pk).update(withdrawn_at=timezone.now()):
        return False
    before = {"role": invite.role, "note": invite.note}
    audit(invite.organisation, "withdrew", invite, by=by, before=before)
    return True


def find_invite(digest: str) -> Invite:
    """Raises InviteOver."""
    invite = Invite.objects.usable().select_related("organisation").filter(digest=digest).first()
    if invite is None:
        raise InviteOver
    return invite


@transaction.atomic
def join(digest: str, user: User) -> Invite:
    """`user` is a member with the role of the invitation, which is used up.

    Raises InviteOver, also to the slower one of two, and AlreadyMember, which leaves the invitation as it is.
    """
    invite = find_invite(digest)
    hold_members_of(invite.organisation)  # before the invitation's row, as whoever withdraws it
    if invite.organisation.memberships.filter(user=user).exists():
        raise AlreadyMember(f"You are a member of {invite.organisation} already.")
    name = user.get_username()
    if not Invite.objects.usable().filter(pk=invite.pk).update(used_at=timezone.now(), used_by=name):
        raise InviteOver
    audit(invite.organisation, "joined", invite, by=name, after={"user": name, "role": invite.role})
    set_role(user, invite.organisation, invite.role, by=invite.created_by)
    return invite


@transaction.atomic
def join_as_new(digest: str, *, username: str, password: str) -> User:
    """A new person who is a member. Raises InviteOver, NameTaken. The password was looked at by the form."""
    find_invite(digest)
    username = User.normalize_username(username)  # as it is stored: other letters may become those of a token
    try:
        with transaction.atomic():
            if _is_taken(username):
                raise IntegrityError
            user = User.objects.create_user(username, password=password)
    except IntegrityError as error:
        raise NameTaken("This name is taken; choose another one.", field="username") from error
    join(digest, user)
    return user


def _is_taken(name: str) -> bool:
    """By a person, or by a token: what either does stands in journals under its name."""
    return (
        User.objects.filter(username__iexact=name).exists()
        or ApiToken.objects.filter(name__iexact=name).exists()
    )
