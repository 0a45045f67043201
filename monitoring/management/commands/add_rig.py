"""`manage.py add_rig SLUG --url ...`: a telescope whose NINA is listened to from now on."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from monitoring.nina.verbs import add_rig
from sessionsite.accounts.models import Organisation
from sessionsite.common.errors import DomainError


class Command(BaseCommand):
    help = "Add a rig: a monitor of kind rig that follows one NINA. A running server notices it by itself."

    def add_arguments(self, parser):
        parser.add_argument("slug", help="a-z, 0-9 and -")
        parser.add_argument("--url", default="", help="NINA's Advanced API, such as http://127.0.0.1:1888")
        parser.add_argument("--site-zone", default="UTC", help="the telescope's zone, such as Europe/Madrid")
        parser.add_argument("--name", default="")
        parser.add_argument("--organisation", default="", help="slug; default: the first one")
        parser.add_argument("--public", action="store_true", help="its state may be read without a login")

    def handle(self, *, slug, url, site_zone, name, organisation, public, **options):
        owners = Organisation.objects.order_by("pk")
        owner = (owners.filter(slug=organisation) if organisation else owners).first()
        if owner is None:
            raise CommandError(f"There is no organisation {organisation or 'yet'}.")
        try:
            rig = add_rig(
                owner,
                slug=slug,
                url=url,
                site_zone=site_zone,
                name=name,
                is_public=public,
                by="command line",
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{rig.slug} follows {rig.url or 'imported nights only'}; its page is /rigs/{slug}/."
        )
