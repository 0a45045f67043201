"""Organisations, members, tokens, tickets and the audit trail over REST."""

from datetime import timedelta

import pytest

from sessionsite.accounts.models import ApiToken, User
from sessionsite.common.clock import iso, now

TOKENS = "/api/v1/tokens/"
MEMBERS = "/api/v1/organisations/default/members/"


def test_people_see_their_own_organisations_and_what_they_may_do_there(
    as_operator, as_stranger, organisation, other_organisation, refused
):
    [mine] = as_operator.get("/api/v1/organisations/").json()["results"]
    assert (mine["slug"], mine["rights"]) == ("default", ["read", "ingest", "control", "annotate"])
    assert as_operator.get("/api/v1/organisations/default/").json() == mine
    refused(as_stranger.get("/api/v1/organisations/default/"), 404, "not_found")
    refused(as_operator.get("/api/v1/organisations/nowhere/"), 404, "not_found")


def test_a_superuser_sees_all(login, organisation, other_organisation):
    root = login(User.objects.create_superuser("root", password="secret"))
    slugs = [row["slug"] for row in root.get("/api/v1/organisations/").json()["results"]]
    assert slugs == ["default", "elsewhere"]


def test_an_admin_adds_changes_and_removes_members(as_admin, as_operator, organisation, refused):
    User.objects.create_user("eve", password="secret")
    added = as_admin.post(MEMBERS, {"user": "eve", "role": "viewer"})
    assert added.status_code == 201 and added.json()["role"] == "viewer"
    assert as_admin.patch(f"{MEMBERS}eve/", {"role": "reviewer"}).json()["role"] == "reviewer"
    names = [row["user"] for row in as_admin.get(MEMBERS).json()["results"]]
    assert sorted(names) == ["admin", "eve", "operator"]
    assert as_admin.delete(f"{MEMBERS}eve/").status_code == 204
    refused(as_admin.delete(f"{MEMBERS}eve/"), 404, "not_found")
    refused(as_admin.post(MEMBERS, {"user": "nobody-here", "role": "viewer"}), 400, "unknown_user")
    refused(as_admin.post(MEMBERS, {"user": "eve", "role": "king"}), 400, "invalid")
    refused(as_operator.get(MEMBERS), 403, "not_allowed")


def test_a_new_role_holds_from_the_next_request_on(as_admin, as_operator, monitor, refused):
    assert as_operator.post("/api/v1/monitors/cam-1/start/").status_code == 201
    as_admin.patch(f"{MEMBERS}operator/", {"role": "viewer"})
    refused(as_operator.post("/api/v1/monitors/cam-1/stop/"), 403, "not_allowed")
    as_admin.delete(f"{MEMBERS}operator/")
    refused(as_operator.get("/api/v1/monitors/cam-1/"), 404, "not_found")


