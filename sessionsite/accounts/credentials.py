"""What sockets and streams show at the door: a bearer token, a login cookie, a one-time ticket."""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from types import SimpleNamespace
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.http.request import split_domain_port, validate_host

from sessionsite.accounts import rates
from sessionsite.accounts.authentication import secret_in
from sessionsite.accounts.callers import (
    caller_of_token,
    caller_of_token_id,
    caller_of_user,
    caller_of_user_id,
)
from sessionsite.accounts.services import redeem_with_hash
from sessionsite.common.access import Caller
from sessionsite.common.consumers import Identified, Identify
from sessionsite.common.errors import NotAuthenticated
from sessionsite.common.threads import read_in_thread


@dataclass(frozen=True)
class TokenCredential:
    token_id: int

    def caller_now(self) -> Caller | None:
        return caller_of_token_id(self.token_id)


@dataclass(frozen=True)
class CookieCredential:
    """A login session: dead after a logout or a new password."""

    session_key: str

    def caller_now(self) -> Caller | None:
        store = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        user = get_user(SimpleNamespace(session=store))
        return caller_of_user(user) if user.is_authenticated and user.is_active else None


@dataclass(frozen=True)
class UserCredential:
    """A person known by a ticket, which did not say from which login: dead after a new password."""

    user_id: int
    auth_hash: str

    def caller_now(self) -> Caller | None:
        return caller_of_user_id(self.user_id, self.auth_hash)


def _of_ticket(secret: str) -> Identified | None:
    found = redeem_with_hash(secret)
    if found is None:
        return None
    caller, auth_hash = found
    if caller.token_id:
        return caller, TokenCredential(caller.token_id)
    return caller, UserCredential(caller.user_id, auth_hash)


def _of_token(secret: str) -> Identified | None:
    caller = caller_of_token(secret)
    return caller and (caller, TokenCredential(caller.token_id))


def _of_cookie(session_key: str) -> Identified | None:
    credential = CookieCredential(session_key)
    caller = credential.caller_now()
    return caller and (caller, credential)


class AccountsIdentify(Identify):
    """Header before cookie; a cookie counts only from a page of this site."""

    async def by_scope(self, scope, *, any_origin: bool = False) -> Identified | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if (secret := secret_in(headers.get(b"authorization", ""))) is not None:
            found = await read_in_thread(_of_token, secret)
            if found is None:
                raise NotAuthenticated("This token is unknown, expired or revoked.")
            if scope["type"] == "http":
                await rates.admit_async(found[0])
            return found
        session_key = cookie_in(headers.get(b"cookie", ""), settings.SESSION_COOKIE_NAME)
        if session_key and (any_origin or is_own_origin(headers.get(b"origin"), headers.get(b"host", ""))):
            return await read_in_thread(_of_cookie, session_key)
        return None

    async def by_message(self, message: dict) -> Identified | None:
        for name, find in (("ticket", _of_ticket), ("token", _of_token)):
            if isinstance(secret := message.get(name), str):
                return await read_in_thread(find, secret)
        return None


def cookie_in(header: str, name: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return morsel.value if morsel and morsel.value.isprintable() else None  # quoted values may hold anything


def is_own_origin(origin: str | None, host: str) -> bool:
    """Whether a browser says that a page of this very site opened the connection."""
    if not origin:
        return False
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return netloc.lower() == host.lower() or origin in settings.CSRF_TRUSTED_ORIGINS
