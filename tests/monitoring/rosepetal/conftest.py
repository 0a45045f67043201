"""An inspection line as its Rosepetal clients see it: one monitor, one dataset, tokens of every kind."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.test import Client
from PIL import Image as Pillow

from monitoring.models import Dataset
from monitoring.services import create_monitor
from sessionsite.accounts.models import User
from sessionsite.accounts.services import create_organisation, create_token, set_role

PAYLOADS = Path(__file__).parents[2] / "payloads" / "rosepetal"
DENIED = {"data": {"error": True, "result": "Monitor not found or access denied"}}


def picture(shade: int = 0, *, size: tuple[int, int] = (64, 48), format: str = "JPEG") -> bytes:
    """A small picture; another `shade` (0..255) is another picture."""
    stream = io.BytesIO()
    Pillow.new("RGB", size, (shade, 255 - shade, 60)).save(stream, format)
    return stream.getvalue()


def image_body(data: bytes | None = None, **about) -> dict:
    sent = base64.b64encode(picture() if data is None else data).decode()
    return {"image": sent, "image_data": about}


@dataclass
class Wire:
    """A Rosepetal client: a token in the header, JSON in and out."""

    token: str | None
    client: Client

    def send(self, method: str, path: str, body=None, **headers):
        """body: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        answer = self.client.generic(method, path, data, content_type="application/json", headers=headers)
        assert answer["Content-Type"].split(";")[0] != "text/html", answer.content[:200]
        return answer

    def get(self, path: str, **headers):
        return self.send("GET", path, **headers)

    def post(self, path: str, body=None, **headers):
        return self.send("POST", path, body, **headers)


@pytest.fixture
def organisation(db):
    return create_organisation("factory", by="test")


@pytest.fixture
def monitor(organisation):
    return create_monitor(organisation, slug="camera-production-line-1", name="Line 1", by="test")


@pytest.fixture
def running(monitor, wire):
    assert wire.get(f"/monitor/{monitor.slug}/start").status_code == 200
    monitor.refresh_from_db()
    return monitor


@pytest.fixture
def dataset(organisation):
    return Dataset.objects.create(organisation=organisation, key="dataset-abc123", name="dataset-abc123")


@pytest.fixture
def token_of(organisation):
    """token_of("viewer") -> the secret of a new token of that role."""

    def make(role: str, *, scopes=None, of=organisation) -> str:
        return create_token(of, name=f"{role} token", role=role, scopes=scopes, by="test")[1]

    return make


@pytest.fixture
def wire(token_of) -> Wire:
    """The client of an operator's token."""
    return Wire(token_of("operator"), Client())


@pytest.fixture
def wire_of(token_of):
    """wire_of("viewer") -> the client of such a token."""
    return lambda role, **limits: Wire(token_of(role, **limits), Client())


@pytest.fixture
def foreign_wire(db) -> Wire:
    """An administrator's token of another organisation."""
    other = create_organisation("elsewhere", by="test")
    return Wire(create_token(other, name="foreign", role="admin", by="test")[1], Client())


@pytest.fixture
def operator(organisation):
    """A person who logs in."""
    user = User.objects.create_user("ann", password="a password of hers")
    set_role(user, organisation, "operator", by="test")
    return user


@pytest.fixture
def cookie_client(operator) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    return client


@pytest.fixture
def exchange():
    """exchange("start") -> the published request and answer."""

    def load(name: str) -> dict:
        return json.loads((PAYLOADS / f"{name}.json").read_text())

    return load
