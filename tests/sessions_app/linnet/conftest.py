"""A Linnet client with a token, and annotation sessions it may use."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client

from sessions_app.reaper import reap_once
from sessions_app.services import start_annotation


class Wire:
    """Requests of the outside wire; `token` empty sends none."""

    def __init__(self, token: str = "") -> None:
        self._client = Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def call(self, method: str, path: str, body=None):
        sent = b"" if body is None else json.dumps(body).encode()
        return self._client.generic(method, path, data=sent, content_type="application/json")


def reap(session, **_) -> None:
    """Nobody has looked at `session` for longer than its time."""
    assert reap_once(session.started_at + timedelta(seconds=session.idle_ttl_s + 1))


@pytest.fixture
def wire(token) -> Wire:
    return Wire(token)


@pytest.fixture
def other_wire(foreign_token) -> Wire:
    return Wire(foreign_token)


@pytest.fixture
def annotation(organisation):
    return start_annotation(organisation, by="ann", idle_ttl_s=90)
