"""Rows against files and files against rows: what is missing, changed, or named by nobody."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from monitoring.models import Image
from monitoring.services import media_check
from monitoring.services.doctor.examination import Examination
from monitoring.services.doctor.faults import Fault
from sessionsite.common.files import dead_leases, media_file

ROWS_PER_QUERY = 1000
READ_BYTES = 1 << 20
WEBP_HEAD_BYTES = 12


def check_rows(seen: Examination) -> Iterator[Fault]:
    """Every picture's files are there and of the right size; the originals that are due have their hash.

    A file is there before its row commits and goes after its row: only a row that is still there can miss it.
    """
    step = 1 if seen.all_hashes else max(1, Image.objects.count() // seen.hash_sample)
    due = 0 if seen.all_hashes else random.randrange(step)
    after = 0
    while rows := list(_rows(after)):
        for number, image in enumerate(rows, start=seen.pictures):
            fault = _fault_of(image, seen, is_due=number % step == due)
            if fault and Image.objects.filter(pk=image.pk).exists():
                yield fault
        seen.pictures += len(rows)
        seen.tell(f"{seen.pictures:,} pictures")
        after = rows[-1].pk


def _rows(after: int):
    names = ("key", "file_path", "thumbnail_path", "size_bytes", "sha256", "deleted_at")
    return Image.objects.filter(pk__gt=after).order_by("pk").only(*names)[:ROWS_PER_QUERY]


def _fault_of(image: Image, seen: Examination, *, is_due: bool) -> Fault | None:
    original_bytes, thumbnail_bytes = size_of(image.file_path), size_of(image.thumbnail_path)
    if original_bytes is None:
        if image.deleted_at is not None:  # out of sight, and known to be lost or about to go
            seen.lost += 1
            return None
        return Fault("missing_file", image.key, image.file_path, image.size_bytes, image.pk)
    is_other_size = original_bytes + (thumbnail_bytes or 0) != image.size_bytes
    if is_due or (is_other_size and thumbnail_bytes is not None):
        seen.hashed += 1
        if (found := sha256_of(media_file(image.file_path))) not in (image.sha256, None):
            text = f"{image.file_path}: sha256 {found[:12]}…, not {image.sha256[:12]}…"
            return Fault("wrong_hash", image.key, text, original_bytes, image.pk)
    if thumbnail_bytes is None:
        return Fault("missing_thumbnail", image.key, image.thumbnail_path, pk=image.pk)
    if (is_due or is_other_size) and not is_whole_webp(media_file(image.thumbnail_path)):
        return Fault("damaged_thumbnail", image.key, image.thumbnail_path, pk=image.pk)
    if is_other_size:
        text = f"{original_bytes + thumbnail_bytes:,} bytes on disk, {image.size_bytes:,} in the row"
        return Fault("wrong_size", image.key, text, pk=image.pk)
    return None


def size_of(path: str) -> int | None:
    """Bytes of the media file; None when there is none."""
    try:
        status = media_file(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size


def sha256_of(path: Path) -> str | None:
    """The digest of what the file holds; None when it has gone meanwhile."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while part := stream.read(READ_BYTES):
                digest.update(part)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def is_whole_webp(path: Path) -> bool:
    """The file begins as a WebP and is as long as it says (RIFF: the size without its first 8 bytes)."""
    try:
        with path.open("rb") as stream:
            head = stream.read(WEBP_HEAD_BYTES)
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return False
    is_webp = head[:4] == b"RIFF" and head[8:] == b"WEBP"
    return is_webp and int.from_bytes(head[4:8], "little") + 8 == size_bytes


def check_files(seen: Examination) -> Iterator[Fault]:
    """Every media file older than an hour is named by a row."""
    for file in media_check.find_orphans(seen.walk):
        yield Fault("orphan", file.path, f"{file.size_bytes:,} bytes", file.size_bytes)
        seen.tell(f"{seen.walk.files:,} files")
    seen.tell(f"{seen.walk.files:,} files")


def check_left_overs(seen: Examination) -> Iterator[Fault]:
    """No half file older than an hour, no folder of a dead process. Living processes are left alone."""
    for file in media_check.find_left_over():
        yield Fault("left_over", file.path, f"{file.size_bytes:,} bytes", file.size_bytes)
    for name in dead_leases():
        yield Fault("dead_lease", name, "its process is dead")
