"""Who opens a socket: by header, by cookie from our own pages, by the first message; and when it ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session as LoginSession
from django.utils import timezone

from sessionsite.accounts.models import ApiToken, Ticket
from sessionsite.accounts.services import (
    caller_of_token,
    caller_of_user,
    change_password,
    create_token,
    issue_ticket,
    revoke_token,
    set_role,
)
from sessionsite.common import consumers
from sessionsite.common import hub as hub_module
from tests.waiting import in_thread

pytestmark = pytest.mark.django_db(transaction=True)
FLEET = "?topic=fleet:default"
OURS = "http://testserver"


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Nobody waits ten seconds for a first message."""
    monkeypatch.setattr(consumers, "AUTH_WITHIN_S", 0.2)


def first_ticket(user) -> str:
    return issue_ticket(caller_of_user(user))[0]


# --- by header ------------------------------------------------------------------------------------


async def test_a_token_in_the_header_is_enough(connect, token):
    for scheme in ("Bearer", "Token", "bearer"):
        socket = await connect(FLEET, authorization=f"{scheme} {token}")
        assert (await socket.next())["type"] == "snapshot"


async def test_a_token_needs_no_origin_and_fears_none(connect, token):
    socket = await connect(FLEET, token=token, origin="https://elsewhere.example")
    assert (await socket.next())["type"] == "snapshot"


async def test_a_wrong_token_is_closed_with_4401(connect, organisation):
    for secret in ("wrong", "", "ä"):
        socket = await connect(FLEET, token=secret)
        assert await socket.closed() == (4401, [])


async def test_a_revoked_or_expired_token_is_closed_with_4401(connect, token, viewer_token):
    ApiTokens = ApiToken.objects
    await in_thread(lambda: revoke_token(ApiTokens.get(name="line 1"), by="test"))
    past = timezone.now() - timedelta(seconds=1)
    await in_thread(lambda: ApiTokens.filter(name="display").update(expires_at=past))
    for secret in (token, viewer_token):
        socket = await connect(FLEET, token=secret)
        assert (await socket.closed())[0] == 4401


async def test_a_token_without_the_right_to_read_sees_no_topic(connect, organisation):
    _, secret = await in_thread(
        create_token, organisation, name="ingest only", role="operator", scopes=["ingest"], by="test"
    )
    socket = await connect(FLEET, token=secret)
    assert (await socket.closed())[0] == 4404


# --- by cookie ------------------------------------------------------------------------------------


@pytest.fixture
def cookie(viewer, cookie_of) -> str:
    return cookie_of(viewer)


