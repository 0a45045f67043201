"""Addresses and queries that no database can be asked for."""

import pytest

from sessionsite.accounts.models import User


@pytest.fixture
def root(client, organisation):
    client.force_login(User.objects.create_superuser("root", password="secret"))
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(
    "address",
    ["/sessions/a%00b/", "/images/a%00/", "/rigs/a%00/", "/sessions/a%00/report/", "/%00", "/admin/%00/",
     "/admin/monitoring/image/a%00/change/"],
)  # fmt: skip
def test_an_address_with_nul_does_not_exist(root, address):
    answer = root.get(address)
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "address",
    ["/?organisation=a%00", "/sessions/?q=%00", "/monitors/new/?organisation=%00", "/events/?cursor=%00",
     "/admin/monitoring/image/?label=%00", "/admin/monitoring/session/?q=a%00", "/login/?next=%00"],
)  # fmt: skip
def test_a_query_with_nul_is_bad(root, address):
    assert root.get(address).status_code == 400


def test_rest_says_the_same_in_json(root):
    address = root.get("/api/v1/sessions/a%00/report/")
    assert (address.status_code, address.json()["code"]) == (404, "not_found")
    query = root.get("/api/v1/sessions/?q=%00")
    assert (query.status_code, query.json()["code"]) == (400, "bad_text")


def test_an_outside_wire_answers_in_its_own_shape(root):
    answer = root.get("/monitor/a%00b/state")
    assert answer.status_code == 404
    assert answer.json()["data"]["error"] is True


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
@pytest.mark.parametrize("field", ["username", "password"])
def test_a_login_with_nul_is_shown_the_form_again(client, db, address, field):
    sent = {"username": "a", "password": "b", field: "a\0b"}
    assert client.post(address, sent).status_code == 200
