"""Writes a backup of everything into one file while the server goes on."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from sessionsite.backup.making import back_up
from sessionsite.common.errors import DomainError

SHOWN = 5


class Command(BaseCommand):
    help = (
        "Write the database and all pictures into FILE, one tar that `restore` reads. The server may go on "
        "recording; nothing is removed for good meanwhile."
    )
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--overwrite", action="store_true", help="replace FILE when it is there")
        parser.add_argument(
            "--with-secret-key",
            action="store_true",
            help="also the key that signs cookies: people stay logged in after a restore",
        )

    def handle(self, *, file, overwrite, with_secret_key, **options):
        try:
            made = back_up(file, tell=self.progress, with_secret_key=with_secret_key, overwrite=overwrite)
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        counts = made.manifest["counts"]
        self.stdout.write(
            f"{made.path}: {made.size_bytes:,} bytes, {counts['sessions_app.session']:,} sessions, "
            f"{counts['monitoring.image']:,} pictures, {made.complete['media_files']:,} files"
        )
        if made.missing:
            self.stderr.write(
                f"{made.missing:,} files that rows name were not there and are not in it: run doctor"
            )
            for path in made.complete["missing"][:SHOWN]:
                self.stderr.write(f"  {path}")

    def progress(self, text: str) -> None:
        self.stderr.write(f"… {text}")
        self.stderr.flush()
