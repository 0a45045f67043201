"""Who may ask the Django REST peers: DRF's own tokens of users, and for the lean one a table of digests."""

from __future__ import annotations

import hashlib

from django.core.management import call_command
from django.db import connection, models
from rest_framework import authentication, exceptions

from benchmarks.lib.peers.work import TOKEN


class BearerAuthentication(authentication.TokenAuthentication):
    keyword = "Bearer"


def add_token() -> None:
    """The tables of the installed apps are there, and a user with the token of the benchmark."""
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    Token.objects.create(key=TOKEN, user=User.objects.create_user("camera"))


class LeanToken(models.Model):
    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "peer"

    def __str__(self):
        return self.name


class Caller:
    is_authenticated = True


class LeanAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request):
        secret = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = LeanToken.objects.filter(digest=_digest(secret)).first()
        if token is None:
            raise exceptions.AuthenticationFailed
        return Caller(), token


def add_lean_token() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(LeanToken)
    LeanToken.objects.create(digest=_digest(TOKEN), name="camera")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
