"""People who may enter the admin, each with one role, and a helper that runs an action like a person does."""

from __future__ import annotations

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from sessionsite.accounts.models import User


def entering(user) -> Client:
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def as_viewer(viewer) -> Client:
    return entering(viewer)


@pytest.fixture
def as_operator(operator) -> Client:
    return entering(operator)


@pytest.fixture
def as_reviewer(reviewer) -> Client:
    return entering(reviewer)


@pytest.fixture
def as_administrator(administrator) -> Client:
    return entering(administrator)


@pytest.fixture
def as_stranger(stranger) -> Client:
    return entering(stranger)


@pytest.fixture
def as_root(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="secret"))
    return client


@pytest.fixture
def run_action():
    """run_action(client, "monitoring_monitor", "stop_monitors", [monitor]) -> the page that asks;
    confirmed=True -> the list that follows."""

    def run(client: Client, model: str, action: str, rows, *, confirmed: bool = False):
        data = {"action": action, ACTION_CHECKBOX_NAME: [row.pk for row in rows]}
        if confirmed:
            data["confirmed"] = "yes"
        return client.post(reverse(f"admin:{model}_changelist"), data, follow=confirmed)

    return run


def list_page(client: Client, model: str, query: str = "") -> str:
    answer = client.get(reverse(f"admin:{model}_changelist") + query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def detail_page(client: Client, model: str, row, query: str = ""):
    return client.get(reverse(f"admin:{model}_change", args=[row.pk]) + query)


def notices(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]
