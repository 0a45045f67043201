"""The settings and the ASGI application of the Django REST Framework sites in drf_site.py and drf_lean.py.

The plain site has the apps and the middleware that `startproject` of Django 5.2 writes, and what the
documentation of DRF and Channels adds. PEER_LEAN=1: no middleware, no users, a token class of its own, which
is less than anybody gets. Both run under Django's stock ASGI handler.
"""

from __future__ import annotations

import os
from pathlib import Path

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

FOLDER = Path(os.environ["DATA_DIR"])
FSYNC = os.environ.get("PEER_FSYNC", "") == "1"
LEAN = os.environ.get("PEER_LEAN", "") == "1"
_PEERS = "benchmarks.lib.peers"
_DATABASE_URL = os.environ.get("DATABASE_URL", "")


def _plain() -> dict:
    return {
        "ROOT_URLCONF": f"{_PEERS}.drf_site",
        "INSTALLED_APPS": [
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "channels",
            "rest_framework",
            "rest_framework.authtoken",
        ],
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        "REST_FRAMEWORK": _rest_framework("BearerAuthentication"),
    }


def _lean() -> dict:
    return {
        "ROOT_URLCONF": f"{_PEERS}.drf_lean",
        "INSTALLED_APPS": ["django.contrib.contenttypes", "channels", "rest_framework"],
        "MIDDLEWARE": [],
        "REST_FRAMEWORK": {**_rest_framework("LeanAuthentication"), "UNAUTHENTICATED_USER": None},
    }


def _rest_framework(authentication: str) -> dict:
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": [f"{_PEERS}.drf_tokens.{authentication}"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    }


def _database() -> dict:
    if _DATABASE_URL:
        import environ

        return environ.Env.db_url_config(_DATABASE_URL)
    synchronous = "FULL" if FSYNC else "NORMAL"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "peer.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};",
        },
    }


if not settings.configured:
    settings.configure(
        SECRET_KEY="of-the-benchmark",
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": _database()},
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        DATA_UPLOAD_MAX_MEMORY_SIZE=28 * 1024 * 1024,
        MEDIA_ROOT=FOLDER / "media",
        STATIC_URL="static/",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        **(_lean() if LEAN else _plain()),
    )
    django.setup(set_prefix=False)

from benchmarks.lib.peers import drf_models, drf_tokens  # noqa: E402 - models need the settings

drf_models.create_tables(drf_tokens.add_lean_token if LEAN else drf_tokens.add_token)


class WithLifespan:
    """Stock Django under any server: it answers no lifespan message itself."""

    def __init__(self) -> None:
        self._django = get_asgi_application()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "lifespan":
            await self._django(scope, receive, send)
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


application = WithLifespan()