async def test_a_login_counts_from_a_page_of_this_site_or_a_trusted_one(connect, cookie, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://panel.example"]
    for origin in (OURS, "HTTP://TestServer", "https://testserver", "https://panel.example"):
        socket = await connect(FLEET, cookie=cookie, origin=origin)
        assert (await socket.next())["type"] == "snapshot"


async def test_a_login_does_not_count_from_another_site(connect, cookie, at_once):
    origins = (
        *(None, "null", "testserver", "http://[", "http://testserver:81"),
        *("https://elsewhere.example", "http://testserver.elsewhere.example"),
    )
    sockets = [await connect(FLEET, cookie=cookie, origin=origin) for origin in origins]
    for socket in sockets:
        code, frames = await socket.closed()
        assert code == 4401
        assert [frame["code"] for frame in frames] == ["not_authenticated"]


async def test_a_login_does_not_count_under_a_host_that_is_not_ours(connect, cookie, at_once):
    socket = await connect(FLEET, cookie=cookie, origin="http://evil.example", host="evil.example")
    assert (await socket.closed())[0] == 4401


async def test_a_cookie_that_is_no_login_is_nobody(connect, organisation, at_once, settings):
    values = ("nonsense", '"\\000"', "", "a" * 5000)
    name = settings.SESSION_COOKIE_NAME
    sockets = [await connect(FLEET, cookie=f"{name}={value}", origin=OURS) for value in values]
    for socket in sockets:
        assert (await socket.closed())[0] == 4401


# --- by the first message -------------------------------------------------------------------------


async def test_a_ticket_opens_one_socket_once(connect, viewer):
    ticket = await in_thread(first_ticket, viewer)
    first = await connect(FLEET)
    assert await first.silent()
    await first.send({"type": "auth", "ticket": ticket})
    assert (await first.next())["type"] == "snapshot"
    second = await connect(FLEET)
    await second.send({"type": "auth", "ticket": ticket})
    assert (await second.closed())[0] == 4401


async def test_of_many_who_show_the_same_ticket_one_is_let_in(connect, viewer):
    ticket = await in_thread(first_ticket, viewer)
    sockets = [await connect(FLEET) for _ in range(5)]
    await asyncio.gather(*(socket.send({"type": "auth", "ticket": ticket}) for socket in sockets))
    first_frames = [await socket.next() for socket in sockets]
    assert sorted(frame["type"] for frame in first_frames) == ["error"] * 4 + ["snapshot"]


async def test_a_ticket_lasts_thirty_seconds(connect, viewer):
    ticket = await in_thread(first_ticket, viewer)
    over = timezone.now() - timedelta(milliseconds=1)
    assert await in_thread(lambda: Ticket.objects.get().expires_at) - timezone.now() <= timedelta(seconds=30)
    await in_thread(lambda: Ticket.objects.update(expires_at=over))
    socket = await connect(FLEET)
    await socket.send({"type": "auth", "ticket": ticket})
    assert (await socket.closed())[0] == 4401


async def test_a_ticket_of_a_token_dies_with_the_token(connect, token):
    ticket = (await in_thread(lambda: issue_ticket(caller_of_token(token))))[0]
    await in_thread(lambda: revoke_token(ApiToken.objects.get(), by="test"))
    socket = await connect(FLEET)
    await socket.send({"type": "auth", "ticket": ticket})
    assert (await socket.closed())[0] == 4401


async def test_a_token_may_be_the_first_message(connect, token):
    socket = await connect(FLEET)
    await socket.send({"type": "auth", "token": token})
    assert (await socket.next())["type"] == "snapshot"


async def test_anything_else_as_first_message_is_closed_with_4401(connect, organisation):
    for message in (
        {"type": "subscribe", "topic": "fleet:default"},
        {"type": "auth"},
        {"type": "auth", "ticket": 7},
        {"type": "auth", "token": "wrong"},
        {},
    ):
        socket = await connect(FLEET)
        await socket.send(message)
        code, frames = await socket.closed()
        assert code == 4401 and frames[0]["code"] == "not_authenticated"


async def test_who_says_nothing_is_closed(connect, organisation, at_once):
    socket = await connect()
    assert (await socket.closed())[0] == 4401


async def test_junk_before_the_first_message_is_answered_and_bounded(connect, token):
    socket = await connect(FLEET)
    await socket.send("junk")
    assert (await socket.next())["code"] == "bad_message"
    await socket.send({"type": "auth", "token": token})
    assert (await socket.next())["type"] == "snapshot"
    other = await connect(FLEET)
    for _ in range(10):
        await other.send(b"junk")
    code, frames = await other.closed()
    assert code == 4400 and len(frames) == 10


# --- anew, and no more ----------------------------------------------------------------------------


async def test_somebody_else_keeps_only_their_own_topics(connect, token, viewer_token, foreign_token):
    socket = await connect(FLEET, token=token)
    await socket.next("snapshot")
    await socket.send({"type": "auth", "token": viewer_token})
    assert await socket.silent()
    await socket.send({"type": "auth", "token": foreign_token})
    code, frames = await socket.closed()
    assert code == 4403
    assert [(frame["code"], frame["topic"]) for frame in frames] == [("unknown_topic", "fleet:default")]


async def test_a_dead_credential_on_an_open_socket_closes_it(connect, token):
    socket = await connect(FLEET, token=token)
    await socket.next("snapshot")
    await socket.send({"type": "auth", "token": "wrong"})
    assert (await socket.closed())[0] == 4401


async def test_too_many_sockets_of_one_token_are_refused(connect, token, viewer_token, monkeypatch):
    monkeypatch.setattr(hub_module, "READERS_PER_CREDENTIAL", 1)
    first = await connect(FLEET, token=token)
    await first.next("snapshot")
    second = await connect(FLEET, token=token)
    code, frames = await second.closed()
    assert (code, frames[0]["code"]) == (4429, "too_many_readers")
    assert (await (await connect(FLEET, token=viewer_token)).next())["type"] == "snapshot"


async def test_showing_another_token_is_no_way_around_that_limit(connect, token, viewer_token, monkeypatch):
    monkeypatch.setattr(hub_module, "READERS_PER_CREDENTIAL", 1)
    first, second = await connect(FLEET, token=token), await connect(FLEET, token=viewer_token)
    for socket in (first, second):
        await socket.next("snapshot")
    await second.send({"type": "auth", "token": token})
    assert (await second.next("error"))["code"] == "too_many_readers"
    await second.send({"type": "auth", "token": viewer_token})
    assert await second.silent(), "it is who it was, and may say so again"


async def test_revoked_logged_out_removed_and_deactivated_within_five_seconds(
    connect, organisation, token, viewer_token, viewer, operator, reviewer, cookie_of
):
    users = (viewer, operator, reviewer)
    cookies = [await in_thread(cookie_of, user) for user in users]
    by_token = await connect(FLEET, token=token)
    untouched = await connect(FLEET, token=viewer_token)
    logged_out, removed, deactivated = [
        await connect(FLEET, cookie=cookie, origin=OURS) for cookie in cookies
    ]
    everyone = (by_token, untouched, logged_out, removed, deactivated)
    for socket in everyone:
        await socket.next("snapshot")

    def end_them() -> None:
        revoke_token(ApiToken.objects.get(name="line 1"), by="test")
        keys = [cookie.partition("=")[2] for cookie in cookies]
        LoginSession.objects.filter(session_key=keys[0]).delete()
        set_role(operator, organisation, None, by="test")
        get_user_model().objects.filter(pk=reviewer.pk).update(is_active=False)

    await in_thread(end_them)
    async with asyncio.timeout(5):
        assert await by_token.closed() == (4401, [])
        assert (await logged_out.closed())[0] == 4401
        assert (await deactivated.closed())[0] == 4401
        code, frames = await removed.closed()
    assert (code, frames[-1]["type"], frames[-1]["topic"]) == (4403, "error", "fleet:default")
    assert await untouched.silent()


async def test_a_new_password_closes_other_logins_and_what_tickets_opened(connect, viewer, cookie_of):
    cookie = await in_thread(cookie_of, viewer)
    by_cookie = await connect(FLEET, cookie=cookie, origin=OURS)
    by_ticket = await connect(FLEET)
    await by_ticket.send({"type": "auth", "ticket": await in_thread(first_ticket, viewer)})
    for socket in (by_cookie, by_ticket):
        await socket.next("snapshot")
    await in_thread(change_password, viewer, "another one")
    async with asyncio.timeout(5):
        for socket in (by_cookie, by_ticket):
            assert (await socket.closed())[0] == 4401
