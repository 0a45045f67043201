"""People in the admin: what a superuser changes of somebody is in the audit trail of their organisations."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from sessionsite.accounts.models import AuditEntry, Ticket, User
from sessionsite.accounts.sentences import sentence
from sessionsite.accounts.services import caller_of_user, issue_ticket

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-passphrase"


@pytest.fixture
def as_superuser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


def rows(verb: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(verb=verb, object_type="user"))


def test_another_password_is_a_row_and_ends_their_tickets(as_superuser, operator, organisation):
    issue_ticket(caller_of_user(operator))
    address = reverse("admin:auth_user_password_change", args=[operator.pk])
    form = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert as_superuser.post(address, form).status_code == 302
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)
    assert not Ticket.objects.filter(user=operator).exists()
    [row] = rows("set_password")
    assert (row.organisation, row.actor, row.before, row.after) == (organisation, "root", None, None)
    assert sentence(row) == "root gave the person operator another password"


def test_a_refused_password_leaves_no_row(as_superuser, operator):
    address = reverse("admin:auth_user_password_change", args=[operator.pk])
    form = {"usable_password": "true", "password1": PASSWORD, "password2": "another"}
    assert as_superuser.post(address, form).status_code == 200
    assert rows("set_password") == []


def test_what_they_may_is_a_row_with_before_and_after(as_superuser, operator, organisation):
    address = reverse("admin:accounts_user_change", args=[operator.pk])
    form = as_superuser.get(address).context["adminform"].form.initial
    told = {name: value for name, value in form.items() if value is not None and name != "is_active"}
    assert as_superuser.post(address, told | {"is_staff": "on"}).status_code == 302
    [row] = rows("changed")
    assert row.organisation == organisation
    assert row.before["is_active"] is True and row.after["is_active"] is False
    assert sentence(row) == "root changed the person operator"