def test_a_token_shows_its_secret_once_and_opens_what_its_role_allows(as_admin, bearer, monitor, refused):
    made = as_admin.post(TOKENS, {"name": "line 1", "role": "operator", "scopes": ["ingest", "read"]})
    assert made.status_code == 201 and made["Cache-Control"] == "no-store"
    token = made.json()
    secret = token.pop("secret")
    assert token["prefix"] == secret[:8] and token["scopes"] == ["ingest", "read"]
    [listed] = as_admin.get(TOKENS).json()["results"]
    assert listed == token
    assert secret not in as_admin.get(f"{TOKENS}{token['key']}/").content.decode()
    device = bearer(secret)
    assert device.get("/api/v1/monitors/cam-1/").status_code == 200
    refused(device.post("/api/v1/monitors/cam-1/start/"), 403, "not_allowed")


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "bearer"])
def test_both_schemes_of_the_header_work(anybody, token, organisation, scheme):
    answer = anybody.get("/api/v1/monitors/", headers={"Authorization": f"{scheme} {token}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", ["Bearer nothing", "Bearer ", "Bearer", "Token  x y", "Bearer ä"])
def test_a_wrong_token_is_401_and_no_cookie_helps(as_operator, header, refused):
    answer = as_operator.get("/api/v1/monitors/", headers={"Authorization": header})
    refused(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_nobody_is_401(anybody, organisation, refused):
    answer = anybody.get("/api/v1/monitors/")
    refused(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("how", ["delete", "post"])
def test_a_revoked_token_is_401_at_once(as_admin, bearer, organisation, how, refused):
    token = as_admin.post(TOKENS, {"name": "x"}).json()
    device = bearer(token["secret"])
    assert device.get("/api/v1/monitors/").status_code == 200
    url = f"{TOKENS}{token['key']}/"
    answer = as_admin.delete(url) if how == "delete" else as_admin.post(f"{url}revoke/")
    assert answer.status_code in (200, 204)
    refused(device.get("/api/v1/monitors/"), 401, "not_authenticated")
    assert as_admin.get(url).json()["revoked_at"].endswith("Z")


def test_an_expired_token_is_401(as_admin, bearer, organisation, time_machine, refused):
    time_machine.move_to(now(), tick=False)
    soon = iso(now() + timedelta(minutes=5))
    device = bearer(as_admin.post(TOKENS, {"name": "x", "expires_at": soon}).json()["secret"])
    assert device.get("/api/v1/monitors/").status_code == 200
    time_machine.shift(301)
    refused(device.get("/api/v1/monitors/"), 401, "not_authenticated")
    refused(as_admin.post(TOKENS, {"name": "x", "expires_at": soon}), 400, "invalid")


def test_operators_make_tokens_for_themselves_alone_and_see_only_those(
    as_admin, as_operator, operator, refused
):
    refused(as_operator.post(TOKENS, {"name": "x", "owner": "admin"}), 403, "not_allowed")
    as_admin.post(TOKENS, {"name": "service"})
    own = as_admin.post(TOKENS, {"name": "of the operator", "role": "admin", "owner": "operator"}).json()
    [listed] = as_operator.get(TOKENS).json()["results"]
    assert listed["key"] == own["key"] and listed["owner"] == "operator"
    assert as_operator.delete(f"{TOKENS}{own['key']}/").status_code == 204
    assert ApiToken.objects.filter(revoked_at__isnull=False).count() == 1


def test_the_role_of_its_owner_limits_a_token(as_admin, bearer, operator, monitor, refused):
    secret = as_admin.post(TOKENS, {"name": "x", "role": "admin", "owner": "operator"}).json()["secret"]
    device = bearer(secret)
    assert device.post("/api/v1/monitors/cam-1/start/").status_code == 201
    refused(device.delete("/api/v1/monitors/cam-1/"), 403, "not_allowed")


def test_nobody_gives_more_rights_than_they_hold(as_admin, bearer, organisation, other_organisation, refused):
    narrow = {"name": "keys", "role": "admin", "scopes": ["admin", "read"]}
    keeper = bearer(as_admin.post(TOKENS, narrow).json()["secret"])
    details = refused(keeper.post(TOKENS, {"name": "x", "role": "operator"}), 403, "more_than_you_have")
    assert details["rights"] == ["annotate", "control", "ingest"]
    assert keeper.post(TOKENS, {"name": "x", "role": "viewer"}).status_code == 201
    refused(keeper.post(TOKENS, {"name": "x", "organisation": "elsewhere"}), 404, "not_found")
    device = as_admin.post("/api/v1/devices/", {"name": "d", "type": "camera"}).json()["key"]
    refused(keeper.post(f"/api/v1/devices/{device}/token/"), 403, "more_than_you_have")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"name": ""}, "invalid"),
        ({"name": "x", "role": "king"}, "invalid"),
        ({"name": "x", "scopes": ["fly"]}, "invalid"),
        ({"name": "x", "scopes": "read"}, "invalid"),
        ({"name": "x", "role": "viewer", "scopes": ["ingest"]}, "bad_scope"),
        ({"name": "x", "owner": "nobody-here"}, "unknown_user"),
        ({"name": "x", "owner": "stranger"}, "not_a_member"),
        ({"name": "x", "secret": "mine"}, "invalid"),
    ],
)
def test_a_token_that_would_open_nothing_is_refused(as_admin, stranger, body, code, refused):
    refused(as_admin.post(TOKENS, body), 400, code)


def test_a_caller_of_several_organisations_says_which(login, organisation, other_organisation, refused):
    root = login(User.objects.create_superuser("root", password="secret"))
    details = refused(root.post(TOKENS, {"name": "x"}), 400, "organisation_required")
    assert "organisation" in details["fields"]
    assert root.post(TOKENS, {"name": "x", "organisation": "elsewhere"}).status_code == 201


def test_a_ticket_is_good_for_one_use_of_thirty_seconds(as_viewer, viewer, refused):
    from sessionsite.accounts.services import redeem_ticket

    answer = as_viewer.post("/api/v1/tickets/")
    assert answer.status_code == 201 and answer["Cache-Control"] == "no-store"
    assert answer.json()["expires_at"].endswith("Z")
    caller = redeem_ticket(answer.json()["ticket"])
    assert caller.user_id == viewer.pk
    assert redeem_ticket(answer.json()["ticket"]) is None
    refused(as_viewer.post("/api/v1/tickets/", {"for": "x"}), 400, "invalid")


def test_the_audit_trail_is_for_admins_and_says_who_changed_what(as_admin, as_operator, monitor, refused):
    refused(as_operator.get("/api/v1/audit/"), 403, "not_allowed")
    as_admin.patch("/api/v1/monitors/cam-1/", {"name": "Entry"})
    [row] = as_admin.get("/api/v1/audit/?object_type=monitor&verb=changed").json()["results"]
    assert (row["actor"], row["object_key"]) == ("admin", "cam-1")
    assert (row["before"], row["after"]) == ({"name": "Camera 1"}, {"name": "Entry"})
    assert as_admin.get("/api/v1/audit/?actor=nobody").json()["results"] == []
    assert as_admin.get(f"/api/v1/audit/?after={iso(now() + timedelta(days=1))}").json()["results"] == []


def test_lists_take_the_same_number_of_queries_for_one_row_and_for_many(
    as_admin, administrator, organisation, django_assert_num_queries
):
    for count in (1, 10):
        for number in range(count):
            as_admin.post(TOKENS, {"name": f"t{number}", "owner": "admin"})
        for url in (TOKENS, "/api/v1/audit/", MEMBERS):
            queries = 5 if url == MEMBERS else 4  # login session, user, memberships, (organisation,) rows
            with django_assert_num_queries(queries):
                assert as_admin.get(url).status_code == 200
