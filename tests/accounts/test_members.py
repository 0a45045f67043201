"""Members: invited by a link that works once, never without an admin, and shut out within seconds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from sessionsite.accounts import invites, services
from sessionsite.accounts.callers import digest_of
from sessionsite.accounts.models import AuditEntry, Invite, Membership, User
from sessionsite.common.errors import DomainError

pytestmark = pytest.mark.django_db
ROUTE = "/api/v1/organisations/default/"
JOINING = {"username": "bob", "password": "a-good-long-one-7", "again": "a-good-long-one-7"}


def entered(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def as_admin(administrator) -> Client:
    return entered(administrator)


def invited(client: Client, **asked) -> dict:
    answer = client.post(f"{ROUTE}invites/", {"role": "operator", **asked}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def path_of(link: str) -> str:
    assert link.startswith("http://testserver/invite/")
    return link.removeprefix("http://testserver")


def opened(link: str, client: Client | None = None) -> Client:
    client = client or Client()
    answer = client.get(path_of(link))
    assert (answer.status_code, answer["Location"]) == (302, "/invite/")
    return client


# --- invitations ----------------------------------------------------------------------------------


def test_somebody_new_joins_by_a_link_and_is_logged_in(as_admin, organisation):
    made = invited(as_admin, note="Bob, early shift")
    guest = opened(made["link"])
    page = guest.get("/invite/")
    assert "Join Default" in page.content.decode() and "operator" in page.content.decode()
    answer = guest.post("/invite/", JOINING)
    assert (answer.status_code, answer["Location"]) == (302, "/?organisation=default")
    assert guest.get("/").status_code == 200
    assert Membership.objects.get(user__username="bob").role == "operator"
    said = AuditEntry.objects.filter(verb__in=("invited", "joined", "set_role"), object_key__isnull=False)
    assert [row.verb for row in said.order_by("pk")][-3:] == ["invited", "joined", "set_role"]


def test_somebody_who_is_known_joins_with_the_account_they_have(as_admin, stranger):
    guest = opened(invited(as_admin)["link"], entered(stranger))
    assert "Join as stranger" in guest.get("/invite/").content.decode()
    assert guest.post("/invite/").status_code == 302
    assert stranger.memberships.filter(organisation__slug="default", role="operator").exists()


def test_logging_in_on_the_way_keeps_the_invitation(as_admin, stranger):
    guest = opened(invited(as_admin)["link"])
    answer = guest.post("/login/", {"username": "stranger", "password": "secret", "next": "/invite/"})
    assert answer["Location"] == "/invite/"
    assert "Join as stranger" in guest.get("/invite/").content.decode()


def test_a_link_works_once_and_every_dead_one_looks_the_same(as_admin, organisation, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    used, withdrawn, late = (invited(as_admin) for _ in range(3))
    opened(used["link"]).post("/invite/", JOINING)
    assert as_admin.delete(f"{ROUTE}invites/{withdrawn['key']}/").status_code == 204
    time_machine.shift(timedelta(days=8))
    pages = [
        opened(link).get("/invite/")
        for link in (used["link"], withdrawn["link"], late["link"], "http://testserver/invite/nothing/")
    ]
    assert {page.status_code for page in pages} == {410}
    assert len({page.content.split(b"<h1>")[1] for page in pages}) == 1


def test_looking_at_a_link_does_not_use_it_up(as_admin):
    link = invited(as_admin)["link"]
    for _ in range(3):
        assert opened(link).get("/invite/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_once_one_joins(organisation, administrator):
    caller = services.caller_of_user(administrator)
    _, secret = invites.create_invite(organisation, role="viewer", by=caller)

    def accept(number: int) -> bool:
        try:
            invites.join_as_new(digest_of(secret), username=f"guest-{number}", password="x")
        except DomainError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(accept, range(4))) == 1
    assert Membership.objects.filter(user__username__startswith="guest").count() == 1
    assert User.objects.filter(username__startswith="guest").count() == 1


def test_the_secret_is_kept_as_a_hash_and_sent_nowhere(as_admin):
    link = invited(as_admin)["link"]
    secret = path_of(link).split("/")[2]
    assert Invite.objects.get().digest == digest_of(secret)
    assert Client().get(path_of(link))["Referrer-Policy"] == "no-referrer"
    for answer in (Client().get(path_of(link)), opened(link).get("/invite/")):
        assert "no-store" in answer["Cache-Control"]
        assert secret not in answer.content.decode() and secret not in answer.headers.get("Location", "")
    assert secret not in as_admin.get("/members/").content.decode()


def test_a_member_who_opens_a_link_keeps_their_role_and_the_link_is_left(as_admin, administrator):
    guest = opened(invited(as_admin, role="viewer")["link"], as_admin)
    answer = guest.post("/invite/")
    assert answer.status_code == 409 and "a member of Default already" in answer.content.decode()
    assert administrator.memberships.get().role == "admin"
    assert Invite.objects.usable().exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"username": "ADMIN"}, "This name is taken"),
        ({"username": "a b"}, "Enter a valid username"),
        ({"password": "short", "again": "short"}, "too short"),
        ({"again": "another"}, "The two passwords differ"),
        ({"username": ""}, "This field is required"),
    ],
)
def test_a_bad_form_says_why_beside_the_field_and_leaves_the_link(as_admin, changes, words):
    guest = opened(invited(as_admin)["link"])
    answer = guest.post("/invite/", JOINING | changes)
    assert answer.status_code == 400 and words in answer.content.decode()
    assert Invite.objects.usable().exists() and not User.objects.filter(username="bob").exists()


@pytest.mark.parametrize("name", ["line-1", "Line-1", "\uff4cine-1"])
def test_nobody_joins_under_the_name_of_a_token(as_admin, organisation, name):
    services.create_token(organisation, name="line-1", role="operator", by="test")
    answer = opened(invited(as_admin)["link"]).post("/invite/", JOINING | {"username": name})
    assert answer.status_code == 400 and "This name is taken" in answer.content.decode()
    assert Invite.objects.usable().exists()


def test_a_link_is_no_way_to_try_names(as_admin):
    guest = opened(invited(as_admin)["link"])
    answers = [guest.post("/invite/", JOINING | {"username": "admin"}) for _ in range(6)]
    assert "This name is taken" in answers[0].content.decode()
    assert "Too many tries" in answers[-1].content.decode()


def test_the_form_of_an_invitation_needs_its_csrf_token(as_admin):
    guest = opened(invited(as_admin)["link"], Client(enforce_csrf_checks=True))
    assert guest.post("/invite/", JOINING).status_code == 403


def test_nobody_invites_to_more_than_they_may(as_admin, organisation, bearer):
    _, secret = services.create_token(organisation, name="keys", role="admin", scopes=["admin"], by="test")
    keeper = bearer(secret)
    answer = keeper.post(f"{ROUTE}invites/", {"role": "viewer"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "more_than_you_have")
    User.objects.create_user("eve")
    answer = keeper.post(
        f"{ROUTE}members/", {"user": "eve", "role": "admin"}, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "more_than_you_have")


@pytest.fixture
def bearer():
    return lambda secret: Client(headers={"Authorization": f"Bearer {secret}"})


def test_the_invitations_of_a_removed_admin_are_withdrawn(as_admin, organisation, administrator, operator):
    link = invited(as_admin)["link"]
    services.set_role(operator, organisation, "admin", by="test")
    services.set_role(administrator, organisation, None, by="operator")
    assert opened(link).get("/invite/").status_code == 410


@pytest.mark.parametrize("lost", ["is_active", "is_superuser"])
def test_the_invitations_of_an_admin_who_is_shut_out_are_withdrawn(
    as_admin, organisation, administrator, operator, lost
):
    link = invited(as_admin)["link"]
    User.objects.filter(pk=administrator.pk).update(is_superuser=True)
    services.set_role(operator, organisation, "admin", by="test")
    root = entered(User.objects.create_superuser("root", password="x"))
    fields = {"username": "admin", "is_staff": "on", "is_active": "on", "is_superuser": "on"}
    del fields[lost]
    saved = root.post(reverse("admin:accounts_user_change", args=[administrator.pk]), fields)
    assert saved.status_code == 302, saved.content.decode()
    administrator.refresh_from_db()
    assert not getattr(administrator, lost)
    assert opened(link).get("/invite/").status_code == 410


# --- never without an admin -----------------------------------------------------------------------


def test_the_last_admin_stays_over_rest(as_admin, operator):
    member = f"{ROUTE}members/admin/"
    for answer in (
        as_admin.patch(member, {"role": "viewer"}, content_type="application/json"),
        as_admin.delete(member),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    as_admin.patch(f"{ROUTE}members/operator/", {"role": "admin"}, content_type="application/json")
    assert as_admin.delete(member).status_code == 204


def test_an_admin_who_may_not_log_in_does_not_count(as_admin, operator, organisation):
    services.set_role(operator, organisation, "admin", by="test")
    User.objects.filter(pk=operator.pk).update(is_active=False)
    assert as_admin.delete(f"{ROUTE}members/admin/").status_code == 409


def test_the_last_admin_stays_in_the_administration(administrator, organisation):
    root = entered(User.objects.create_superuser("root", password="x"))
    member = administrator.memberships.get()
    change = root.post(reverse("admin:accounts_membership_change", args=[member.pk]), {"role": "viewer"})
    assert "is the last admin" in change.content.decode()
    gone = root.post(
        reverse("admin:accounts_membership_delete", args=[member.pk]), {"post": "yes"}, follow=True
    )
    assert "is the last admin" in gone.content.decode()
    fields = {"username": "admin", "is_staff": "on"}
    shut = root.post(reverse("admin:accounts_user_change", args=[administrator.pk]), fields)
    assert "last admin of Default" in shut.content.decode()
    administrator.refresh_from_db()
    assert administrator.is_active and administrator.memberships.get().role == "admin"


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_leave_one(organisation, administrator, operator):
    services.set_role(operator, organisation, "admin", by="test")

    def remove(user) -> bool:
        try:
            services.set_role(user, organisation, None, by="test")
        except services.LastAdmin:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(remove, (administrator, operator))) == 1
    assert Membership.objects.filter(role="admin").count() == 1


# --- the pages ------------------------------------------------------------------------------------


def test_the_page_shows_roles_and_who_was_seen_when(as_admin, operator):
    services.set_role(
        User.objects.create_user("eve"), operator.memberships.get().organisation, "viewer", by="x"
    )
    page = as_admin.get("/members/").content.decode()
    assert page.count("data-member=") == 3
    assert 'data-role-of="operator"' in page and "never" in page and "now" in page
    assert as_admin.get(f"{ROUTE}members/").json()["results"][0]["last_seen_at"].endswith("Z")


def test_tokens_are_everybody_s_own_and_admins_see_the_rest(as_admin, operator, viewer):
    as_operator = entered(operator)
    made = as_operator.post(
        "/api/v1/tokens/", {"name": "mine", "role": "operator"}, content_type="application/json"
    )
    assert made.status_code == 201 and made.json()["owner"] == "operator"
    more = as_operator.post(
        "/api/v1/tokens/", {"name": "x", "role": "admin"}, content_type="application/json"
    )
    assert (more.status_code, more.json()["code"]) == (403, "more_than_you_have")
    other = {"name": "x", "role": "viewer", "owner": "viewer"}
    assert as_operator.post("/api/v1/tokens/", other, content_type="application/json").status_code == 403
    assert "mine" in as_operator.get("/tokens/").content.decode()
    assert "mine" not in entered(viewer).get("/tokens/").content.decode()
    assert "mine" in as_admin.get("/tokens/").content.decode()


def test_a_token_makes_no_tokens_without_the_right(token, bearer):
    answer = bearer(token).post("/api/v1/tokens/", {"name": "x"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
