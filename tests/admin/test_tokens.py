"""Tokens, members, organisations and the audit trail in the admin."""

import pytest
from django.urls import reverse

from sessionsite.accounts.callers import caller_of_token
from sessionsite.accounts.models import ApiToken, AuditEntry, Membership, Organisation, User
from sessionsite.accounts.services import create_token

from .conftest import detail_page, list_page, notices

MODEL = "accounts_apitoken"


def new_token(client, organisation, **changes):
    data = {
        "name": "line camera", "organisation": organisation.pk, "role": "operator", "scopes": ["ingest"],
        "owner_name": "", "expires_at_0": "", "expires_at_1": "", **changes,
    }  # fmt: skip
    return client.post(reverse(f"admin:{MODEL}_add"), data)


def test_the_secret_is_shown_once_and_works(organisation, as_administrator):
    answer = new_token(as_administrator, organisation)
    secret = answer.context_data["secret"]
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert caller_of_token(secret).may("ingest", organisation.pk)
    token = ApiToken.objects.get()
    assert (token.created_by, token.scopes) == ("admin", ["ingest"])
    for page in (
        list_page(as_administrator, MODEL),
        detail_page(as_administrator, MODEL, token).content.decode(),
    ):
        assert secret not in page and token.prefix in page


def test_a_refused_token_is_not_made_and_its_reason_is_shown(organisation, as_administrator):
    answer = new_token(as_administrator, organisation, role="viewer", scopes=["admin"])
    assert "does not hold the scope admin" in answer.content.decode()
    answer = new_token(as_administrator, organisation, owner_name="nobody")
    assert answer.context["adminform"].form.errors["owner_name"] == ["There is no user of this name."]
    assert not ApiToken.objects.exists()


def test_revoking_asks_first_and_closes_the_door(organisation, as_administrator, run_action):
    token, secret = create_token(organisation, name="cam", role="operator", by="test")
    page = run_action(as_administrator, MODEL, "revoke_tokens", [token]).content.decode()
    assert f"{token.prefix}… (never used) opens no door any more" in page
    assert caller_of_token(secret)
    answer = run_action(as_administrator, MODEL, "revoke_tokens", [token], confirmed=True)
    assert notices(answer) == ["Revoke tokens: done for 1."]
    assert caller_of_token(secret) is None
    assert ">revoked<" in list_page(as_administrator, MODEL)
    assert AuditEntry.objects.get(verb="revoked").actor == "admin"


@pytest.mark.parametrize("person", ["viewer", "operator", "reviewer"])
def test_tokens_members_and_audit_are_for_administrators(person, organisation, request, as_root):
    client = request.getfixturevalue(f"as_{person}")
    for model in (MODEL, "accounts_membership", "accounts_auditentry", "accounts_user"):
        if model == "accounts_membership":  # they may see who is who, and change nothing
            assert client.get(reverse(f"admin:{model}_add")).status_code == 403
        else:
            assert client.get(reverse(f"admin:{model}_changelist")).status_code == 403
    assert new_token(client, organisation).status_code == 403


def test_an_administrator_sees_the_tokens_of_their_organisation_alone(
    organisation, other_organisation, as_administrator
):
    mine = create_token(organisation, name="mine", role="viewer", by="test")[0]
    theirs = create_token(other_organisation, name="theirs", role="viewer", by="test")[0]
    page = list_page(as_administrator, MODEL)
    assert mine.prefix in page and theirs.prefix not in page
    assert detail_page(as_administrator, MODEL, theirs).status_code == 302
    assert "Select a valid choice" in new_token(as_administrator, other_organisation).content.decode()


def test_a_role_is_given_changed_and_taken_by_the_verb(organisation, as_administrator, stranger):
    address = reverse("admin:accounts_membership_add")
    data = {"username": "stranger", "organisation": organisation.pk, "role": "viewer"}
    assert as_administrator.post(address, data).status_code == 302
    member = Membership.objects.get(user=stranger, organisation=organisation)
    as_administrator.post(reverse("admin:accounts_membership_change", args=[member.pk]), {"role": "reviewer"})
    member.refresh_from_db()
    assert member.role == "reviewer"
    as_administrator.post(reverse("admin:accounts_membership_delete", args=[member.pk]), {"post": "yes"})
    assert not Membership.objects.filter(pk=member.pk).exists()
    verbs = AuditEntry.objects.filter(actor="admin").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["set_role", "set_role", "removed"]


def test_a_role_for_nobody_is_refused_beside_the_field(organisation, as_administrator):
    data = {"username": "nobody", "organisation": organisation.pk, "role": "viewer"}
    answer = as_administrator.post(reverse("admin:accounts_membership_add"), data)
    assert answer.context["adminform"].form.errors["username"] == ["There is no user of this name."]


def test_organisations_are_made_by_superusers_through_the_verb(as_root, as_administrator, organisation):
    assert as_administrator.get(reverse("admin:accounts_organisation_add")).status_code == 403
    answer = as_root.post(reverse("admin:accounts_organisation_add"), {"slug": "plant-2", "name": "Plant 2"})
    assert answer.status_code == 302
    assert Organisation.objects.get(slug="plant-2").name == "Plant 2"
    assert AuditEntry.objects.filter(verb="created", object_key="plant-2", actor="root").exists()


def test_superusers_make_users_and_nobody_removes_one(as_root):
    password = "quite-a-secret-1"
    data = {"username": "eve", "password1": password, "password2": password, "usable_password": "true"}
    assert as_root.post(reverse("admin:accounts_user_add"), data).status_code == 302
    eve = User.objects.get(username="eve")
    assert "role" in detail_page(as_root, "accounts_user", eve).content.decode()
    assert (
        as_root.post(reverse("admin:accounts_user_delete", args=[eve.pk]), {"post": "yes"}).status_code == 403
    )


def test_the_audit_trail_is_read_only_and_found_by_key(organisation, as_administrator):
    entry = AuditEntry.objects.get(verb="created", object_type="organisation")
    assert "default" in list_page(as_administrator, "accounts_auditentry", "?q=default")
    assert "field-verb" not in list_page(as_administrator, "accounts_auditentry", "?q=other")
    assert detail_page(as_administrator, "accounts_auditentry", entry).status_code == 200
    address = reverse("admin:accounts_auditentry_change", args=[entry.pk])
    assert as_administrator.post(address, {"actor": "x"}).status_code == 403


@pytest.mark.parametrize(
    "model", [MODEL, "accounts_membership", "accounts_organisation", "accounts_auditentry"]
)
def test_lists_take_a_fixed_number_of_queries(model, organisation, as_root, django_assert_max_num_queries):
    def add(count: int) -> None:
        for number in range(count):
            name = f"{Organisation.objects.count()}-{number}"
            other = Organisation.objects.create(slug=name, name=name)
            create_token(other, name=name, role="viewer", by="test")
            Membership.objects.create(user=User.objects.create_user(name), organisation=other)

    add(3)
    list_page(as_root, model)
    with django_assert_max_num_queries(12) as few:
        list_page(as_root, model)
    add(20)
    with django_assert_max_num_queries(len(few.captured_queries)):
        list_page(as_root, model)
