"""Closes stale sessions and removes what is past its term: pictures, files without a row, left-over files."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from monitoring.disk import forecast
from monitoring.models import Image
from monitoring.services import cleanup, media_check, retention
from monitoring.services.cleanup import Purged
from monitoring.services.hold import RemovalHeld
from monitoring.services.media_check import Walk
from monitoring.services.recovery import known_paths
from sessionsite.accounts.models import Organisation
from sessionsite.common.files import repair_dead_leases

SHOWN = 20  # lines per kind of thing; the totals say how many there are


class Command(BaseCommand):
    help = (
        "Close sessions that nobody feeds, purge pictures of ended sessions and deleted pictures after their "
        "term, remove files that no row names. Refuses to remove more than half of all files without --force."
    )

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="change nothing, say what would be done")
        parser.add_argument(
            "--stale-after",
            type=int,
            default=settings.SESSION_STALE_AFTER_S,
            metavar="SECONDS",
            help="close open monitor sessions that took nothing for so long (default: %(default)s)",
        )
        parser.add_argument(
            "--retention-days",
            type=int,
            default=settings.RETENTION_DAYS,
            metavar="DAYS",
            help=(
                "purge pictures of sessions that ended so long ago, 0: of all ended, where no rule of the "
                "storage page says otherwise (default: %(default)s)"
            ),
        )
        parser.add_argument(
            "--deleted-days",
            type=int,
            default=settings.DELETED_DAYS,
            metavar="DAYS",
            help="purge pictures that were deleted so long ago (default: %(default)s)",
        )
        parser.add_argument("--force", action="store_true", help="remove more than half of all files, too")

    def handle(self, *, dry_run, stale_after, retention_days, deleted_days, force, **options):
        for name, value in (
            ("stale-after", stale_after),
            ("retention-days", retention_days),
            ("deleted-days", deleted_days),
        ):
            if value is not None and value < 0:
                raise CommandError(f"--{name} must not be negative")
        self.dry_run = dry_run
        now = timezone.now()
        if stale_after:
            self.close_stale(timedelta(seconds=stale_after))
        deleted = now - timedelta(days=deleted_days) if deleted_days is not None else None

        walk = Walk()
        orphans = self.count_orphans(walk)
        retained, whole = self.plan_purge(now, retention_days)
        long_deleted = self.plan_deleted(deleted, whole)
        part = 2 * (retained.images + long_deleted.images) + orphans.images
        self.refuse_too_much(part, max(walk.files, 2 * Image.objects.count()), force)
        if not dry_run:
            self.remove(now, retention_days, deleted)
        self.left_over()
        self.missing()
        self.stdout.write(
            f"{walk.files} media files, {in_bytes(walk.size_bytes)}; left alone: {walk.young} younger than "
            f"an hour, {walk.foreign} that are no media files"
        )
        if dry_run:
            self.stdout.write(forecast().words)

    def remove(self, now, retention_days, deleted) -> None:
        try:
            self.purge(now, retention_days)
            if deleted:
                self.told("purged deleted pictures", sum(cleanup.purge_deleted(deleted), Purged()))
        except RemovalHeld as refusal:
            raise CommandError(str(refusal)) from refusal
        self.remove_orphans()
        report = repair_dead_leases(known_paths)
        if report.dead:
            self.stdout.write(
                f"put {report.dead} dead processes' folders right: {report.removed_files} files and "
                f"{report.removed_temporary} half files removed, {in_bytes(report.freed_bytes)}"
            )

    def close_stale(self, age: timedelta) -> None:
        sessions = cleanup.stale_sessions(age)
        for session in list(sessions):
            last = f"last picture {session.last_item_at:%F %T}" if session.last_item_at else "no picture"
            place = session.monitor.slug if session.monitor else "no monitor"
            line = f"session {session.key} on {place}: open since {session.started_at:%F %T}, {last}"
            if self.dry_run:
                self.stdout.write(f"would close {line}; reason stale")
            elif cleanup.close_if_stale(session, age):
                self.stdout.write(f"closed {line}; reason stale")

    def due(self, now, retention_days):
        for organisation in Organisation.objects.order_by("pk"):
            yield from retention.due(organisation, now=now, default_days=retention_days)

    def plan_purge(self, now, retention_days) -> tuple[Purged, set[int]]:
        """Says per session what the rules take; (all of it, the sessions that lose everything)."""
        total, whole = Purged(), set()
        for one in self.due(now, retention_days):
            total += one.found
            if one.most_bytes is None:
                whole.add(one.session.pk)
            if self.dry_run:
                self.stdout.write(
                    f"would purge session {one.session.key}: {told(one.found)}; reason {reason_of(one)}, "
                    f"ended {one.session.stopped_at:%F %T}"
                )
        if self.dry_run and total.images:
            self.stdout.write(f"would purge by retention: {told(total)} of {len(whole)} whole sessions")
        return total, whole

    def plan_deleted(self, before, whole: set[int]) -> Purged:
        """Says what goes because it was deleted, those left out that retention takes anyway."""
        total = Purged()
        if before is None:
            return total
        images = cleanup.long_deleted(before).order_by("pk")
        for image in images.only("key", "size_bytes", "deleted_at", "session_id").iterator():
            if image.session_id in whole:
                continue
            total += Purged(1, image.size_bytes)
            if self.dry_run and total.images <= SHOWN:
                self.stdout.write(
                    f"would purge picture {image.key}: {in_bytes(image.size_bytes)}; reason deleted, "
                    f"on {image.deleted_at:%F %T}"
                )
        if self.dry_run and total.images:
            self.stdout.write(f"would purge deleted pictures: {told(total)}")
        return total

    def count_orphans(self, walk: Walk) -> Purged:
        total = Purged()
        for file in media_check.find_orphans(walk):
            total += Purged(1, file.size_bytes)
            if self.dry_run and total.images <= SHOWN:
                self.stdout.write(
                    f"would remove {file.path}: {in_bytes(file.size_bytes)}; reason no row names it"
                )
        if self.dry_run and total.images:
            self.stdout.write(
                f"would remove {total.images} files without a row, {in_bytes(total.size_bytes)}"
            )
        return total

    def refuse_too_much(self, part: int, whole: int, force: bool) -> None:
        if not cleanup.is_too_much(part, whole) or force:
            return
        text = f"{part} of {whole} files would be removed, more than half; --force does it"
        if not self.dry_run:
            raise CommandError(f"{text}. Nothing was removed.")
        self.stdout.write(text)

    def purge(self, now, retention_days) -> None:
        for one in list(self.due(now, retention_days)):
            purged = sum(retention.obey(one), Purged())
            ended = f"ended {one.session.stopped_at:%F %T}"
            self.told(f"purged session {one.session.key}, {ended}, reason {reason_of(one)}", purged)

    def remove_orphans(self) -> None:
        files = media_check.find_orphans(Walk())
        count = freed_bytes = 0
        while chunk := list(islice(files, media_check.CHUNK)):
            freed_bytes += media_check.remove_orphans(chunk)
            for file in chunk[: max(0, SHOWN - count)]:
                self.stdout.write(f"removed {file.path}: {in_bytes(file.size_bytes)}; reason no row names it")
            count += len(chunk)
        if count:
            self.stdout.write(f"removed {count} files without a row, {in_bytes(freed_bytes)}")

    def left_over(self) -> None:
        files = list(media_check.find_left_over())
        size_bytes = sum(file.size_bytes for file in files)
        if files and self.dry_run:
            self.stdout.write(f"would remove {len(files)} left-over temporary files, {in_bytes(size_bytes)}")
        elif files:
            freed_bytes = media_check.remove_left_over()
            self.stdout.write(f"removed {len(files)} left-over temporary files, {in_bytes(freed_bytes)}")

    def missing(self) -> None:
        """Reported, never repaired: the row is what is left of the picture."""
        count = 0
        for key, path in media_check.find_missing():
            count += 1
            if count <= SHOWN:
                self.stderr.write(f"missing: {path} of {key}")
        if count:
            self.stderr.write(f"{count} files that rows name are missing; nothing was changed")

    def told(self, what: str, purged: Purged) -> None:
        if purged.images:
            self.stdout.write(f"{what}: {told(purged)}")


def told(purged: Purged) -> str:
    return f"{purged.images} pictures, {in_bytes(purged.size_bytes)}"


def reason_of(one: retention.Due) -> str:
    return f"retention, {one.words}"


def in_bytes(size: int) -> str:
    return f"{size:,} bytes"
