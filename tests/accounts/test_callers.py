"""From a credential to rights: the smallest of membership, token role and scopes."""

from datetime import timedelta

import pytest

from sessionsite.accounts.models import AuditEntry, User
from sessionsite.accounts.services import (
    BadRole,
    BadScope,
    MoreThanYouHave,
    NotAMember,
    caller_again,
    caller_of_token,
    caller_of_user,
    create_organisation,
    create_token,
    revoke_token,
    set_role,
)
from sessionsite.common.access import RIGHTS, ROLE_RIGHTS, ROLES
from sessionsite.common.clock import now
from sessionsite.common.errors import Conflict, DomainError


def rights(secret: str, organisation) -> frozenset[str]:
    return caller_of_token(secret).rights[organisation.pk]


@pytest.mark.parametrize("role", ROLES)
def test_a_member_holds_the_rights_of_the_role_there_and_none_elsewhere(
    organisation, other_organisation, role
):
    user = User.objects.create_user("eve")
    set_role(user, organisation, role, by="test")
    caller = caller_of_user(user)
    for right in RIGHTS:
        assert caller.may(right, organisation.pk) is (right in ROLE_RIGHTS[role])
        assert not caller.may(right, other_organisation.pk)


def test_the_roles_hold_more_and_more():
    for lower, higher in zip(ROLES, ROLES[1:], strict=False):
        assert ROLE_RIGHTS[lower] < ROLE_RIGHTS[higher]


def test_a_deactivated_user_holds_nothing(operator, organisation):
    operator.is_active = False
    assert not caller_of_user(operator).may("read", organisation.pk)


def test_a_superuser_holds_everything_everywhere(organisation, other_organisation):
    caller = caller_of_user(User.objects.create_superuser("root"))
    assert caller.may("admin", organisation.pk) and caller.may("admin", other_organisation.pk)


@pytest.mark.parametrize("role", ROLES)
def test_a_token_holds_its_role(organisation, role):
    _, secret = create_token(organisation, name="t", role=role, by="test")
    assert rights(secret, organisation) == ROLE_RIGHTS[role]


def test_scopes_take_away_and_never_add(organisation):
    _, secret = create_token(organisation, name="t", role="admin", scopes=["ingest", "read"], by="test")
    assert rights(secret, organisation) == {"ingest", "read"}
    with pytest.raises(BadScope):
        create_token(organisation, name="t", role="viewer", scopes=["read", "ingest"], by="test")
    with pytest.raises(BadScope):
        create_token(organisation, name="t", role="admin", scopes=["fly"], by="test")
    with pytest.raises(BadRole):
        create_token(organisation, name="t", role="king", by="test")


@pytest.mark.parametrize("owner_role", ROLES)
@pytest.mark.parametrize("token_role", ROLES)
def test_a_token_holds_no_more_than_its_owner(organisation, owner_role, token_role):
    owner = User.objects.create_user("eve")
    set_role(owner, organisation, owner_role, by="test")
    set_role(User.objects.create_user("adam"), organisation, "admin", by="test")  # one has to stay
    _, secret = create_token(organisation, name="t", role=token_role, owner=owner, by="test")
    assert rights(secret, organisation) == ROLE_RIGHTS[owner_role] & ROLE_RIGHTS[token_role]
    set_role(owner, organisation, None, by="test")
    assert rights(secret, organisation) == frozenset()
    owner.is_active = False
    owner.save()
    assert caller_of_token(secret) is None


def test_a_token_of_a_superuser_needs_no_membership(organisation):
    root = User.objects.create_superuser("root")
    _, secret = create_token(organisation, name="t", role="operator", owner=root, by="test")
    assert rights(secret, organisation) == ROLE_RIGHTS["operator"]
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    assert rights(secret, organisation) == frozenset()


def test_a_token_of_somebody_outside_is_not_made(organisation, stranger):
    with pytest.raises(NotAMember):
        create_token(organisation, name="t", role="viewer", owner=stranger, by="test")


def test_nobody_gives_a_right_that_they_lack(organisation):
    with pytest.raises(MoreThanYouHave) as refusal:
        create_token(organisation, name="t", role="operator", by="x", within=frozenset({"read", "ingest"}))
    assert refusal.value.details["rights"] == ["annotate", "control"]
    assert not organisation.tokens.exists()


def test_a_revoked_token_opens_nothing_and_revoking_twice_changes_nothing(organisation):
    token, secret = create_token(organisation, name="t", role="operator", by="test")
    caller = caller_of_token(secret)
    assert revoke_token(token, by="ann") is True
    assert caller_of_token(secret) is None and caller_again(caller) is None
    at = token.revoked_at
    assert revoke_token(token, by="bob") is False
    token.refresh_from_db()
    assert token.revoked_at == at
    assert AuditEntry.objects.filter(verb="revoked").count() == 1


def test_an_expired_token_opens_nothing(organisation, time_machine):
    time_machine.move_to(now(), tick=False)
    _, secret = create_token(
        organisation, name="t", role="operator", expires_at=now() + timedelta(hours=1), by="test"
    )
    assert caller_of_token(secret)
    time_machine.shift(3601)
    assert caller_of_token(secret) is None
    with pytest.raises(DomainError):
        create_token(organisation, name="t", role="operator", expires_at=now(), by="test")


def test_the_secret_is_stored_nowhere(organisation):
    token, secret = create_token(organisation, name="t", role="operator", by="test")
    stored = [str(value) for value in type(token).objects.filter(pk=token.pk).values_list()[0]]
    assert not any(secret in value for value in stored)
    audited = str(list(AuditEntry.objects.values_list("before", "after")))
    assert secret not in audited and secret[:8] not in audited


def test_the_last_use_of_a_token_is_written_once_a_minute(
    organisation, time_machine, django_assert_num_queries
):
    time_machine.move_to(now(), tick=False)
    token, secret = create_token(organisation, name="t", role="operator", by="test")
    caller_of_token(secret)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    time_machine.shift(30)
    with django_assert_num_queries(1):
        caller_of_token(secret)
    time_machine.shift(31)
    caller_of_token(secret)
    token.refresh_from_db()
    assert (token.last_used_at - first).total_seconds() == 61


def test_the_rights_of_a_caller_are_those_of_this_moment(operator, organisation):
    caller = caller_of_user(operator)
    set_role(operator, organisation, "viewer", by="test")
    assert caller_again(caller).rights == {organisation.pk: ROLE_RIGHTS["viewer"]}
    operator.delete()
    assert caller_again(caller) is None


def test_a_slug_names_one_organisation(organisation):
    with pytest.raises(Conflict):
        create_organisation("default", by="test")


def test_every_change_of_a_role_is_audited_with_both_sides(organisation, operator):
    set_role(operator, organisation, "reviewer", by="ann")
    set_role(operator, organisation, None, by="ann")
    assert set_role(operator, organisation, None, by="ann") is None
    changed, removed = AuditEntry.objects.filter(object_type="membership", actor="ann").order_by("pk")
    assert (changed.before["role"], changed.after["role"]) == ("operator", "reviewer")
    assert (removed.verb, removed.before["role"], removed.after) == ("removed", "reviewer", None)
