"""Logging in: few tries, one message for known and unknown names, and a new password ends other logins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from sessionsite.accounts import logins
from sessionsite.accounts.models import AuditEntry, LoginTries, Ticket
from sessionsite.accounts.services import caller_of_user, issue_ticket
from sessionsite.logs import scrub

pytestmark = pytest.mark.django_db
ROUTES = ["/login/", "/admin/login/"]


def log_in(username: str, password: str, *, address: str = "192.0.2.7", route: str = "/login/"):
    return Client(REMOTE_ADDR=address).post(route, {"username": username, "password": password})


@pytest.mark.parametrize("route", ROUTES)
def test_after_five_wrong_passwords_even_the_right_one_has_to_wait(viewer, route):
    assert [log_in("viewer", "wrong", route=route).status_code for _ in range(5)] == [200] * 5
    refused = log_in("viewer", "secret", route=route)
    assert "Too many tries. Wait 5 minutes, then try again." in refused.content.decode()
    assert not refused.wsgi_request.user.is_authenticated


def test_the_refusal_is_429_and_says_when(viewer):
    for _ in range(5):
        log_in("viewer", "wrong")
    refused = log_in("viewer", "secret")
    assert refused.status_code == 429 and 0 < int(refused["Retry-After"]) <= 300


def test_a_name_that_does_not_exist_looks_the_same(viewer):
    def told(name: str) -> list[tuple[int, bool, bool]]:
        answers = [log_in(name, "wrong") for _ in range(7)]
        return [
            (each.status_code, b"do not fit" in each.content, b"Too many tries" in each.content)
            for each in answers
        ]

    assert told("viewer") == told("nobody-here")


def test_a_guesser_elsewhere_does_not_keep_the_person_out(viewer):
    for _ in range(9):
        log_in("viewer", "wrong", address="198.51.100.1")
    assert log_in("viewer", "secret", address="192.0.2.7").status_code == 302


def test_one_address_cannot_try_many_names(viewer):
    for number in range(30):
        log_in(f"name-{number}", "wrong")
    assert log_in("viewer", "secret").status_code == 429
    assert log_in("viewer", "secret", address="198.51.100.1").status_code == 302


def test_addresses_of_one_ipv6_network_are_one(viewer):
    for number in range(30):
        log_in(f"name-{number}", "wrong", address=f"2001:db8::{number + 1:x}")
    assert log_in("viewer", "secret", address="2001:db8::ffff").status_code == 429
    assert log_in("viewer", "secret", address="2001:db8:0:1::1").status_code == 302


def test_ipv4_addresses_on_an_ipv6_listener_are_themselves(viewer):
    for number in range(30):
        log_in(f"name-{number}", "wrong", address="::ffff:10.0.0.1")
    assert log_in("viewer", "secret", address="::ffff:10.0.0.1").status_code == 429
    assert log_in("viewer", "secret", address="10.0.0.1").status_code == 429
    assert log_in("viewer", "secret", address="::ffff:10.0.0.2").status_code == 302


def test_a_success_takes_the_earlier_tries_back(viewer):
    for _ in range(3):
        for _ in range(4):
            log_in("viewer", "wrong")
        assert log_in("viewer", "secret").status_code == 302


def test_after_the_wait_it_goes_on(viewer, time_machine):
    time_machine.move_to("2026-01-01T12:00:00Z", tick=False)
    for _ in range(6):
        log_in("viewer", "wrong")
    time_machine.shift(301)
    assert log_in("viewer", "secret").status_code == 302


def test_what_was_typed_as_a_name_is_not_kept(viewer):
    log_in("my-password-in-the-wrong-field", "x")
    assert LoginTries.objects.count() == 3
    assert "password" not in " ".join(LoginTries.objects.values_list("name", flat=True))


def test_old_tries_are_forgotten(viewer, time_machine):
    time_machine.move_to("2026-01-01T12:00:00Z", tick=False)
    log_in("viewer", "wrong")
    time_machine.shift(3700)
    logins.forget_old_tries()
    assert not LoginTries.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_time_are_all_counted():
    def one_more(number: int) -> bool:
        try:
            logins.count_try("ann", "192.0.2.7")
        except logins.TooManyTries:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(one_more, range(18))) == 5


def test_a_login_goes_to_no_other_site(viewer):
    client = Client()
    answer = client.post("/login/?next=//evil.example/", {"username": "viewer", "password": "secret",
                                                          "next": "https://evil.example/"})  # fmt: skip
    assert answer["Location"] == "/"


def test_the_login_form_needs_its_csrf_token(viewer):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/login/", {"username": "viewer", "password": "secret"}).status_code == 403


# --- a new password -------------------------------------------------------------------------------

NEW = {"old_password": "secret", "new_password1": "a-long-new-one-1", "new_password2": "a-long-new-one-1"}


def entered(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_new_password_ends_every_other_login_and_keeps_this_one(viewer):
    here, elsewhere = entered(viewer), entered(viewer)
    assert here.post("/password/", NEW).status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert log_in("viewer", "secret").status_code == 200
    assert log_in("viewer", "a-long-new-one-1").status_code == 302
    [row] = AuditEntry.objects.filter(verb="changed_password")
    assert (row.actor, row.before, row.after) == ("viewer", None, None)


def test_a_new_password_ends_tickets_that_wait(viewer):
    issue_ticket(caller_of_user(viewer))
    entered(viewer).post("/password/", NEW)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"old_password": "wrong"}, "old password was entered incorrectly"),
        ({"new_password2": "other"}, "password fields didn"),
        ({"new_password1": "short", "new_password2": "short"}, "too short"),
    ],
)
def test_a_bad_new_password_changes_nothing_and_says_why(viewer, changes, words):
    answer = entered(viewer).post("/password/", NEW | changes)
    assert words in answer.content.decode()
    viewer.refresh_from_db()
    assert viewer.check_password("secret")


def test_a_page_that_was_left_open_is_no_way_to_guess_the_password(viewer):
    here = entered(viewer)
    for _ in range(5):
        here.post("/password/", NEW | {"old_password": "wrong"})
    assert "Too many tries" in here.post("/password/", NEW).content.decode()
    viewer.refresh_from_db()
    assert viewer.check_password("secret")


def test_the_address_of_an_invitation_is_not_logged():
    secret = "Ab3_" * 10
    assert scrub(f'GET /invite/{secret}/ HTTP/1.1" 302') == 'GET /invite/***/ HTTP/1.1" 302'
