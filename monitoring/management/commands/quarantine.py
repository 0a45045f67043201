"""What the doctor put into quarantine: listed, put back, or dropped for ever."""

from __future__ import annotations

from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from monitoring.services import quarantine
from sessionsite.common.errors import DomainError

BY = "quarantine"


class Command(BaseCommand):
    help = "List the boxes of the quarantine, put one back where its files were, or drop what is old."

    def add_arguments(self, parser):
        parser.add_argument("--put-back", metavar="BOX", help="the files are where they were")
        parser.add_argument("--drop", metavar="BOX", help="the box is gone for ever")
        parser.add_argument(
            "--drop-older-than", type=int, metavar="DAYS", help="boxes filled before that are gone for ever"
        )

    def handle(self, *, put_back, drop, drop_older_than, **options):
        try:
            if put_back:
                self.tell("put back", quarantine.put_back(put_back, by=BY))
            if drop:
                self.tell("dropped", quarantine.drop(drop, by=BY))
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        if drop_older_than is not None:
            if drop_older_than < 0:
                raise CommandError("--drop-older-than must not be negative")
            moment = timezone.now() - timedelta(days=drop_older_than)
            for box in list(quarantine.filled_before(moment)):
                self.tell("dropped", quarantine.drop(box.name, by=BY))
        for box in quarantine.boxes():
            self.tell("in quarantine", box)

    def tell(self, what: str, box: quarantine.Box) -> None:
        self.stdout.write(f"{what}: {box.name}, {box.files:,} files, {box.size_bytes:,} bytes")
