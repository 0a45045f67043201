"""Files that no row names, out of the way and not lost: media/.quarantine/<when>/<media path>."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.db import transaction

from monitoring.services.ondisk import OnDisk
from monitoring.services.recovery import known_paths
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import audit
from sessionsite.common.clock import now
from sessionsite.common.errors import Missing
from sessionsite.common.files import QUARANTINE, media_file, media_root

NAMED_IN_AUDIT = 100

_BOX_NAME = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")


@dataclass
class Box:
    """One folder of the quarantine. name: when it was filled and a random end."""

    name: str
    files: int = 0
    size_bytes: int = 0
    paths: set[str] = field(default_factory=set)  # only of what was moved just now


def quarantine_root() -> Path:
    return media_root() / QUARANTINE


def new_box_name() -> str:
    return f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def quarantine(paths: Iterable[str], box: str, *, by: str) -> Box:
    """These media files, as far as no row names them by now, lie in the box; the audit trail says so.

    Raises OSError where the folder cannot be written.
    """
    paths = list(paths)
    known = known_paths(paths)
    done = Box(box)
    moved = []
    for path in paths:
        if path in known:
            continue
        target = quarantine_root() / box / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            done.size_bytes += media_file(path).stat().st_size
            os.rename(media_file(path), target)
            moved.append(path)
    done.files, done.paths = len(moved), set(moved)
    if moved:
        _tell("quarantined", box, moved, by=by)
    for folder in sorted({media_file(path).parent for path in moved}, reverse=True):
        remove_empty(folder, media_root())
    return done


def remove_empty(folder: Path, top: Path) -> None:
    """`folder` and the ones above it below `top`, as far as they are empty; a writer makes what it needs."""
    while folder != top and top in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


@transaction.atomic
def _tell(verb: str, box: str, paths: list[str], *, by: str) -> None:
    """One audit row per organisation whose folder the files lay in."""
    by_slug: dict[str, list[str]] = {}
    for path in paths:
        by_slug.setdefault(path.split("/")[0].removesuffix(".org"), []).append(path)
    owners = {owner.slug: owner for owner in Organisation.objects.filter(slug__in=by_slug)}
    for slug, theirs in sorted(by_slug.items()):
        after = {"box": box, "files": len(theirs), "paths": theirs[:NAMED_IN_AUDIT]}
        audit(owners.get(slug), verb, OnDisk("quarantine", box), by=by, after=after)


def boxes() -> Iterator[Box]:
    """What lies in quarantine, the oldest first."""
    root = quarantine_root()
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if not _BOX_NAME.fullmatch(folder.name):
            continue  # somebody else's
        box = Box(folder.name)
        for path in files_of(folder):
            box.files += 1
            box.size_bytes += path.stat().st_size
        yield box


def files_of(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in sorted(names))


def _box_folder(name: str) -> Path:
    folder = quarantine_root() / name
    if not _BOX_NAME.fullmatch(name) or not folder.is_dir():
        raise Missing(f"There is no box {name} in quarantine.", box=name)
    return folder


def put_back(name: str, *, by: str) -> Box:
    """The files of the box are where they were; one whose place is taken stays. Raises Missing."""
    folder, done, moved = _box_folder(name), Box(name), []
    for path in list(files_of(folder)):
        media_path = path.relative_to(folder).as_posix()
        target = media_file(media_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue
        size_bytes = path.stat().st_size
        os.rename(path, target)
        moved.append(media_path)
        done.size_bytes += size_bytes
        remove_empty(path.parent, quarantine_root())
    done.files = len(moved)
    if moved:
        _tell("put_back", name, moved, by=by)
    return done


def drop(name: str, *, by: str) -> Box:
    """The box and its files are gone for ever. Raises Missing."""
    folder, done, dropped = _box_folder(name), Box(name), []
    for path in list(files_of(folder)):
        done.size_bytes += path.stat().st_size
        dropped.append(path.relative_to(folder).as_posix())
        path.unlink(missing_ok=True)
        remove_empty(path.parent, quarantine_root())
    done.files = len(dropped)
    if dropped:
        _tell("dropped_from_quarantine", name, dropped, by=by)
    return done


def filled_before(moment: datetime) -> Iterator[Box]:
    """Boxes that were filled before this moment."""
    return (box for box in boxes() if box.name[:15] < f"{moment:%Y%m%dT%H%M%S}")


def find(path: str) -> Iterator[Path]:
    """Every file in quarantine that once lay at this media path, the newest first."""
    for folder in sorted(quarantine_root().glob("*"), reverse=True):
        if (folder / path).is_file():
            yield folder / path
