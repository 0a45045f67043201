"""`manage.py import_night FILE`: a saved event history of NINA becomes sessions with a report."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from monitoring.nina.events import Malformed, read_body
from monitoring.nina.models import Rig
from monitoring.nina.verbs import add_rig, import_night
from sessionsite.accounts.models import Organisation
from sessionsite.common.errors import DomainError


class Command(BaseCommand):
    help = "Import a saved answer of NINA's /v2/api/event-history. The same file again changes nothing."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="the saved answer, or the list inside it")
        parser.add_argument("--images", type=Path, help="a saved answer of image-history?all=true")
        parser.add_argument("--rig", default="imported", help="a rig without an address; made when missing")
        parser.add_argument("--site-zone", default="UTC", help="of a rig that is made, such as Europe/Madrid")

    def handle(self, *, file, images, rig, site_zone, **options):
        body = _bytes(file)
        try:
            found = Rig.objects.select_related("monitor__organisation").filter(monitor__slug=rig).first()
            sessions = import_night(
                found or self._new(rig, site_zone),
                entries=_list_in(file, body),
                images=_list_in(images, _bytes(images)) if images else [],
                name=f"import {hashlib.sha256(body).hexdigest()[:32]}",
                by="command line",
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        for session in sessions:
            self.stdout.write(
                f"{session.name}: {session.total_counter} frames, /sessions/{session.key}/report/"
            )
        self.stdout.write(f"{len(sessions)} sessions.")

    def _new(self, slug: str, site_zone: str) -> Rig:
        owner = Organisation.objects.order_by("pk").first()
        if owner is None:
            raise CommandError("There is no organisation yet.")
        return add_rig(owner, slug=slug, site_zone=site_zone, by="command line")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


def _list_in(path: Path, body: bytes) -> list:
    try:
        message = read_body(body)
    except Malformed as error:
        raise CommandError(f"{path} is {error}.") from error
    found = message.get("Response") if isinstance(message, dict) else message
    if not isinstance(found, list):
        raise CommandError(f"{path} holds no list of events.")
    return found
