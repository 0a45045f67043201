"""The settings and the ASGI application of the plain Django REST Framework site in drf_site.py.

Stock ASGI handler, no middleware, so it is cheaper than most.
"""

from __future__ import annotations

import os
from pathlib import Path

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

FOLDER = Path(os.environ["DATA_DIR"])
FSYNC = os.environ.get("PEER_FSYNC", "") == "1"
_DATABASE_URL = os.environ.get("DATABASE_URL", "")


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
        ROOT_URLCONF="benchmarks.lib.peers.drf_site",
        INSTALLED_APPS=["django.contrib.contenttypes", "channels", "rest_framework"],
        MIDDLEWARE=[],
        DATABASES={"default": _database()},
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        DATA_UPLOAD_MAX_MEMORY_SIZE=28 * 1024 * 1024,
        MEDIA_ROOT=FOLDER / "media",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        REST_FRAMEWORK={
            "UNAUTHENTICATED_USER": None,
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
    )
    django.setup(set_prefix=False)

from benchmarks.lib.peers.drf_site import create_tables  # noqa: E402 - models need the settings

create_tables()


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
