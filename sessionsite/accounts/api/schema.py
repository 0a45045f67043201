"""How the schema names the two ways to say who one is."""

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "sessionsite.accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer SECRET`"}


class CookieScheme(OpenApiAuthenticationExtension):
    target_class = "sessionsite.accounts.authentication.CookieAuthentication"
    name = "cookie"

    def get_security_definition(self, auto_schema):
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The login of the pages; changes need the header X-CSRFToken as well.",
        }
