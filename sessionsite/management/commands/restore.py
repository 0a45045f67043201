"""Puts a backup in the place of the server's data, or only looks whether it is whole."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from sessionsite.backup.restoring import restore, verify
from sessionsite.common.errors import DomainError


class Command(BaseCommand):
    help = (
        "Restore FILE, which `backup` made, into the data folder and database of the settings. Server and "
        "workers must be stopped. Everything or, after any error, nothing."
    )
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--verify", action="store_true", help="only read FILE and say whether it is whole"
        )
        parser.add_argument("--replace", action="store_true", help="the data that is here now goes")
        parser.add_argument(
            "--keep-old", action="store_true", help="what was here stays aside, for a person to remove"
        )

    def handle(self, *, file, replace, keep_old, **options):
        is_only_read = options["verify"]
        try:
            if is_only_read:
                done = verify(file, tell=self.progress)
            else:
                done = restore(file, tell=self.progress, replace=replace, keep_old=keep_old)
        except FileNotFoundError as error:
            raise CommandError(f"There is no file {file}.") from error
        except DomainError as refusal:
            raise CommandError(f"{refusal} Nothing was changed.") from refusal
        manifest = done.manifest
        self.stdout.write(
            f"{'whole' if is_only_read else 'restored'}: made {manifest['made_at']} by version "
            f"{manifest['version']}, {manifest['counts']['sessions_app.session']:,} sessions, "
            f"{manifest['counts']['monitoring.image']:,} pictures, {done.media_files:,} files, "
            f"{done.media_bytes:,} bytes"
        )
        for place in done.old:
            self.stdout.write(f"what was here before lies in {place}")

    def progress(self, text: str) -> None:
        self.stderr.write(f"… {text}")
        self.stderr.flush()
