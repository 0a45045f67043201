"""How REST requests say who they are. After either class `request.auth` is the Caller."""

from rest_framework import authentication, exceptions

from sessionsite.accounts.callers import caller_of_token, caller_of_user
from sessionsite.common.dialects import REALM


class TokenUser:
    """Stands in `request.user` for a token; no row, no password, always authenticated."""

    is_authenticated = True
    is_active = True
    is_staff = is_superuser = is_anonymous = False
    pk = None

    def __init__(self, caller):
        self.caller = caller

    def get_username(self) -> str:
        return self.caller.name

    def __str__(self) -> str:
        return self.caller.name


def secret_in(header: str) -> str | None:
    """The secret of an `Authorization: Bearer X` or `Token X` header, None when it is of another kind."""
    scheme, _, secret = header.strip().partition(" ")
    return secret.strip() if scheme.lower() in ("bearer", "token") else None


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer SECRET`, or `Token SECRET`."""

    def authenticate(self, request):
        secret = secret_in(request.headers.get("Authorization", ""))
        if secret is None:
            return None
        caller = caller_of_token(secret)
        if caller is None:
            raise exceptions.AuthenticationFailed("This token is unknown, expired or revoked.")
        return TokenUser(caller), caller

    def authenticate_header(self, request):
        return REALM


class CookieAuthentication(authentication.SessionAuthentication):
    """The login cookie of a page; unsafe methods need the CSRF token."""

    def authenticate(self, request):
        found = super().authenticate(request)
        return found and (found[0], caller_of_user(found[0]))
