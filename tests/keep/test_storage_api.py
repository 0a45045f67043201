"""storage/ and pin/: what administrators see and set, what operators pin."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from monitoring.models import RetentionRule
from monitoring.services import stop_monitor
from sessionsite.accounts.services import create_token

pytestmark = pytest.mark.django_db


def client_of(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def admin(organisation) -> APIClient:
    return client_of(create_token(organisation, name="boss", role="admin", by="test")[1])


@pytest.fixture
def line(token) -> APIClient:
    return client_of(token)


def test_an_administrator_previews_a_rule_sets_it_and_sees_it(admin, monitor, image):
    stop_monitor(monitor, by="ann")
    asked = {"monitor": "cam-1", "keep_bytes": 0}
    found = admin.post("/api/v1/storage/preview/", asked).json()
    assert (found["images"], found["is_too_much"]) == (1, True)
    assert found["results"][0]["words"] == "monitor cam-1 keeps 0 bytes"
    assert not RetentionRule.objects.exists()
    state = admin.put("/api/v1/storage/rule/", asked).json()
    assert state["monitors"][0]["keep_bytes"] == 0
    assert state == {**admin.get("/api/v1/storage/").json(), "at": state["at"], "forecast": state["forecast"]}
    assert admin.get("/api/v1/storage/preview/").json() == found


def test_a_rule_of_an_unknown_or_foreign_monitor_is_a_404(admin, other_organisation):
    from monitoring.services import create_monitor

    create_monitor(other_organisation, slug="theirs", by="test")
    for slug in ("nowhere", "theirs"):
        answer = admin.put("/api/v1/storage/rule/", {"monitor": slug, "keep_days": 3})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("body", [{"keep_days": 0}, {"keep_days": "3"}, {"keep_bytes": -1}, {"keep": 3}])
def test_a_rule_that_makes_no_sense_is_a_400(admin, body):
    assert admin.put("/api/v1/storage/rule/", body).status_code == 400


def test_an_operator_sees_no_storage(line):
    assert line.get("/api/v1/storage/").status_code == 403


def test_an_operator_pins_a_session_and_a_picture(line, session, image):
    for address in (f"/api/v1/sessions/{session.key}/pin/", f"/api/v1/images/{image.key}/pin/"):
        assert line.post(address).json()["pinned_at"] is not None
        assert line.post(address).status_code == 200
        assert line.delete(address).json()["pinned_at"] is None


def test_a_viewer_pins_nothing(viewer_token, session):
    assert client_of(viewer_token).post(f"/api/v1/sessions/{session.key}/pin/").status_code == 403


def test_a_foreign_session_is_unknown(foreign_token, session):
    assert client_of(foreign_token).post(f"/api/v1/sessions/{session.key}/pin/").status_code == 404


def test_the_health_report_says_when_the_disk_is_full(line, image):
    disk = line.get("/api/v1/health/").json()["disk"]
    assert disk["forecast"].startswith("At today's rate, ")
    assert "full_at" in disk


def test_the_storage_page_is_for_administrators(client, administrator, operator, monitor):
    client.force_login(operator)
    assert client.get("/storage/").status_code == 403
    client.force_login(administrator)
    page = client.get("/storage/")
    assert page.status_code == 200
    assert "What the rules remove next" in page.content.decode()
