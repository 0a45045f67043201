"""Callers of REST: logged-in people and holders of tokens."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient


@pytest.fixture
def login():
    """login(user) -> a client with the user's cookie."""

    def as_user(user) -> APIClient:
        client = APIClient()
        client.force_login(user)
        return client

    return as_user


@pytest.fixture
def bearer():
    """bearer(secret) -> a client that shows this token."""

    def with_secret(secret: str) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return with_secret


@pytest.fixture
def anybody() -> APIClient:
    return APIClient()


@pytest.fixture
def as_viewer(login, viewer) -> APIClient:
    return login(viewer)


@pytest.fixture
def as_operator(login, operator) -> APIClient:
    return login(operator)


@pytest.fixture
def as_reviewer(login, reviewer) -> APIClient:
    return login(reviewer)


@pytest.fixture
def as_admin(login, administrator) -> APIClient:
    return login(administrator)


@pytest.fixture
def as_stranger(login, stranger) -> APIClient:
    """An operator of another organisation."""
    return login(stranger)


@pytest.fixture
def as_device(bearer, token) -> APIClient:
    """The holder of an operator's token."""
    return bearer(token)


@pytest.fixture
def refused():
    """refused(response, status, code) checks the one shape of refusals and returns its details."""

    def check(response, status: int, code: str) -> dict:
        assert response.status_code == status, response.content[:500]
        assert response["Content-Type"].startswith("application/json")
        body = response.json()
        assert set(body) == {"error", "code", "details"}
        assert body["code"] == code, body
        assert isinstance(body["error"], str) and body["error"]
        assert isinstance(body["details"], dict)
        return body["details"]

    return check
