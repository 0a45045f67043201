"""Two marked monitors and the simulated cameras that feed them, for a first look."""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings

from monitoring.models import Monitor
from monitoring.services import AlreadyStarted, create_monitor, start_monitor
from monitoring.services.demo import BY, CAMERAS, token_path
from sessionsite.accounts.models import ApiToken, Organisation
from sessionsite.accounts.services import create_token
from sessionsite.common.files.places import write_file

logger = logging.getLogger(__name__)

INTERVAL_S = 2.0
SCOPES = ["read", "ingest", "annotate"]
STOP_WITHIN_S = 2.0
PR_SET_PDEATHSIG = 1


def prepare_demo() -> list[str]:
    """The slugs of the demo monitors there are; at the very first call they are made and started.

    Monitors that were removed stay removed: the tokens, revoked or not, say that this is not the first call.
    """
    has_begun = ApiToken.objects.filter(created_by=BY, name__in=CAMERAS.values()).exists()
    if not (has_begun or token_path().exists()):
        organisation = Organisation.objects.get(slug="default")
        free = CAMERAS.keys() - set(Monitor.objects.filter(is_demo=False).values_list("slug", flat=True))
        lines = [f"{slug} {_add_camera(organisation, slug)}\n" for slug in sorted(free)]
        write_file(token_path(), "".join(lines).encode())
    monitors = Monitor.objects.filter(is_demo=True, archived_at__isnull=True, slug__in=CAMERAS)
    return list(monitors.order_by("slug").values_list("slug", flat=True))


def _add_camera(organisation: Organisation, slug: str) -> str:
    """The token of a camera whose monitor is there and runs."""
    name = CAMERAS[slug]
    monitor = Monitor.objects.filter(slug=slug).first()
    if monitor is None:
        monitor = create_monitor(
            organisation, slug=slug, name=name, expected_interval_s=INTERVAL_S, is_demo=True, by=BY
        )
    with suppress(AlreadyStarted):
        start_monitor(monitor, by=BY)
    _, secret = create_token(organisation, name=name, role="operator", scopes=SCOPES, by=BY)
    return secret


@contextmanager
def demo_cameras(url: str, slugs: list[str]) -> Iterator[None]:
    """While inside, simulated cameras post to the server at `url`; they end with it, also if it is killed."""
    if not slugs:
        yield
        return
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulate_cameras", "--url", url]
    command += ["--token-file", str(token_path()), "--monitors", ",".join(slugs)]
    command += ["--interval", f"{INTERVAL_S:g}"]
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, preexec_fn=_end_with_parent, start_new_session=True
    )
    threading.Thread(target=_report_end, args=[child], name="demo", daemon=True).start()
    try:
        yield
    finally:
        _end(child)


def _end_with_parent() -> None:
    """In the child: the kernel ends it when this process dies without a word. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _report_end(child: subprocess.Popen) -> None:
    code = child.wait()
    if code > 0:
        logger.warning("the simulated cameras ended with code %d", code)


def _end(child: subprocess.Popen) -> None:
    child.terminate()
    try:
        child.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
