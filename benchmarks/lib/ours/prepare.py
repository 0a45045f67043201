"""Puts what a benchmark needs into the data folder of DATA_DIR and prints it as JSON.

python -m benchmarks.lib.ours.prepare --monitors cam-1,cam-2 --start cam-1
"""

from __future__ import annotations

import argparse
import json

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

import benchmarks.lib.ours.ready  # noqa: F401 - before the models
from monitoring.services import create_monitor, start_monitor
from sessionsite.accounts.models import Organisation, User
from sessionsite.accounts.services import create_token
from sessionsite.startup import prepare

VIEWERS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--monitors", default="")
    parser.add_argument("--start", default="")
    options = parser.parse_args()
    prepare()
    organisation = Organisation.objects.get(slug="default")
    _, token = create_token(organisation, name="benchmark", role="admin", by="benchmark")
    sessions = {}
    for slug in filter(None, options.monitors.split(",")):
        monitor = create_monitor(organisation, slug=slug, name=slug, by="benchmark")
        if slug in options.start.split(","):
            sessions[slug] = start_monitor(monitor, by="benchmark").key
    found = {"token": token, "viewers": viewer_tokens(), "sessions": sessions, "cookie": admin_cookie()}
    print(json.dumps(found))


def viewer_tokens() -> list[str]:
    owner = Organisation.objects.get(slug="default")
    return [create_token(owner, name=f"viewer {n}", role="viewer", by="benchmark")[1] for n in range(VIEWERS)]


def admin_cookie() -> str:
    """A Cookie header of the first user, logged in."""
    admin = User.objects.get(username="admin")
    store = SessionStore()
    store[SESSION_KEY] = str(admin.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = admin.get_session_auth_hash()
    store.create()
    return f"{settings.SESSION_COOKIE_NAME}={store.session_key}"


if __name__ == "__main__":
    main()
